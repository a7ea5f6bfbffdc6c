internal import ArgumentParser
internal import Console
internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Postgres

/// Parses, wires, runs.
@main struct Main: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "signalbox-console", abstract: "Shows the fleet in a browser, and answers scripts.",
    discussion: """
      Prints one line when it is ready: ready url=https://HOST:PORT
      The first login: signalbox console link, on the collector's machine. Scripts: signalbox tokens create NAME --role viewer.
      SIGTERM ends it. Several may run on one database; none keeps anything of its own.
      Exit codes: 0 done, 1 failed, 2 usage, 4 database not reachable.
      """,
    version: Build.version)

  @Option(help: "URL of the database; else $SIGNALBOX_DATABASE_URL, else of the collector of --state-dir.")
  var database: String?
  @Option(
    name: .customLong("state-dir"),
    help: "State directory of a collector on this machine: its database, and its authority for the certificate.")
  var stateDirectory: String?
  @Option(
    name: .customLong("reader-database"),
    help: "URL of a login that only reads; else the one that the collector has made.")
  var readerDatabase: String?
  @Option(
    name: .customLong("query-database"),
    help: "URL of a login that only reads the views, for people's SQL; else the one that the collector has made.")
  var queryDatabase: String?
  @Option(help: "HOST:PORT for browsers and scripts.") var listen = "127.0.0.1:7444"
  @Option(help: "PEM file of your own certificate, with its chain.") var certificate: String?
  @Option(help: "PEM file of its private key.") var key: String?
  @Option(name: .customLong("public-url"), help: "https://HOST under which people reach it, for login links.")
  var publicURL: String?
  @Option(
    help: """
      Folder with the files of uPlot, which draws charts; else console-assets beside the program, or \
      /usr/share/signalbox/console.
      """
  )
  var assets: String?
  @Option(help: "Connections to the database, 1 to 32.") var connections = 4
  @Option(name: .customLong("slack-api"), help: "Address of Slack's Web API, for buttons by Socket Mode.")
  var slackAPI = "https://slack.com/api"
  @Option(
    name: .customLong("slack-ca"),
    help: "PEM file of the authorities that its certificates may come from, and no others; else the system's.")
  var slackAuthorities: String?
  @OptionGroup(title: "Logging in by an identity provider") var oidc: OIDCOptions

  static func main() async {
    do {
      let command = try parse()
      try await ConsoleServer.run(command.options(), logger: makeLogger())
    } catch let failure as ConsoleFailure {
      fail(failure.code.rawValue, failure.message)
    } catch {
      guard !exitCode(for: error).isSuccess else { exit(withError: error) }
      fail(2, message(for: error))
    }
  }

  private static func fail(_ code: Int32, _ sentence: String) -> Never {
    let shown = PlainText.visible(PlainText.withoutPasswords(sentence))
    try? StandardStream.error.write("signalbox-console: \(shown)\n")
    Process.exit(code)
  }

  private static func makeLogger() -> Logger {
    var logger = Logger(label: "signalbox-console") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .notice
    return logger
  }

  private func options() throws -> ConsoleOptions {
    guard let address = SocketAddress.parse(listen) else {
      throw ConsoleFailure(.usage, "--listen takes HOST:PORT, such as 127.0.0.1:7444, not '\(listen)'")
    }
    guard (1...32).contains(connections) else {
      throw ConsoleFailure(.usage, "--connections takes 1 to 32, not \(connections)")
    }
    if (certificate == nil) != (key == nil) {
      throw ConsoleFailure(.usage, "--certificate and --key belong together: give both")
    }
    var options = ConsoleOptions(database: try databaseURL(), host: address.host, port: address.port)
    options.reader = try readerDatabase.map { try Self.parse($0, "--reader-database") }
    options.queryReader = try queryDatabase.map { try Self.parse($0, "--query-database") }
    options.stateDirectory = stateDirectory
    options.certificate = certificate
    options.key = key
    options.connections = connections
    options.assets = assets
    if let publicURL, !publicURL.hasPrefix("https://") {
      throw ConsoleFailure(.usage, "--public-url takes an address that begins with https://, not '\(publicURL)'")
    }
    options.publicURL = publicURL
    options.identity = try oidc.settings()
    guard slackAPI.hasPrefix("https://"), slackAPI.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw ConsoleFailure(.usage, "--slack-api takes an address that begins with https://, not '\(slackAPI)'")
    }
    options.slack.api = slackAPI.hasSuffix("/") ? String(slackAPI.dropLast()) : slackAPI
    options.slack.authorities = try slackAuthorities.map(OIDCOptions.readable)
    return options
  }

  private func databaseURL() throws -> DatabaseURL {
    let environment = Process.environment("SIGNALBOX_DATABASE_URL").flatMap { $0.isEmpty ? nil : $0 }
    if let text = database ?? (stateDirectory == nil ? environment : nil) {
      return try Self.parse(text, database == nil ? "$SIGNALBOX_DATABASE_URL" : "--database")
    }
    guard let stateDirectory else {
      throw ConsoleFailure(
        .usage,
        "say where the database is: --state-dir DIR of the collector, --database URL, or $SIGNALBOX_DATABASE_URL")
    }
    do {
      return try DatabaseURL(ofStateDirectory: stateDirectory)
    } catch let error as FileError {
      guard error.isNotFound else { throw ConsoleFailure(.failed, "\(error)") }
      throw ConsoleFailure(.notReachable, "\(error); no collector has been started with --state-dir \(stateDirectory)")
    } catch let error as PostgresError {
      throw ConsoleFailure(.failed, "\(stateDirectory)/database-url: \(error.message)")
    }
  }

  private static func parse(_ url: String, _ source: String) throws -> DatabaseURL {
    do throws(PostgresError) {
      return try DatabaseURL(parsing: url)
    } catch {
      throw ConsoleFailure(.usage, "\(source) is no database URL: \(error.message)")
    }
  }
}
