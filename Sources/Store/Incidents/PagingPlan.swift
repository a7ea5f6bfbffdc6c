package import FleetModel

/// One thing that will have to be told if nobody reacts before.
package struct PlannedDelivery: Sendable, Equatable {
  package var receiver: String
  /// ns since 1970.
  package var dueNs: Int64
  /// 0 is the first page; each later one is an escalation.
  package var step: Int16
  /// Goes out with others of its kind in one message.
  package var isDigest: Bool

  package init(receiver: String, dueNs: Int64, step: Int16 = 0, isDigest: Bool = false) {
    self.receiver = receiver
    self.dueNs = dueNs
    self.step = step
    self.isDigest = isDigest
  }
}

/// Who is told what, and when: the configuration's policies as the store needs them.
package struct PagingPlan: Sendable {
  /// All steps of an incident that begins at a time, ns since 1970. Pure.
  package var deliveries: @Sendable (_ severity: Severity, _ nowNs: Int64) -> [PlannedDelivery]
  /// Told as well where a receiver refuses, or has failed three times.
  package var fallback: String?
  /// Messages to one receiver within a minute; what is more becomes one message with a list.
  package var messagesPerMinute: Int

  package init(
    fallback: String? = nil, messagesPerMinute: Int = 5,
    deliveries: @escaping @Sendable (_ severity: Severity, _ nowNs: Int64) -> [PlannedDelivery]
  ) {
    self.deliveries = deliveries
    self.fallback = fallback
    self.messagesPerMinute = messagesPerMinute
  }

  /// Incidents are kept and shown, nobody is told.
  package static let none = PagingPlan { _, _ in [] }
}

/// What became of a list of changes.
package struct AppliedChanges: Sendable, Equatable {
  /// New incidents.
  package var opened = 0
  /// The same condition again, soon after it was resolved.
  package var reopened = 0
  package var resolved = 0
  /// Known already, or older than what is known.
  package var ignored = 0

  package init() {}
}

/// How incidents behave in time, and why.
package enum IncidentLimits {
  /// The same condition again within this is the same incident.
  package static let reopenNs: Int64 = 600_000_000_000
  /// From so many returns on an incident flaps: one page says so, and it is resolved only when it stays quiet.
  static let flapsMax: Int64 = 3
  /// A flapping incident that has been quiet for so long is over.
  static let quietNs: Int64 = 600_000_000_000
  /// What an incident mutes stays muted so long after its end: its consequences end a little later than it does.
  package static let muteTailNs: Int64 = 60_000_000_000
  /// The same rule on half of the live hosts within this is one incident.
  static let spreadNs: Int64 = 300_000_000_000
  /// Below so many hosts, half of them is a coincidence.
  static let spreadHostsMin: Int64 = 3
  /// Members that the common incident names.
  static let spreadNamesMax = 20
  /// Changes of one transaction: the first page of a storm must not wait for its last incident.
  package static let changesMax = 250
  /// A page that went out without the database is answered within this, s.
  static let localAnswerSeconds: Int64 = 20
  /// An incident that is noted late, because the database was away, escalates from when it was noticed; at most so long ago.
  static let lateMaxNs: Int64 = 86_400_000_000_000
  /// Messages that one receiver may have unanswered: one that hangs must not hold up the next incident's.
  static let inFlightMax = 8
  /// Above the limit of messages a minute, what waits goes out as one list, so long after the last one.
  package static let bundleNs: Int64 = 25_000_000_000
  /// Incidents that one message with a list names; it always tells how many there are.
  static let bundleNamesMax = 100
  /// What a claimed delivery waits for its answer before anybody tries again, s.
  package static let claimSeconds: Int64 = 60
  /// How far the clocks of the command line's host and of the collector's may be apart, where an end by hand is compared with when
  /// a state was kept.
  static let clocksApartNs: Int64 = 600_000_000_000
  /// Of texts in a timeline, bytes.
  static let detailCharactersMax = 1000
}
