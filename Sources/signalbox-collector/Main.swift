internal import ArgumentParser
internal import Collector
internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Postgres

/// Parses, wires, runs.
@main struct Main: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "signalbox-collector", abstract: "Takes the fleet's reports and stores them.",
    discussion: """
      Without --database it runs a private PostgreSQL in the state directory, as its own user unless that is root;
      signalbox-collector database runs one as another user, who cannot read the fleet's keys (--help says how).
      Prints one line when it is ready: ready listen=HOST:PORT database=URL metrics=HOST:PORT
      SIGTERM drains and stops, SIGHUP reads configuration and certificates again.
      Exit codes: 0 done, 1 failed, 2 usage, 4 database not reachable.
      """,
    version: Build.version)

  @Option(name: .customLong("state-dir"), help: "Directory for the CA, the private database and what the CLI needs.")
  var stateDirectory: String
  @Option(help: "Address for agents.") var listen = "127.0.0.1:7443"
  @Option(help: "URL of your own PostgreSQL 15+ or TimescaleDB; else $SIGNALBOX_DATABASE_URL.") var database: String?
  @Option(help: "signalbox.yaml.") var config: String?
  @Option(help: "HOST:PORT under which agents reach this collector; may be repeated; else $SIGNALBOX_ADVERTISE.")
  var advertise: [String] = []
  @Option(
    help: """
      HOST:PORT for /metrics and /health, loopback by default. They take no password and no certificate: another address is for a \
      network that only whoever collects figures can reach.
      """)
  var metrics = "127.0.0.1:0"
  @Option(help: "Gateway threads, at least 1; one a core by default.") var gateways: Int?
  @Option(help: "Writer threads, at least 1; one a core by default.") var writers: Int?
  @Flag(help: "Make this state directory's authority the fleet's, or a new one: every host must then join again.")
  var newAuthority = false
  @Option(help: .hidden) var certificateSeconds: Int64?
  @Option(help: .hidden) var serverCertificateSeconds: Int64?

  /// Each writer holds a connection of the database: more than servers commonly allow is a slip of the hand.
  private static let threadsMax = 256

  static func main() {
    let words = CommandWords.joiningNegativeNumbers(Array(CommandLine.arguments.dropFirst()))
    do {
      // By hand: with subcommands of ArgumentParser's the collector's own options would leave its --help.
      if words.first == DatabaseCommand.word { try DatabaseCommand.parse(Array(words.dropFirst())).serve() }
      let command = try parse(words)
      try CollectorProgram.run(command.options(), logger: makeLogger())
    } catch let failure as CollectorFailure {
      fail(failure.code.rawValue, failure.description)
    } catch {
      guard !exitCode(for: error).isSuccess else {
        if words.first == DatabaseCommand.word { DatabaseCommand.exit(withError: error) }
        exit(withError: error)
      }
      // Only the first sentence of ArgumentParser's message, without the usage.
      fail(2, message(for: error))
    }
  }

  private static func fail(_ code: Int32, _ sentence: String) -> Never {
    let shown = PlainText.visible(PlainText.withoutPasswords(sentence))
    try? StandardStream.error.write("signalbox-collector: \(shown)\n")
    Process.exit(code)
  }

  private func options() throws -> CollectorOptions {
    var options = CollectorOptions(
      stateDirectory: stateDirectory, listen: try address(listen, "--listen", example: "0.0.0.0:7443"),
      metrics: try address(metrics, "--metrics", example: "127.0.0.1:9464"))
    options.database = try databaseURL()
    options.configurationPath = config
    options.advertise = advertise
    if advertise.isEmpty, let text = Process.environment("SIGNALBOX_ADVERTISE"), !text.isEmpty {
      options.advertise = text.split(separator: ",").map(String.init)
    }
    for text in options.advertise { try requireReachable(text) }
    options.gateways = try threads(gateways, "--gateways")
    options.writers = try threads(writers, "--writers")
    options.certificateSeconds = certificateSeconds
    options.serverCertificateSeconds = serverCertificateSeconds
    options.replacesAuthority = newAuthority
    return options
  }

  /// Nobody can connect to a wildcard, nor to port 0.
  private func requireReachable(_ text: String) throws {
    let address = try address(text, "--advertise", example: "collector.example.org:7443")
    if ["0.0.0.0", "::", "*"].contains(address.host) || address.port == 0 {
      throw CollectorFailure(
        .usage, "--advertise names what agents connect to, such as collector.example.org:7443, not '\(text)'")
    }
  }

  private func address(_ text: String, _ option: String, example: String) throws -> SocketAddress {
    guard let address = SocketAddress.parse(text) else {
      throw CollectorFailure(.usage, "\(option) takes HOST:PORT, such as \(example), not '\(text)'")
    }
    return address
  }

  /// Without one of them nothing would be taken, or nothing stored.
  private func threads(_ count: Int?, _ option: String) throws -> Int? {
    guard let count else { return nil }
    guard (1...Self.threadsMax).contains(count) else {
      throw CollectorFailure(.usage, "\(option) takes 1 to \(Self.threadsMax) threads, not \(count)")
    }
    return count
  }

  private func databaseURL() throws -> DatabaseURL? {
    guard let text = database ?? Process.environment("SIGNALBOX_DATABASE_URL"), !text.isEmpty else { return nil }
    do {
      let url = try DatabaseURL(parsing: text)
      guard let path = Process.environment("SIGNALBOX_DATABASE_PASSWORD_FILE"), !path.isEmpty else { return url }
      let password = ValueFile.firstLine(try HostFiles.read(path))
      if password.isEmpty {
        throw CollectorFailure(
          .usage, "\(path) is empty; SIGNALBOX_DATABASE_PASSWORD_FILE names a file that holds the password")
      }
      return url.with(["password": password])
    } catch let error as PostgresError {
      // The text itself may hold a password.
      let source = database == nil ? "$SIGNALBOX_DATABASE_URL" : "--database"
      throw CollectorFailure(.usage, "\(source) is no database URL: \(error.message)")
    } catch let error as CollectorFailure {
      throw error
    } catch {
      throw CollectorFailure(.usage, "\(error)")
    }
  }
}

/// JSON lines on standard error, one an event.
func makeLogger() -> Logger {
  Logger(label: "signalbox-collector") { _ in JSONLogHandler() }
}
