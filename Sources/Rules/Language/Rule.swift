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
  /// What has to be configured before it can fire; empty = nothing.
  package var needs = ""
  package var causes: [String] = []
  package var steps: [String] = []
  package var evidence: [EvidenceRequest] = []
  /// Address of a page; empty = the one generated from the rule.
  package var runbook = ""
  /// Rules (id or prefix such as `EPI-*`) on the same host whose incidents follow from this one's.
  package var mutes: [String] = []
  /// Its conditions as YAML, for people.
  package var definition = ""
  /// Where it comes from, for the catalogue.
  package var source = ""
  package var file = ""
  package var line = 0
  /// Of all that decides when it fires: a rule whose hash has not changed keeps its state.
  package var definitionHash: UInt64 = 0

  package init() {}

  /// Its incidents report that a host is silent.
  package var watchesHosts: Bool { when.asksForSilentHosts }

  /// The row of the catalogue: `RES-05` of `RES-05-full`.
  package var catalogueRow: String {
    let parts = id.split(separator: "-", omittingEmptySubsequences: false)
    return parts.count > 1 ? parts[0] + "-" + parts[1] : id
  }
}

/// What must hold. Times are ns.
package indirect enum Condition: Sendable {
  /// - Parameter inOrder: what happened last of each must have happened in the order of the list.
  case all([Condition], holdNs: Int64, inOrder: Bool)
  case any([Condition], holdNs: Int64)
  case not(Condition, holdNs: Int64)
  case measure(Measurement, Comparison, Holding)
  case absent(RuleMetric, forNs: Int64, of: Wildcard?)
  case stale(Staleness)
  /// Runs that made steps, or processes that were there, at the host's last report.
  case live(EntityKind, withinNs: Int64)
  /// A rank of a run, on this or another host, whose steps take more than `factor` times as long as those of the others, or that lies further
  /// behind them than `behindNs`.
  case straggler(factor: Double, behindNs: Int64, holdNs: Int64)
  /// Another rule is open on the same host.
  case open(rule: String)
  case occurrence(Occurrence, Counting)
  /// Hosts on which another rule is open.
  case hosts(rule: String, HostShare)

  static func any(_ conditions: [Condition]) -> Condition { .any(conditions, holdNs: 0) }

  fileprivate var asksForSilentHosts: Bool {
    switch self {
    case .all(let parts, _, _), .any(let parts, _): parts.contains(where: \.asksForSilentHosts)
    case .stale(let staleness): staleness.kind == .host
    default: false
    }
  }
}

/// How many hosts are many.
package struct HostShare: Sendable, Equatable {
  package var limit = 0.0
  /// The limit itself is enough.
  package var includesLimit = false
  package var isShare = false
  /// Of the hosts with a live run, not of all.
  package var isOfLive = false

  package init() {}
}

/// What gives no sign of life.
package struct Staleness: Sendable, Equatable {
  package enum Phase: String, Sendable, CaseIterable {
    case any
    /// A run whose start was reported and that has made no step.
    case starting
    /// A run that reported itself as running, not one that is known from its files.
    case declared
    /// A run whose episode under way does not end.
    case episode
  }

  package var kind = EntityKind.host
  package var forNs: Int64 = 0
  /// At least so many of the usual intervals between two signs of life (of an episode: usual lengths); 0 = the time alone.
  package var intervals = 0.0
  package var phase = Phase.any

  package init() {}
}

/// How often something must happen.
package struct Counting: Sendable {
  package var count = 1
  package var withinNs: Int64 = 0
  /// What comes sooner after the last one that was counted is the same.
  package var apartNs: Int64 = 0
  /// Of one boot of the host, one counts.
  package var isApartByBoot = false
  /// Lines of which the counted ones are a share.
  package var among: LineQuery?
  /// More than this share of them.
  package var share = 0.0
  /// More often than so many times…
  package var timesUsual = 0.0
  /// …the rate over this time.
  package var usualNs: Int64 = 0
  /// Came before, and has not come for so long; 0 = that is not asked.
  package var missingNs: Int64 = 0
  /// Takes it back where its file goes on with a line of level info so long after it; 0 = nothing does.
  package var goesOnNs: Int64 = 0
  /// And for so many of its usual intervals.
  package var intervals = 0.0

  package init() {}
}

