internal import Synchronization

/// A thread with something of its own, such as a connection to the database, for work that blocks.
///
/// `Resource` never leaves the thread, so it need not be safe to share.
package final class Worker<Resource>: Sendable {
  private typealias Job = @Sendable (inout Resource) -> Void

  private let mailbox: Mailbox<Job>
  private let waiting = Mutex(0)
  private let thread: LoopThread

  /// - Parameters:
  ///   - name: of the thread, at most 15 bytes.
  ///   - limit: jobs that may wait.
  ///   - make: called once, on the thread.
  package init(_ name: String, limit: Int, _ make: @escaping @Sendable () -> Resource) throws(LoopError) {
    let mailbox = try Mailbox<Job>(limit: limit)
    self.mailbox = mailbox
    thread = try LoopThread(name) {
      var resource = make()
      while true {
        let jobs = mailbox.wait(maximumMs: -1)
        for job in jobs { job(&resource) }
        if jobs.isEmpty, mailbox.isClosed { return }
      }
    }
  }

  /// Jobs that wait or run.
  package var load: Int { waiting.withLock { $0 } }

  /// - Returns: false where too many jobs wait already, or the worker is stopped; then the job never runs.
  package func post(_ job: @escaping @Sendable (inout Resource) -> Void) -> Bool {
    waiting.withLock { $0 += 1 }
    let isTaken = mailbox.post { [self] resource in
      job(&resource)
      waiting.withLock { $0 -= 1 }
    }
    if !isTaken { waiting.withLock { $0 -= 1 } }
    return isTaken
  }

  /// Runs what was posted before, then ends the thread.
  package func stop() {
    mailbox.close()
    thread.join()
  }
}
