internal import ArgumentParser
internal import Collector
internal import Files
internal import Postgres

/// `signalbox-collector database`: the collector's PostgreSQL as a process, and a system user, of its own.
struct DatabaseCommand: ParsableCommand {
  static let word = "database"

  static let configuration = CommandConfiguration(
    commandName: "signalbox-collector \(word)", abstract: "Runs PostgreSQL for a collector with another system user.",
    discussion: """
      Makes the cluster in the state directory where there is none, prints one line, database=URL, for the collector's --database,
      and becomes the server. Nobody else can connect: it listens on a Unix socket, for the named users and root.
      Start it as the database's user, with a group that the collector's user is in as the process's group (Group= in systemd):
      the socket's directory belongs to that group. signalbox-database.service has signalbox-db for both.
      SIGINT stops it, and so does SIGTERM once everybody has disconnected; its log is standard error.
      Exit codes: those of PostgreSQL; 1 where it does not come to that, 2 usage.
      """)

  @Option(name: .customLong("state-dir"), help: "Directory of the database's own, not the collector's.")
  var stateDirectory: String
  @Option(
    name: .customLong("socket-dir"),
    help: "Directory for the socket, absolute; of this process's group, which the collector's user must be in.")
  var socketDirectory: String
  @Option(help: "System user of the collector; may be repeated.") var collectorUser: [String] = ["signalbox"]

  func serve() throws -> Never {
    do throws(PostgresError) {
      let server = try DedicatedServer(
        stateDirectory: stateDirectory, socketDirectory: socketDirectory, collectorUsers: collectorUser)
      try? StandardStream.output.write("database=\(server.url.text)\n")
      try server.run()
    } catch {
      throw CollectorFailure(.failed, "the database does not start: \(error.message)")
    }
  }
}
