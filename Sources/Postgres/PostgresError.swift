/// What PostgreSQL, or the way to it, refused: its SQLSTATE, its first sentence, and what was being done.
///
/// Never holds a password: libpq's messages name host, user and database only, and parameters are not repeated.
package struct PostgresError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Five characters, PostgreSQL manual appendix A; "" where the server did not answer.
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

  /// A sequence has given out its last number.
  package var isOutOfNumbers: Bool { sqlState == "2200H" }

  /// The user may not do this (42501), or may not log in (28).
  package var isNotPermitted: Bool { sqlState == "42501" || sqlState.hasPrefix("28") }

  /// The server only reads: a standby, or a primary that has been demoted while this session stood (25006).
  package var isReadOnlyServer: Bool { sqlState == "25006" }

  /// Nothing more comes of this session: it is gone, or its server does not write any more.
  package var needsNewConnection: Bool { isConnectionLost || isReadOnlyServer }

  package var description: String {
    "cannot \(doing): \(message)" + (sqlState.isEmpty ? "" : " (SQLSTATE \(sqlState))")
  }

  static func connectionLost(_ message: String, doing: String) -> PostgresError {
    PostgresError(sqlState: "", message: message, doing: doing)
  }
}
