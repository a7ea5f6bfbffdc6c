/// Times and counts of the life of an incident and of its pages.
package enum IncidentLimits {
  /// A condition that begins again within this after its end reopens its incident.
  package static let reopenNs: Int64 = 600_000_000_000
  /// After so many reopenings an incident is flapping: one page reports that, and it is resolved only after `quietNs`.
  package static let flapsMax: Int64 = 3
  /// A flapping incident is resolved when its condition has not returned for so long.
  package static let quietNs: Int64 = 600_000_000_000
  /// An incident mutes others for so long after its end, because its consequences end later than it does.
  package static let muteTailNs: Int64 = 60_000_000_000
  /// One that mutes everything says that nothing is known of its host. It ends with a report of the host, and what that shows is judged with it: only the
  /// rest of what the host had kept may come later.
  package static let muteAllTailNs: Int64 = 10_000_000_000
  /// Incidents of one rule on half of the live hosts within this are gathered into one.
  package static let spreadNs: Int64 = 300_000_000_000
  /// Fewer hosts are not gathered: half of them may coincide by chance.
  package static let spreadHostsMin: Int64 = 3
  /// Members that the summary of a gathered incident names.
  package static let spreadNamesMax = 20
  /// Changes a transaction: in a storm, pages of the first changes are sent while later ones are still written.
  package static let changesMax = 250
  /// Longest time from a page sent from memory to its answer, s; its row is reserved for so long.
  package static let localAnswerSeconds: Int64 = 20
  /// Escalations count from when a change was detected, also where the database was away then; from so long ago at
  /// most.
  package static let lateMaxNs: Int64 = 86_400_000_000_000
  /// Messages to one receiver without an answer at a time: one that hangs must not delay the next one.
  package static let inFlightMax = 8
  /// Above the limit of messages a minute, waiting deliveries are sent as one list, so long after the last message.
  package static let bundleNs: Int64 = 25_000_000_000
  /// Incidents that one list names; it always holds the count of all.
  package static let bundleNamesMax = 100
  /// A claim without an answer is free for the next attempt after this, s.
  package static let claimSeconds: Int64 = 60
  /// Largest difference of the clocks of the command line's host and of a collector: an end by hand is compared with
  /// the time at which a rule state was saved.
  package static let clocksApartNs: Int64 = 600_000_000_000
  /// Longest text in a timeline, Unicode scalars.
  package static let detailCharactersMax = 1000
}
