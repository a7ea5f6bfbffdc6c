internal import CLibPQ
internal import Files

extension Connection {
  /// A new password for a login that programs use: 192 random bits as hexadecimal digits.
  package static func randomPassword() -> String {
    HostFiles.randomBytes(24).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// What the server keeps of a password (SCRAM-SHA-256). Sent instead, the password itself stands in no log of statements.
  package func passwordVerifier(_ password: String, user: String) throws(PostgresError) -> String {
    let handle = unsafe self.handle
    // Allocated by libpq; copied and freed here.
    guard let text = unsafe PQencryptPasswordConn(handle, password, user, "scram-sha-256") else {
      throw connectionError("encrypt a password")
    }
    defer { unsafe PQfreemem(text) }
    return unsafe String(cString: text)
  }

  /// A text as an SQL literal, for statements that take no parameters (CREATE ROLE).
  package static func literal(_ text: String) -> String {
    "'" + text.filter { $0 != "\0" }.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
      + "'"
  }
}
