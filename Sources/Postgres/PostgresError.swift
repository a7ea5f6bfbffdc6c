/// What PostgreSQL, or the way to it, refused: its SQLSTATE, its first sentence, and what was being done.
///
/// Never holds a password: libpq's messages name host, user and database only, and parameters are not repeated.
package struct PostgresError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Five characters, PostgreSQL manual appendix A; "" where the server said nothing.
  package let sqlState: String
  /// The primary message, one line.
  package let message: String
  /// What was being done, as a phrase: "connect", "COPY signalbox.log_info".
  package let doing: String

  package init(sqlState: String, message: String, doing: String) {
    self.sqlState = sqlState
    self.message = message
    self.doing = doing
  }

  /// The connection is gone; whether an unanswered COMMIT took effect is unknown.
  package var isConnectionLost: Bool { sqlState.isEmpty || sqlState.hasPrefix("08") || sqlState.hasPrefix("57P") }

  /// A prepared statement is unknown to this backend (26000), or another's (42P05).
  var isAboutPreparing: Bool { sqlState == "26000" || sqlState == "42P05" }

  /// May succeed later unchanged: resources (53), operator (57), connection (08), rollback (40), lock not available (55P03), or not
  /// prepared.
  package var isRetryable: Bool {
    isConnectionLost || isAboutPreparing || sqlState == "55P03" || sqlState == "58030"
      || ["40", "53", "57", "08"].contains { sqlState.hasPrefix($0) }
  }

  /// What was sent is at fault and would be refused again, however often it is tried: it is set aside, and the rest goes on. Every part
  /// of Signalbox that sets something aside asks this.
  ///
  /// Cardinality (21), data exception (22), integrity constraint (23), a routine or trigger of the site's (38, 39, P0), check option
  /// (44), a limit of the server's such as the size of an index entry (54). Not 0A: it also means that a plan is out of date.
  package var isRefusal: Bool {
    ["21", "22", "23", "38", "39", "44", "54", "P0"].contains { sqlState.hasPrefix($0) }
  }

  /// The user may not do this (42501), or may not log in (28).
  package var isNotPermitted: Bool { sqlState == "42501" || sqlState.hasPrefix("28") }

  /// What to do about a connection that was not made, as a clause. libpq gives no SQLSTATE for those, only the server's words
  /// (English: the private server's, and what most servers speak); any other words get the general advice.
  package var connectionAdvice: String {
    let advice: [(words: [String], clause: String)] = [
      (["database \"", "does not exist"], "create it, owned by that user: CREATE DATABASE name OWNER user"),
      (["role \"", "does not exist"], "create that user, or name another one in the URL"),
      (["authentication failed"], "check user and password in the URL"),
      (["no password supplied"], "put the password into the URL or a ~/.pgpass file"),
      (["permission denied for database"], "let that user in: GRANT CONNECT ON DATABASE name TO user"),
      (["pg_hba.conf"], "allow this client in the server's pg_hba.conf"),
      (["connection slots"], "end idle sessions or raise the server's max_connections"),
      (["too many clients"], "end idle sessions or raise the server's max_connections"),
      (["the database system is"], "it is not ready yet; try again in a moment"),
    ]
    let match = advice.first { entry in entry.words.allSatisfy { message.contains($0) } }
    return match?.clause ?? "is PostgreSQL running there?"
  }

  package var description: String {
    "cannot \(doing): \(message)" + (sqlState.isEmpty ? "" : " (SQLSTATE \(sqlState))")
  }

  static func connectionLost(_ message: String, doing: String) -> PostgresError {
    PostgresError(sqlState: "", message: message, doing: doing)
  }
}
