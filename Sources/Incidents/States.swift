/// States of an incident. The raw values are stored and printed.
package enum IncidentState: String, Sendable, CaseIterable {
  case open
  /// Acknowledged by a person: no further escalation.
  case acked
  case resolved
  /// Open and not paged: silenced, the consequence of another incident, or part of one on many hosts.
  case muted
}

/// States of a delivery. The raw values are stored and printed.
package enum DeliveryState: String, Sendable, CaseIterable {
  /// Not accepted by its receiver yet, whether or not an attempt was made.
  case waiting
  case delivered
  /// No longer needed before its receiver accepted it. An attempt without an answer may have been received.
  case cancelled
  /// Something newer about its incident was delivered to the same receiver first.
  case superseded
  /// The receiver rejected it for good.
  case refused

  /// Whether the receiver may have the message.
  ///
  /// - Parameter attempts: attempts begun.
  package func mayHaveBeenReceived(attempts: Int) -> Bool { receivedFromAttempts.map { attempts >= $0 } ?? false }

  /// The number of attempts from which on the receiver may have the message; nil: it does not have it. An attempt
  /// without an answer may have been received. A refusal is an answer, so that of a refused delivery only an earlier
  /// attempt may have been.
  package var receivedFromAttempts: Int? {
    switch self {
    case .delivered: 0
    case .waiting, .cancelled: 1
    case .refused: 2
    case .superseded: nil
    }
  }
}

/// States of a silence. The raw values are printed.
package enum SilenceState: String, Sendable, CaseIterable {
  /// Its window has not begun.
  case ahead
  case active
  case ended
}

/// Kinds of entries in an incident's timeline. The raw values are stored and printed.
package enum TimelineKind: String, Sendable, CaseIterable {
  case opened, reopened, flapping, muted, unmuted, acked, unacked, resolved, note, paged, escalated
  /// An acknowledgement or an end was delivered.
  case newsDelivered = "told"
  case pageRefused = "page refused"
  /// An acknowledgement or an end was refused: the receiver's alert may stay as it was.
  case newsRefused = "news refused"
}

/// Who ended an incident.
package enum Ending: Sendable, Equatable {
  case byRule
  case byPerson(String)

  /// Stored in `resolved_by` where the rule ended it.
  package static let rule = "rule"

  /// As stored in `resolved_by`. A person of the name `rule` is stored under another one: an end by a person arms the
  /// rule again, an end by the rule does not.
  package var word: String {
    switch self {
    case .byRule: Self.rule
    case .byPerson(let name): name == Self.rule ? "\(name) (a person)" : name
    }
  }
}
