internal import Files

extension DatabaseURL {
  /// The URL that the collector of a state directory has left there.
  /// - Throws: `FileError`, `PostgresError`.
  package init(ofStateDirectory directory: String) throws {
    try self.init(parsing: ValueFile.firstLine(try HostFiles.read(Self.path(inStateDirectory: directory))))
  }

  package static func path(inStateDirectory directory: String) -> String { directory + "/database-url" }
}
