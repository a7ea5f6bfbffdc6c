internal import EventLoop
internal import Postgres
internal import Synchronization

/// Ends the statement that runs for a client once the client has gone.
final class Abandonment: Sendable {
  private let gone = Atomic(false)
  /// While a statement runs.
  private let canceller = Mutex<QueryCanceller?>(nil)
  private let cancelling: Worker<Void>

  /// - Parameter cancelling: a thread for requests that a statement end.
  init(_ cancelling: Worker<Void>) { self.cancelling = cancelling }

  var hasGone: Bool { gone.load(ordering: .acquiring) }

  /// - Returns: false where no one waits for the answer any more.
  func begins(_ statement: QueryCanceller) -> Bool {
    canceller.withLock { canceller in
      canceller = hasGone ? nil : statement
      return canceller != nil
    }
  }

  /// Waits for a request that is under way: a later one would end another client's statement on the same connection.
  func ends() { canceller.withLock { $0 = nil } }

  /// The client has gone: nothing begins any more, and what runs ends on the server.
  func cancel() {
    gone.store(true, ordering: .releasing)
    // A request blocks until the server has taken it.
    _ = cancelling.post { [self] _ in
      canceller.withLock { canceller in
        canceller?.cancel()
        canceller = nil
      }
    }
  }
}
