package import FleetModel

/// What to look for, what it is likely to mean and what to do about it.
package struct Rule: Sendable {
  package var id = ""
  package var title = ""
  package var severity = Severity.p3
  /// Shown, never paged.
  package var observe = false
  package var scope = EntityKind.host
  /// Labels that a host must have.
  package var match: [String: String] = [:]
  package var when = Condition.any([])
  /// What ends it; nil = `when` is false for `clearAfterNs`.
  package var until: Condition?
  package var clearAfterNs: Int64 = 0
  package var causes: [String] = []
  package var steps: [String] = []
  package var evidence: [EvidenceRequest] = []
  /// Address of a page; empty = the one generated from the rule.
  package var runbook = ""
  /// Rules (id or prefix such as `EPI-*`) on the same host whose incidents follow from this one's.
  package var mutes: [String] = []
  /// Where it comes from, for the catalogue.
  package var source = ""
  package var file = ""
  package var line = 0
  /// Of all that decides when it fires: a rule whose hash has not changed keeps its state.
  package var definitionHash: UInt64 = 0

  package init() {}

  /// Its incidents say that a host is silent.
  package var watchesHosts: Bool { when.asksForSilentHosts }

  /// The row of the catalogue: `RES-05` of `RES-05-full`.
  package var catalogueRow: String {
    let parts = id.split(separator: "-", omittingEmptySubsequences: false)
    return parts.count > 1 ? parts[0] + "-" + parts[1] : id
  }
}

/// What must hold. Times are ns.
package indirect enum Condition: Sendable {
  case all([Condition], holdNs: Int64)
  case any([Condition], holdNs: Int64)
  case not(Condition, holdNs: Int64)
  case measure(Measurement, Comparison, Holding)
  case absent(RuleMetric, forNs: Int64, of: Wildcard?)
  /// - Parameter intervals: at least so many of the usual intervals between two signs of life; 0 = the time alone.
  case stale(EntityKind, forNs: Int64, intervals: Double)
  case occurrence(Occurrence, count: Int, withinNs: Int64)
  /// Hosts on which another rule is open.
  case hosts(rule: String, above: Double, isShare: Bool)

  static func any(_ conditions: [Condition]) -> Condition { .any(conditions, holdNs: 0) }

  fileprivate var asksForSilentHosts: Bool {
    switch self {
    case .all(let parts, _), .any(let parts, _): parts.contains(where: \.asksForSilentHosts)
    case .stale(let kind, _, _): kind == .host
    default: false
    }
  }
}

/// How long a comparison must hold.
package struct Holding: Sendable, Equatable {
  package var holdNs: Int64 = 0
  /// At least `wanted` of the last `of` samples; 0 = each.
  package var wanted = 0
  package var of = 0

  package init() {}
}

/// The number that is compared.
package struct Measurement: Sendable {
  package enum Kind: Sendable {
    case value
    /// Change per `perNs` over `overNs`.
    case rate(perNs: Int64, overNs: Int64)
    /// Divided by another one of the same thing or of the host.
    case ratio(RuleMetric)
    /// The value in `withinNs` if it goes on as over the last `overNs`.
    case forecast(withinNs: Int64, overNs: Int64)
    /// Divided by the entity's own median.
    case shareOfMedian
  }

  package var metric: RuleMetric
  package var kind: Kind
  /// Names of the things that are meant.
  package var of: Wildcard?
}

/// What is asked of a number.
package enum Comparison: Sendable, Equatable {
  case above(Double)
  case below(Double)
  case outside(Double, Double)
  case equals(Double)
  case changed(Direction)
  case notFinite

  package enum Direction: String, Sendable, CaseIterable { case any, up, down }

  /// - Returns: nil where the number says nothing.
  func holds(_ value: Double) -> Bool? {
    guard !value.isNaN else { return nil }
    switch self {
    case .above(let limit): return value > limit
    case .below(let limit): return value < limit
    case .outside(let low, let high): return value < low || value > high
    case .equals(let wanted): return value == wanted
    case .notFinite: return !value.isFinite
    case .changed: return nil
    }
  }
}

/// Something that happens at one moment.
package enum Occurrence: Sendable {
  case line(LineQuery)
  case event(EventQuery)
  case run(RunState)
  case episode(EpisodeState)
  case probe(name: Wildcard, ProbeState)

  var kind: EntityKind {
    switch self {
    case .line: .file
    case .event: .device
    case .run, .episode: .run
    case .probe: .probe
    }
  }
}

/// Which log lines are meant.
package struct LineQuery: Sendable {
  /// Of the path, or of the name where it has no slash.
  package var file: Wildcard?
  /// At least this level.
  package var level: Level?
  package var text = ""
  package var matches: LinePattern?
  package var mustBeRedacted = false

  package init() {}
}

/// Which events are meant.
package struct EventQuery: Sendable {
  /// nil = any; `loss` stands beside the kinds of events.
  package var kind: EventKind?
  package var isLoss = false
  package var text = ""
  package var matches: LinePattern?
  package var subject: Wildcard?
  /// Xid codes; empty = any.
  package var codes: Set<Int> = []
  package var exceptCodes: Set<Int> = []

  package init() {}
}
