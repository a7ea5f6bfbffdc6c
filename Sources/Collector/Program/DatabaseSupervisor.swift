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
      while stopped.wait(maximumMs: Self.intervalMs).isEmpty { look() }
    }
  }

  func stop() { stopped.post(()) }

  private func look() {
    if PrivateServer.processID(stateDirectory: stateDirectory) != nil { return }
    logger.error("the private database has ended; starting it again")
    do throws(PostgresError) {
      _ = try PrivateServer(stateDirectory: stateDirectory)
      logger.info("the private database runs again")
    } catch {
      logger.error("the private database does not start", metadata: ["error": "\(error)"])
    }
  }
}
