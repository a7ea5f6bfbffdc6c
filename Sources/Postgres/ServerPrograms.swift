internal import Files

/// The directory with PostgreSQL's own programs.
package struct ServerPrograms: Sendable, Equatable {
  package let directory: String

  /// Looks on PATH, then below the distribution's library folder (Debian keeps them off PATH): those of the cluster's version, or the
  /// newest. A newer PostgreSQL that was installed beside the one in use cannot open its cluster.
  /// - Parameter version: major version that made the cluster; nil where there is none yet.
  /// - Throws: a sentence with what to install.
  package static func find(
    libraryFolder: String = "/usr/lib/postgresql", path: String? = nil, version: Int? = nil
  ) throws(PostgresError) -> ServerPrograms {
    let needed = ["initdb", "pg_ctl", "postgres"]
    func isComplete(_ directory: String) -> Bool { needed.allSatisfy { FileModes.isExecutable("\(directory)/\($0)") } }
    for directory in (path ?? Environment.value("PATH") ?? "").split(separator: ":").map(String.init)
    where isComplete(directory) {
      return ServerPrograms(directory: directory)
    }
    let versions = ((try? HostFiles.list(libraryFolder)) ?? []).compactMap { Int($0) }.sorted(by: >)
    let wanted = version.map { [$0] } ?? []
    for version in wanted + versions where isComplete("\(libraryFolder)/\(version)/bin") {
      return ServerPrograms(directory: "\(libraryFolder)/\(version)/bin")
    }
    throw .connectionLost(
      "PostgreSQL's server programs (initdb, pg_ctl, postgres) are neither on PATH nor below \(libraryFolder); "
        + "install the package postgresql, or give --database URL", doing: "start a private database")
  }

  /// Those for the cluster of a state directory.
  static func find(stateDirectory: String) throws(PostgresError) -> ServerPrograms {
    let text = try? HostFiles.read(ServerControl.versionFile(stateDirectory + "/postgres/data"))
    return try find(version: text.flatMap { Int(ValueFile.firstLine($0)) })
  }

  func path(_ program: String) -> String { "\(directory)/\(program)" }
}
