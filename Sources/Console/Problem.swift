internal import FleetModel
internal import HTTPTypes
internal import Postgres
internal import Store

/// Why a request has no answer. Source of its JSON: RFC 9457.
struct Problem: Error, Equatable {
  let status: HTTPResponse.Status
  /// One sentence that says what to do.
  let detail: String

  init(_ status: HTTPResponse.Status, _ detail: String) {
    self.status = status
    self.detail = detail
  }

  var json: JSON {
    .object([
      ("type", .text("about:blank")), ("title", .text(status.reasonPhrase)), ("status", .number(Int64(status.code))),
      ("detail", .text(detail)),
    ])
  }
}

extension Problem {
  static let unauthorized = Problem(
    .unauthorized, "log in: open a link of signalbox console link, or send Authorization: Bearer sbk_… with a token")
  static let databaseAway = Problem(
    .serviceUnavailable, "the database does not answer; nothing is lost, and this page works again when it does")
  static let tooBusy = Problem(.serviceUnavailable, "too many questions wait for the database: ask again in a moment")

  /// Without the database's own words where they could tell what its user may not see.
  init(_ error: PostgresError) {
    switch error.sqlState {
    case "57014":
      self.init(.gatewayTimeout, "the question took too long and was stopped: ask for less time or fewer hosts")
    case "2201B":
      self.init(.badRequest, "regex is no regular expression: \(PlainText.cut(error.message, scalarsMax: 200))")
    case "42P01", "3F000", "42703":
      self.init(
        .serviceUnavailable,
        "the database has not the tables of this version: start this version's collector on it once")
    case _ where error.isConnectionLost || error.sqlState.hasPrefix("57P") || error.sqlState.hasPrefix("53"):
      self = .databaseAway
    default: self.init(.internalServerError, "the database refused the question (\(error.sqlState))")
    }
  }

  init(_ error: StoreError) {
    switch error {
    case .database(let error): self.init(error)
    case .unknownIncident, .unknownSilence, .unknownOverride, .unknownHost, .unknownCredential,
      .unknownInvitation, .unknownSavedQuery:
      self.init(.notFound, error.description)
    case .tokenNameInUse, .hostNameInUse, .tooManySavedQueries: self.init(.conflict, error.description)
    case .badCredentialName, .badHostName, .badLabel, .unknownTarget, .unknownZone, .neverComes:
      self.init(.badRequest, error.description)
    default: self.init(.serviceUnavailable, error.description)
    }
  }
}
