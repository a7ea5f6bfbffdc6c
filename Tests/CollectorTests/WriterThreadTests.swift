import EventLoop
import FleetModel
import Logging
import Postgres
import Synchronization
import SiteConfiguration
import Testing

@testable import Collector

@Suite(.timeLimit(.minutes(10))) struct WriterThreadTests {
  /// A writer tries several times a second; one line a try fills the disk of a collector whose database is away for a day.
  @Test func anOutageIsLoggedAFewTimesAndNotAtEachTry() throws {
    let metrics = CollectorMetrics()
    let lines = LoggedLines()
    let gateway = try Mailbox<GatewayMessage>(limit: 16)
    let writer = try WriterThread(
      name: "writer-test", database: try DatabaseURL(parsing: "postgresql:///none?host=/tmp/signalbox-no-such-socket"),
      gateways: [gateway], settings: SettingsBook(Configuration()), metrics: metrics, logger: lines.logger)
    // Not joined: what is staged keeps a stopping writer trying for ten seconds.
    _ = try writer.start()
    defer { writer.stop() }
    #expect(writer.stage(GroupCommitTests.staged(1), of: SessionID(gateway: 0, number: 1), bytes: 10))
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(60)
    while metrics.commitFailures.value < 6, clock.now < deadline { _ = gateway.wait(maximumMs: 20) }
    #expect(metrics.commitFailures.value >= 6)
    let failed = lines.all.filter { $0.message == "commit failed" }
    #expect(failed.count == 3, "\(failed)")
    // What to do about it stands in the line.
    #expect(failed.allSatisfy { $0.error.contains("is PostgreSQL running there?") }, "\(failed)")
  }
}

/// What a program has logged, oldest first.
final class LoggedLines: Sendable {
  struct Line: Sendable {
    var message: String
    /// The field `error`; empty without one.
    var error: String
  }

  private let lines = Mutex<[Line]>([])

  var all: [Line] { lines.withLock { $0 } }

  var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

  private struct Handler: LogHandler {
    let lines: LoggedLines
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let line = Line(message: "\(event.message)", error: event.metadata?["error"].map { "\($0)" } ?? "")
      lines.lines.withLock { $0.append(line) }
    }
  }
}
