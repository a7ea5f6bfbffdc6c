/// How incidents behave in time, and why.
package enum IncidentLimits {
  /// The same condition again within this is the same incident.
  package static let reopenNs: Int64 = 600_000_000_000
  /// From so many returns on an incident flaps: one page says so, and it is resolved only when it stays quiet.
  package static let flapsMax: Int64 = 3
  /// A flapping incident that has been quiet for so long is over.
  package static let quietNs: Int64 = 600_000_000_000
  /// What an incident mutes stays muted so long after its end: its consequences end a little later than it does.
  package static let muteTailNs: Int64 = 60_000_000_000
  /// The same rule on half of the live hosts within this is one incident.
  package static let spreadNs: Int64 = 300_000_000_000
  /// Below so many hosts, half of them is a coincidence.
  package static let spreadHostsMin: Int64 = 3
  /// Members that the common incident names.
  package static let spreadNamesMax = 20
  /// Changes of one transaction: the first page of a storm must not wait for its last incident.
  package static let changesMax = 250
  /// A page that went out without the database is answered within this, s.
  package static let localAnswerSeconds: Int64 = 20
  /// An incident that is noted late, because the database was away, escalates from when it was noticed; at most so long ago.
  package static let lateMaxNs: Int64 = 86_400_000_000_000
  /// Messages that one receiver may have unanswered: one that hangs must not hold up the next incident's.
  package static let inFlightMax = 8
  /// Above the limit of messages a minute, what waits goes out as one list, so long after the last one.
  package static let bundleNs: Int64 = 25_000_000_000
  /// Incidents that one message with a list names; it always tells how many there are.
  package static let bundleNamesMax = 100
  /// What a claimed delivery waits for its answer before anybody tries again, s.
  package static let claimSeconds: Int64 = 60
  /// How far the clocks of the command line's host and of the collector's may be apart, where an end by hand is compared with when
  /// a state was kept.
  package static let clocksApartNs: Int64 = 600_000_000_000
  /// Of texts in a timeline, bytes.
  package static let detailCharactersMax = 1000
}