/// How long a comparison must hold.
package struct Holding: Sendable, Equatable {
  package var holdNs: Int64 = 0
  /// At least `wanted` of the last `of` samples; 0 = each.
  package var wanted = 0
  package var of = 0
  /// All samples of this time are one; 0 = each counts.
  package var everyNs: Int64 = 0
  /// It must come true so often…
  package var count = 0
  /// …within this time.
  package var withinNs: Int64 = 0

  package init() {}
}

/// What a number is compared with, of its own past.
package enum Baseline: UInt8, Sendable {
  case median
  /// Weighted mean of about its last values.
  case mean
  /// The largest of its last values.
  case maximum
  /// The largest of its first values.
  case start
  /// The largest positive one so far.
  case best
  /// The largest of the same kind of entity on the host, now.
  case peers
  /// How many standard deviations from that mean.
  case deviation
  /// How many samples since a new lowest or highest value.
  case sinceLow, sinceHigh
}

/// The number that is compared.
package struct Measurement: Sendable {
  package enum Kind: Sendable {
    case value
    /// Change per `perNs` over `overNs`.
    case rate(perNs: Int64, overNs: Int64)
    /// Divided by another one of the same entity.
    case ratio(RuleMetric)
    /// The value in `withinNs` if it goes on as over the last `overNs`.
    case forecast(withinNs: Int64, overNs: Int64)
    /// Divided by a number of its own past, or held against it.
    case against(Baseline, last: Int)
  }

  package var metric: RuleMetric
  package var kind: Kind
  /// Names of the entities that are meant.
  package var of: Wildcard?
  /// Weighted mean of about so many samples instead of the value; 0 = the value.
  package var average = 0
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

  /// - Returns: nil where the number decides nothing.
  func holds(_ value: Double) -> Bool? {
    if self == .notFinite { return value.isInfinite || value.isWrittenNaN ? true : value.isNaN ? nil : false }
    guard !value.isNaN else { return nil }
    switch self {
    case .above(let limit): return value > limit
    case .below(let limit): return value < limit
    case .outside(let low, let high): return value < low || value > high
    case .equals(let wanted): return value == wanted
    case .notFinite, .changed: return nil
    }
  }
}

/// Something that happens at one moment.
package enum Occurrence: Sendable {
  case line(LineQuery)
  case event(EventQuery)
  case run(RunMoment)
  case episode(EpisodeMoment)
  case probe(name: Wildcard, ProbeState)
  /// A failure that the engine has put down to a class.
  case failure(FailureQuery)

  var kind: EntityKind {
    switch self {
    case .line, .failure: .file
    case .event: .device
    case .run, .episode: .run
    case .probe: .probe
    }
  }
}

/// What can happen to a run.
package enum RunMoment: String, Sendable, CaseIterable {
  // As reported.
  case unknown, running, completed, failed
  /// Began after one of the same name, its numbers aside, had failed or had ended without a step.
  case restarted
  /// Ended, or began again, without a step.
  case fruitless
  /// Made its first step.
  case progressed
}

/// What can happen to an episode.
package enum EpisodeMoment: String, Sendable, CaseIterable {
  case running, completed
  case forceClosed = "force_closed"
  /// Completed with steps and without any result.
  case hollow
  /// Its number was left out.
  case missing
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

extension Double {
  /// NaN that the program wrote; any other one means that there is no figure.
  static let writtenNaN = Double(nan: 1, signaling: false)
  var isWrittenNaN: Bool { bitPattern == Self.writtenNaN.bitPattern }
}
