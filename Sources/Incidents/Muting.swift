package import FleetModel

/// Why nobody is paged of an incident.
package enum MuteReason: Sendable, Equatable {
  case silence(number: Int64?, author: String, reason: String)
  /// It follows from an incident on the same host; 0 for one that has no number yet.
  case sameHost(number: Int64, rule: String)
  /// The same rule on many hosts is one incident, which pages.
  case manyHosts(number: Int64)

  /// As `incidents show` has it.
  package var text: String {
    switch self {
    case .silence(let number, let author, let reason):
      "silence\(number.map { " #\($0)" } ?? "") by \(author): \(reason)"
    case .sameHost(let number, let rule): "incident #\(number) \(rule) on the same host"
    case .manyHosts(let number): "incident #\(number), the same on many hosts"
    }
  }
}

/// What an incident is, as far as it decides whether it is muted.
package struct MuteSubject: Sendable {
  package var rule: String
  package var host: Int32?
  package var hostName: String
  package var entity: String
  package var severity: Severity

  package init(rule: String, host: Int32?, hostName: String, entity: String, severity: Severity) {
    self.rule = rule
    self.host = host
    self.hostName = hostName
    self.entity = entity
    self.severity = severity
  }

  package init(_ change: IncidentChange) {
    self.init(
      rule: change.rule, host: change.hostNumber, hostName: change.hostName, entity: change.entity,
      severity: change.severity)
  }
}

/// An incident whose rule mutes others on its host.
package struct MuteCause: Sendable, Equatable {
  /// 0 where it has none yet.
  package var number: Int64
  package var rule: String
  /// Patterns as `StarPattern`.
  package var mutes: [String]
  /// nil while it goes on; ns since 1970.
  package var endedNs: Int64?

  package init(number: Int64, rule: String, mutes: [String], endedNs: Int64? = nil) {
    self.number = number
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

/// Decides that nobody is paged of an incident: the one place for it, asked by the database's side, by whoever pages from memory, and by
/// replay. Pure: time is a parameter.
package struct Muting: Sendable {
  /// With the numbers of those that have one.
  package var silences: [(number: Int64?, silence: Silence)]
  /// By host, in the order of their numbers.
  package var causes: [Int32: [MuteCause]]
  /// Incidents that stand for many hosts, by rule.
  package var spread: [String: Int64]

  package init(
    silences: [(number: Int64?, silence: Silence)] = [], causes: [Int32: [MuteCause]] = [:],
    spread: [String: Int64] = [:]
  ) {
    self.silences = silences
    self.causes = causes
    self.spread = spread
  }

  /// - Returns: nil where somebody is to be paged.
  package func reason(for subject: MuteSubject, nowNs: Int64) -> MuteReason? {
    if let silence = silence(over: subject, nowNs: nowNs) { return silence }
    guard let host = subject.host else { return nil }
    if let cause = causes[host]?.first(where: { $0.mutes(subject.rule, nowNs: nowNs) }) {
      return .sameHost(number: cause.number, rule: cause.rule)
    }
    return spread[subject.rule].map { .manyHosts(number: $0) }
  }

  /// The silence that holds longest of those over an incident.
  package func silence(over subject: MuteSubject, nowNs: Int64) -> MuteReason? {
    silences.filter { $0.silence.matches(subject, nowNs: nowNs) }.max { $0.silence.endsNs < $1.silence.endsNs }.map {
      .silence(number: $0.number, author: $0.silence.author, reason: $0.silence.reason)
    }
  }

  package mutating func add(_ cause: MuteCause, on host: Int32) { causes[host, default: []].append(cause) }

  /// - Parameter ns: nil where it goes on again.
  package mutating func setEnd(_ ns: Int64?, of number: Int64, on host: Int32) {
    guard let index = causes[host]?.firstIndex(where: { $0.number == number }) else { return }
    causes[host]?[index].endedNs = ns
  }
}
