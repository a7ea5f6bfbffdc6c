internal import Files
internal import Postgres
internal import Store

/// A thread's connection to the store, made anew after it was lost.
final class StoreConnection {
  private let database: DatabaseURL
  private let options: ConnectionOptions
  /// Records each use; nil where a use may take hours.
  private let health: ThreadHealth?
  private var store: Store?

  init(_ database: DatabaseURL, options: ConnectionOptions = Store.writerOptions, health: ThreadHealth? = nil) {
    self.database = database
    self.options = options
    self.health = health
  }

  func close() {
    store?.close()
    store = nil
  }

  /// Runs `body`; once more on a new connection where an idle one turned out dead. For bodies that may be repeated.
  func use<Result>(_ body: (Store) throws(StoreError) -> Result) throws(StoreError) -> Result {
    health?.began(nowNs: Clock.monotonicNs())
    do throws(StoreError) {
      let result = try attemptTwice(body)
      health?.succeeded()
      return result
    } catch {
      // Any other error is an answer: an unknown host, a lease that another collector holds.
      if case .database(let answer) = error {
        health?.failed(answer.description, nowNs: Clock.monotonicNs())
      } else {
        health?.succeeded()
      }
      throw error
    }
  }

  private func attemptTwice<Result>(_ body: (Store) throws(StoreError) -> Result) throws(StoreError) -> Result {
    let wasOpen = store != nil
    do throws(StoreError) {
      return try attempt(body)
    } catch {
      guard wasOpen, error.needsNewConnection else { throw error }
      return try attempt(body)
    }
  }

  private func attempt<Result>(_ body: (Store) throws(StoreError) -> Result) throws(StoreError) -> Result {
    do throws(StoreError) {
      return try body(opened())
    } catch {
      if error.needsNewConnection { close() }
      throw error
    }
  }

  private func opened() throws(StoreError) -> Store {
    if let store { return store }
    let opened = try Store.open(database, options: options)
    store = opened
    return opened
  }
}
