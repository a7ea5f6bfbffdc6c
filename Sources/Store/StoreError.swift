package import Postgres

/// Why the store could not do what it was asked.
package enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The database's own answer, or that there was none.
  case database(PostgresError)
  /// A newer Signalbox has been here; this one would damage what it does not know.
  case newerSchema(found: Int32, known: Int32)
  case notMigrated
  /// The database's schema is of an older Signalbox: the collector's next start brings it up.
  case olderSchema(found: Int32, known: Int32)
  /// The database cannot be used as it is; the text has the reason and the remedy.
  case unfitDatabase(String)
  /// People's SQL has no login of its own; the text has the remedy.
  case noReader(String)
  /// PostgreSQL older than 15, by `server_version_num`.
  case oldServer(version: Int)
  /// The database user lacks a right; the text names it and how to grant it.
  case notPermitted(String)
  case unknownHost
  case revokedHost
  case joinToken(JoinTokenProblem)
  /// The host's name is not one: empty, too long, or not made of letters, digits, dots, dashes and underscores.
  case badHostName(String)
  /// A host of this name is in the fleet.
  case hostNameInUse(String)
  /// A label that is none; the text names the fault.
  case badLabel(String)
  /// No invitation that can still be used has this id.
  case unknownInvitation(String)
  /// No incident has this number, or it is over.
  case unknownIncident(Int64)
  /// No silence has this number, or it is over.
  case unknownSilence(Int64)
  case unknownOverride(Int64)
  /// The database knows no such time zone.
  case unknownZone(String)
  /// A cron expression for a day that no calendar has.
  case neverComes(String)
  /// The collector that delivers pages has no such schedule, or no such receiver.
  case unknownTarget(String, known: [String])
  /// Another collector holds the lease: nothing was changed.
  case leaseLost
  /// With the name that was given.
  case badCredentialName(String)
  case tokenNameInUse(String)
  case unknownCredential(String)
  case unknownSavedQuery(String)
  case tooManySavedQueries

  /// The effect of an unanswered COMMIT is unknown: open a new connection and commit the same group again.
  package var isConnectionLost: Bool {
    if case .database(let error) = self { error.isConnectionLost } else { false }
  }

  /// This store is of no use any more: close it, and open another one, perhaps on another server.
  package var needsNewConnection: Bool {
    if case .database(let error) = self { error.needsNewConnection } else { false }
  }

  /// The sentence, with what to do about it where the database's message shows that.
  package var withAdvice: String {
    if case .database(let error) = self { error.withAdvice } else { description }
  }

  /// Worth trying again unchanged, after a pause.
  package var isRetryable: Bool {
    if case .database(let error) = self { error.isRetryable } else { false }
  }

  /// A lock was not had within the connection's time; nothing was stored.
  package var isLockTimeout: Bool {
    if case .database(let error) = self { error.sqlState == "55P03" } else { false }
  }

  /// The statement was cancelled from outside, or took longer than its connection allows.
  var isCancelled: Bool {
    if case .database(let error) = self { error.sqlState == "57014" } else { false }
  }

  package var description: String {
    switch self {
    case .database(let error): error.description
    case .newerSchema(let found, let known):
      "the database has schema version \(found), this program knows \(known): install the newer Signalbox"
    case .notMigrated: "the database has no Signalbox schema: start signalbox-collector with it once"
    case .olderSchema(let found, let known):
      "the database has schema version \(found), this program needs \(known): start signalbox-collector of this version on it first"
    case .unfitDatabase(let text), .noReader(let text): text
    case .oldServer(let version):
      "PostgreSQL \(version / 10_000) is too old: Signalbox needs 15 or newer"
    case .notPermitted(let text): text
    case .unknownHost: "this host is not known to the fleet"
    case .revokedHost: "this host has been revoked"
    case .joinToken(let problem): problem.description
    case .unknownIncident(let number): "no open incident has the number \(number)"
    case .unknownOverride(let number): "no override that is still ahead or in force has the number \(number)"
    case .unknownSilence(let number): "no silence that is still ahead or in force has the number \(number)"
    case .unknownZone(let name): "the database knows no time zone '\(name)'; write one such as Europe/Berlin"
    case .neverComes(let cron): "'\(cron)' names a day that never comes"
    case .unknownTarget(let name, let known):
      known.isEmpty
        ? "no collector with paging: in its configuration runs, so nothing is known of '\(name)'"
        : "'\(name)' is not in the collector's configuration; there are: \(known.joined(separator: ", "))"
    case .leaseLost: "another collector delivers pages now"
    case .badCredentialName(let name):
      "'\(name)' cannot be a name: 1 to 64 characters on one line, not beginning with a dash"
    case .tokenNameInUse(let name):
      "a token called '\(name)' is in use: choose another name, or end it with signalbox tokens revoke"
    case .unknownSavedQuery(let name):
      "no saved statement is called '\(name)'; /api/v1/queries lists them"
    case .tooManySavedQueries:
      "\(SavedQuery.Limits.queries) statements are saved already: delete those that no one asks any more"
    case .unknownCredential(let name):
      "nothing that still lets anybody in is called '\(name)'; signalbox tokens list shows them"
    case .hostNameInUse(let name): "a host called '\(name)' is in the fleet"
    case .badLabel(let problem): problem
    case .unknownInvitation(let id): "no invitation that can still be used has the id \(id)"
    case .badHostName(let name):
      "'\(name)' is no host name: use up to 255 letters, digits, dots, dashes and underscores, no dash in front and not only dots"
    }
  }
}

/// Why a join token is refused.
package enum JoinTokenProblem: Sendable, Equatable, CustomStringConvertible {
  case unknown
  case expired
  case alreadyRedeemed
  /// Another machine of this name is in the fleet, and the invitation does not replace it.
  case nameInUse(String)
  /// The invitation is for hosts by their own names, and this name is none of them.
  case nameNotInvited(String, pattern: String)

  package var description: String {
    switch self {
    case .nameInUse(let name):
      "a host called '\(name)' is in the fleet: invite this machine under another name, or with --replace"
    case .nameNotInvited(let name, let pattern):
      "this join token is for hosts called \(pattern), and this one calls itself '\(name)'"
    case .unknown: "this join token is not known here: ask for a new one with `signalbox hosts invite`"
    case .expired: "this join token has expired: ask for a new one with `signalbox hosts invite`"
    case .alreadyRedeemed: "this join token has been used: ask for a new one with `signalbox hosts invite`"
    }
  }
}
