import Foundation
import Postgres
import Store
import Synchronization

/// One pass of housekeeping on a thread of its own.
final class HousekeepingPass: Sendable {
  private let database: DatabaseURL
  private let nowNs: Int64
  private let done = Atomic<Bool>(false)
  private let problems = Mutex<[String]>([])

  init(database: DatabaseURL, nowNs: Int64) {
    self.database = database
    self.nowNs = nowNs
  }

  var isDone: Bool { done.load(ordering: .acquiring) }

  /// Of the pass that is done.
  var report: [String] { problems.withLock { $0 } }

  func start() { Thread.detachNewThread { [self] in run() } }

  private func run() {
    defer { done.store(true, ordering: .releasing) }
    do {
      let keeper = try Store.open(database, options: Store.housekeepingOptions)
      defer { keeper.close() }
      // Without search indexes, whose building waits for readers.
      let report = try keeper.housekeep(nowNs: nowNs, searchIndexesMax: 0)
      problems.withLock { $0 = report?.problems ?? ["another pass is under way"] }
    } catch {
      problems.withLock { $0 = ["\(error)"] }
    }
  }
}
