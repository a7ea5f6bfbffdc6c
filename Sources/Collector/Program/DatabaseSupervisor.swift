internal import EventLoop
internal import Files
internal import Logging
internal import Postgres

/// Starts the private database again where it has ended, on a thread of its own: a server that recovers, or one that
/// cannot start, takes long to answer, and the status port and the signals must not wait for it.
final class DatabaseSupervisor: Sendable {
  private static let intervalMs: Int32 = 1000

  private let stateDirectory: String
  private let logger: Logger
  private let stopped: Mailbox<Void>

  init(stateDirectory: String, logger: Logger) throws(LoopError) {
    self.stateDirectory = stateDirectory
    self.logger = logger
    stopped = try Mailbox(limit: 1)
  }

  func start() throws(LoopError) -> LoopThread {
    try LoopThread("supervisor") { [self] in
      var warning = RepeatedWarning()
      while stopped.wait(maximumMs: Self.intervalMs).isEmpty { look(&warning) }
    }
  }

  func stop() { stopped.post(()) }

  private func look(_ warning: inout RepeatedWarning) {
    if PrivateServer.processID(stateDirectory: stateDirectory) != nil { return }
    do throws(PostgresError) {
      _ = try PrivateServer(stateDirectory: stateDirectory)
      logger.warning("the private database had ended; it was started again")
    } catch {
      guard let metadata = warning.metadata(error, nowNs: Clock.monotonicNs()) else { return }
      logger.error("the private database has ended and does not start", metadata: metadata)
    }
  }
}
