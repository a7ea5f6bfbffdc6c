package import FleetModel

/// What an incident is, as far as it decides whether it is muted.
package struct MuteSubject: Sendable {
  package var rule: String
  package var host: Int32?
  package var hostName: String
  package var entity: String
  package var severity: Severity

  package init(_ change: IncidentChange) {
    rule = change.rule
    host = change.hostNumber
    hostName = change.hostName
    entity = change.entity
    severity = change.severity
  }
}

/// An incident whose rule mutes others on its host.
package struct MuteCause: Sendable, Equatable {
  package var rule: String
  /// Patterns as `StarPattern`.
  package var mutes: [String]
  /// nil while it goes on; ns since 1970.
  package var endedNs: Int64?

  package init(rule: String, mutes: [String], endedNs: Int64? = nil) {
    self.rule = rule
    self.mutes = mutes
    self.endedNs = endedNs
  }

  /// Whether an incident on the same host follows from it. None follows from its own rule.
  package func mutes(_ rule: String, nowNs: Int64) -> Bool {
    guard rule != self.rule, mutes.contains(where: { StarPattern.matches(rule, $0) }) else { return false }
    // What follows from it ends a little later than it does.
    return endedNs.map { nowNs.subtractingClamped($0) < IncidentLimits.muteTailNs } ?? true
  }
}

/// What mutes incidents that are paged from memory. Pure: time is a parameter.
///
/// `Store.muteReasonSQL` is the same over rows, with the incidents of many hosts, which only the database knows.
package struct Muting: Sendable {
  private var silences: [Silence]
  private var causes: [Int32: [MuteCause]] = [:]

  package init(silences: [Silence]) { self.silences = silences }

  package mutating func add(_ cause: MuteCause, on host: Int32) { causes[host, default: []].append(cause) }

  package func mutes(_ subject: MuteSubject, nowNs: Int64) -> Bool {
    silences.contains { $0.matches(subject, nowNs: nowNs) }
      || subject.host.flatMap { causes[$0] }?.contains { $0.mutes(subject.rule, nowNs: nowNs) } ?? false
  }
}
