package import FleetModel

/// What a message about an incident is made of.
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
  /// The person who has ended it; nil where the rule did.
  package var resolvedBy: String?
  package var summary = ""
  package var steps: [String] = []
  package var causes: [String] = []
  /// Address of the rule's own page; "" for none.
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

    /// It asks somebody to act.
    package var isPage: Bool { self == .trigger || self == .escalate }
    /// It is about no incident.
    package var isRoutine: Bool { self == .test || self == .watchdog }

    /// What one message with several deliveries is: a page where one of them is.
    package static func ofList(_ events: Set<Event>) -> Event {
      if events.contains(where: \.isPage) { return .trigger }
      return events.contains(.resolve) ? .resolve : .acknowledge
    }
  }

  /// The answer of a delivery that needs no request.
  package static let nothingToSend = "nothing to send: others of its list go on"

  /// Rows of the outbox that it settles.
  package var rows: [Int64]
  package var receiver: String
  package var event: Event
  /// The same on each attempt.
  package var messageID: String
  /// This one included.
  package var attempts: Int
  package var detail: String
  /// Empty for tests and the watchdog; more than one: a message with a list. At most 100, the most urgent first.
  package var incidents: [IncidentRecord]
  /// Also those that the list leaves out.
  package var incidentCount: Int
  /// A message with a list, also where only one entry is left of it.
  package var isList: Bool
  /// News of incidents that were named in this list before.
  package var list: ListNews?
  /// Addresses of a mail that have taken it already.
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

/// How the incidents of a list stand that a receiver was sent before.
package struct ListNews: Sendable, Equatable {
  /// The message id of that list.
  package var id: String
  /// Incidents of the list that are not resolved.
  package var open: Int
  /// Those of them that are not acknowledged.
  package var unacknowledged: Int

  package init(id: String, open: Int, unacknowledged: Int) {
    self.id = id
    self.open = open
    self.unacknowledged = unacknowledged
  }
}

/// What a receiver's answer means.
package enum DeliveryOutcome: Sendable, Equatable {
  case delivered(answer: String)
  /// Another attempt, not before a time, ns since 1970.
  case retry(atNs: Int64, answer: String)
  /// Some addresses of a mail have taken it; another attempt to the others, not before a time.
  case partial(reached: [String], atNs: Int64, answer: String)
  /// The receiver will never take it.
  case refused(answer: String)

  /// The same without the receiver's text.
  package var withoutAnswerText: DeliveryOutcome {
    switch self {
    case .delivered: .delivered(answer: "")
    case .retry(let atNs, _): .retry(atNs: atNs, answer: "")
    case .partial(let reached, let atNs, _): .partial(reached: reached, atNs: atNs, answer: "")
    case .refused: .refused(answer: "")
    }
  }
}
