package import FleetModel

/// Why an incident pages no one.
package enum MuteReason: Sendable, Equatable {
  /// - Parameter number: nil where the silence has none yet.
  case silence(number: Int64?, author: String, reason: String)
  /// An incident on the same host mutes its rule; nil while that incident has no number.
  case sameHost(number: Int64?, rule: String)
  /// It is part of an incident on many hosts, which pages for it.
  case manyHosts(number: Int64)

  /// As stored in the column `muted_by` and the timeline, and printed.
  package var text: String {
    switch self {
    case .silence(let number, let author, let reason): "silence\(Self.mark(number)) by \(author): \(reason)"
    case .sameHost(let number, let rule): "incident\(Self.mark(number)) \(rule) on the same host"
    case .manyHosts(let number): "incident\(Self.mark(number)), the same on many hosts"
    }
  }

  private static func mark(_ number: Int64?) -> String { number.map { " #\($0)" } ?? "" }
}

/// The properties of an incident that silences and causes are matched against.
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
  /// nil until the incident is stored.
  package var number: Int64?
  /// `IncidentChange.identity`.
  package var identity: String
  package var rule: String
  /// Patterns of rules that it mutes, as `StarPattern`.
  package var mutes: [String]
  /// When it ended, ns since 1970; nil while it is open.
  package var endedNs: Int64?

  package init(number: Int64? = nil, identity: String, rule: String, mutes: [String], endedNs: Int64? = nil) {
    self.number = number
    self.identity = identity
    self.rule = rule
    self.mutes = mutes
    self.endedNs = endedNs
  }

  /// nil for a change that mutes nothing: an end, an observed one, one without a host.
  package init?(_ change: IncidentChange, number: Int64? = nil) {
    guard change.kind == .opened, !change.isObserved, !change.mutes.isEmpty, change.hostNumber != nil else {
      return nil
    }
    self.init(number: number, identity: change.identity, rule: change.rule, mutes: change.mutes)
  }

  /// Whether it mutes an incident of a rule on the same host. No incident mutes one of its own rule.
  package func mutes(_ rule: String, nowNs: Int64) -> Bool {
    guard rule != self.rule, mutes.contains(where: { StarPattern.matches(rule, $0) }) else { return false }
    // Consequences end later than their cause.
    return endedNs.map { nowNs.subtractingClamped($0) < tailNs } ?? true
  }

  private var tailNs: Int64 {
    mutes.contains("*") ? IncidentLimits.muteAllTailNs : IncidentLimits.muteTailNs
  }

  /// When it stops muting, ns since 1970; nil while it is open.
  fileprivate var mutesUntilNs: Int64? { endedNs.map { $0.addingClamped(tailNs) } }

  package var reason: MuteReason { .sameHost(number: number, rule: rule) }

  fileprivate func ended(_ atNs: Int64) -> MuteCause {
    var cause = self
    cause.endedNs = endedNs ?? atNs
    return cause
  }
}

/// Decides whether an incident is muted. The only implementation: the store, `Handover` and replay all ask it. Pure:
/// time is a parameter.
package struct Muting: Sendable, Equatable {
  package var silences: [Silence]
  /// Numbers of the incidents on many hosts, by rule.
  package var spreads: [String: Int64]
  /// By host, ordered by number; those without a number last.
  private var causes: [Int32: [MuteCause]] = [:]

  package init(silences: [Silence] = [], spreads: [String: Int64] = [:]) {
    self.silences = silences
    self.spreads = spreads
  }

  /// - Returns: nil where it is not muted. A silence takes precedence over a cause on the same host, of which the one
  ///   with the lowest number counts, and that over an incident on many hosts.
  package func reason(for subject: MuteSubject, nowNs: Int64) -> MuteReason? {
    if let silence = silence(over: subject, nowNs: nowNs) { return silence }
    guard let host = subject.host else { return nil }
    if let cause = causes[host]?.first(where: { $0.mutes(subject.rule, nowNs: nowNs) }) { return cause.reason }
    return spreads[subject.rule].map { .manyHosts(number: $0) }
  }

  /// Of the silences that match an incident, the one that ends last.
  package func silence(over subject: MuteSubject, nowNs: Int64) -> MuteReason? {
    var longest: Silence?
    for silence in silences where silence.matches(subject, nowNs: nowNs) && silence.endsNs > longest?.endsNs ?? .min {
      longest = silence
    }
    return longest.map { .silence(number: $0.number, author: $0.author, reason: $0.reason) }
  }

  /// When the next of the causes that have ended stops muting; nil where none has.
  package func nextEndNs(after nowNs: Int64) -> Int64? {
    causes.values.joined().compactMap(\.mutesUntilNs).filter { $0 > nowNs }.min()
  }

  /// Inserts a cause in the order of numbers.
  package mutating func add(_ cause: MuteCause, on host: Int32) {
    let known = causes[host] ?? []
    let index = known.firstIndex { $0.number ?? .max > cause.number ?? .max } ?? known.count
    causes[host, default: []].insert(cause, at: index)
  }

  /// Removes a cause that is reopened; `add` inserts it again.
  package mutating func remove(_ number: Int64, on host: Int32) { causes[host]?.removeAll { $0.number == number } }

  /// - Parameter atNs: ns since 1970. A cause that had ended keeps its time.
  package mutating func end(identity: String, on host: Int32, atNs: Int64) {
    causes[host] = causes[host]?.map { $0.identity == identity ? $0.ended(atNs) : $0 }
  }

  /// - Parameter numbers: of causes and of incidents on many hosts; the latter mute nothing after their end.
  package mutating func end(_ numbers: [Int64], atNs: Int64) {
    if numbers.isEmpty { return }
    spreads = spreads.filter { !numbers.contains($0.value) }
    causes = causes.mapValues { causes in
      causes.map { cause in cause.number.map(numbers.contains) == true ? cause.ended(atNs) : cause }
    }
  }
}
