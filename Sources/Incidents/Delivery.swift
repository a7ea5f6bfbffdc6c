package import FleetModel

/// An incident as a message shows it.
package struct IncidentRecord: Sendable, Equatable {
  package var number: Int64
  package var rule: String
  package var title = ""
  package var severity: Severity
  package var state = IncidentState.open
  package var hostName = ""
  package var entity = ""
  package var dedupKey: String
  package var openedNs: Int64
  package var resolvedNs: Int64?
  package var ackedBy: String?
  /// The person who ended it; nil where the rule did.
  package var resolvedBy: String?
  package var summary = ""
  package var steps: [String] = []
  package var causes: [String] = []
  /// Address of the rule's runbook; "" for none.
  package var runbook = ""
  package var evidence: [String] = []

  package init(number: Int64, rule: String, severity: Severity, dedupKey: String, openedNs: Int64) {
    self.number = number
    self.rule = rule
    self.severity = severity
    self.dedupKey = dedupKey
    self.openedNs = openedNs
  }
}

/// One message for one receiver.
package struct Delivery: Sendable, Equatable {
  package enum Event: String, Sendable, CaseIterable {
    case trigger, acknowledge, escalate, resolve, test, watchdog

    /// It asks a person to act.
    package var isPage: Bool { self == .trigger || self == .escalate }
    /// It belongs to no incident.
    package var isRoutine: Bool { self == .test || self == .watchdog }

    /// The event of one message with several deliveries: a page where one of them is a page.
    package static func ofList(_ events: Set<Event>) -> Event {
      if events == [.escalate] { return .escalate }
      if events.contains(where: \.isPage) { return .trigger }
      return events.contains(.resolve) ? .resolve : .acknowledge
    }
  }

  /// The answer recorded for a delivery that needs no request, because the alert of its list stays open.
  package static let nothingToSend = "nothing to send: others of its list go on"

  /// Numbers of the outbox rows that its outcome settles.
  package var rows: [Int64]
  package var receiver: String
  package var event: Event
  /// The same in every attempt.
  package var messageID: String
  /// Attempts so far, this one included.
  package var attempts: Int
  /// Why the message is sent now, where that does not follow from its event; of a list, only what holds for all of it.
  /// For a test, who sent it.
  package var detail: String
  /// Empty for tests and the watchdog; more than one for a list. At most `IncidentLimits.bundleNamesMax`, the most
  /// urgent first.
  package var incidents: [IncidentRecord]
  /// All incidents of the message, with those beyond `bundleNamesMax`, which `incidents` omits.
  package var incidentCount: Int
  /// It is a list, also where only one incident of it is left.
  package var isList: Bool
  /// The list that paged these incidents before, where this is news of it.
  package var list: ListNews?
  /// Addresses of a mail that accepted an earlier attempt.
  package var reached: [String] = []

  package init(
    rows: [Int64], receiver: String, event: Event, messageID: String, attempts: Int, detail: String,
    incidents: [IncidentRecord], incidentCount: Int, isList: Bool
  ) {
    self.rows = rows
    self.receiver = receiver
    self.event = event
    self.messageID = messageID
    self.attempts = attempts
    self.detail = detail
    self.incidents = incidents
    self.incidentCount = incidentCount
    self.isList = isList
  }
}

// MARK: Why a page is sent now

extension Delivery {
  /// `detail` of the one page of an incident that comes back again and again.
  package static let flapping = "flapping"

  private static let mutedStart = "was muted until "
  private static let mutedScalarsMax = 300

  /// `detail` of the pages of an incident that was muted and no longer is: without it the page looks like news of
  /// what may have begun hours ago.
  /// - Parameters:
  ///   - untilNs: ns since 1970.
  ///   - reason: `MuteReason.text`, as stored; a person wrote a part of it.
  package static func wasMuted(untilNs: Int64, by reason: String) -> String {
    let text = mutedStart + Timestamp.text(untilNs, digits: 0) + (reason.isEmpty ? "" : " by \(reason)")
    return PlainText.cut(PlainText.line(text), scalarsMax: mutedScalarsMax)
  }

  /// Whether it is a page of what was muted before; `detail` says until when, and by what.
  package var wasMuted: Bool { event.isPage && detail.hasPrefix(Self.mutedStart) }
}

/// States of the incidents of a list that was sent to the receiver before.
package struct ListNews: Sendable, Equatable {
  /// The message id of that list.
  package var id: String
  /// Incidents of the list that are not resolved.
  package var open: Int
  /// Of the open ones, those that are not acknowledged.
  package var unacknowledged: Int

  package init(id: String, open: Int, unacknowledged: Int) {
    self.id = id
    self.open = open
    self.unacknowledged = unacknowledged
  }
}

/// How an attempt ended.
package enum DeliveryOutcome: Sendable, Equatable {
  case delivered(answer: String)
  /// To be tried again, not before `atNs`, ns since 1970.
  case retry(atNs: Int64, answer: String)
  /// Some addresses of a mail accepted it; the others are tried again, not before `atNs`, ns since 1970.
  case partial(reached: [String], atNs: Int64, answer: String)
  /// Rejected for good: not tried again.
  case refused(answer: String)

  /// The same outcome without the receiver's text, which the database may refuse to store.
  package var withoutAnswerText: DeliveryOutcome {
    switch self {
    case .delivered: .delivered(answer: "")
    case .retry(let atNs, _): .retry(atNs: atNs, answer: "")
    case .partial(let reached, let atNs, _): .partial(reached: reached, atNs: atNs, answer: "")
    case .refused: .refused(answer: "")
    }
  }
}
