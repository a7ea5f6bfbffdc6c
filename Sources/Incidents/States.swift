/// Where an incident stands. The raw values are the database's and those of every output.
package enum IncidentState: String, Sendable, CaseIterable {
  case open
  /// A person has acknowledged it: it escalates no further.
  case acked
  case resolved
  /// It goes on and is not paged: silenced, or the consequence of another incident.
  case muted
}

/// Where one delivery of the outbox stands. The raw values are the database's and those of every output.
package enum DeliveryState: String, Sendable, CaseIterable {
  /// Not confirmed by its receiver yet, whether or not an attempt was made.
  case waiting
  case delivered
  /// It was not needed any more before it was confirmed. An attempt that got no answer may have been received.
  case cancelled
  /// Something newer about its incident was delivered first.
  case superseded
  /// The receiver answered that it will never take it.
  case refused

  /// Whether the receiver has the message, as far as anybody can know.
  ///
  /// - Parameter attempts: that were begun.
  package func mayHaveBeenReceived(attempts: Int) -> Bool { receivedFromAttempts.map { attempts >= $0 } ?? false }

  /// From how many attempts on the receiver may have the message; nil: it does not have it. An attempt without an answer may have been
  /// received; a refusal is an answer, so of a refused delivery only an earlier attempt may.
  package var receivedFromAttempts: Int? {
    switch self {
    case .delivered: 0
    case .waiting, .cancelled: 1
    case .refused: 2
    case .superseded: nil
    }
  }
}

/// Whether a silence mutes now. The raw values are those of every output.
package enum SilenceState: String, Sendable, CaseIterable {
  /// Its window has not begun.
  case ahead
  case active
  case ended
}

/// What happened to an incident, as its timeline has it. The raw values are the database's and those of every output.
package enum TimelineKind: String, Sendable, CaseIterable {
  case opened, reopened, flapping, muted, unmuted, acked, resolved, note, paged, escalated
  /// An acknowledgement or an end was delivered.
  case newsDelivered = "told"
  case pageRefused = "page refused"
}

/// Who has ended an incident.
package enum Ending: Sendable, Equatable {
  case byRule
  case byPerson(String)

  /// What stands in the column for the rule.
  package static let rule = "rule"

  /// As the database has it: a person who is called as the rule is must not be taken for it, whose ends arm no rule again.
  package var word: String {
    switch self {
    case .byRule: Self.rule
    case .byPerson(let name): name == Self.rule ? "\(name) (a person)" : name
    }
  }
}
