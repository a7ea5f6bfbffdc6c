internal import FleetModel

/// One condition of a rule in a flat, plain form: no reference is counted while it is evaluated.
struct CompiledNode {
  enum Operation: UInt8 { case all, any, not, measure, absent, stale, occurrence, hosts, live, open, straggler }
  enum Measure: UInt8 { case value, rate, ratio, forecast, against }

  var operation: Operation
  /// Indexes in `CompiledRule.children`.
  var children = 0..<0
  /// Of what it is true or false; that of the rule's scope for groups.
  var kind = EntityKind.host
  var family = MetricFamily.host
  var measure = Measure.value
  var baseline = Baseline.median
  var phase = Staleness.Phase.any
  /// Indexes in the values of one report.
  var value = 0
  var second = 0
  var comparison = Comparison.notFinite
  var holdNs: Int64 = 0
  var wanted = 0
  var of = 0
  /// Samples: of this time they are one.
  var everyNs: Int64 = 0
  /// Samples that a baseline, and an average, are made of.
  var last = 0
  var average = 0
  /// Rate and forecast: over; occurrence and counted comparison: within; absent, stale, live: for; straggler: behind.
  var windowNs: Int64 = 0
  /// Rate: per; forecast: within; occurrence: the usual rate's time.
  var perNs: Int64 = 0
  /// Occurrence and counted comparison: count; stale: intervals; hosts: limit.
  var amount = 0.0
  /// Occurrence: share of the lines among which it is, or times the usual rate; straggler: share of the others' step time.
  var limit = 0.0
  var apartNs: Int64 = 0
  var missingNs: Int64 = 0
  var goesOnNs: Int64 = 0
  var isApartByBoot = false
  var isAmong = false
  var isShare = false
  var includesLimit = false
  var isOfLive = false
  var isInOrder = false
  var isCounted = false
  /// Within a not: there, nothing known is something else than no.
  var isNegated = false
  var isCounter = false
  var hasFilter = false

  /// A comparison that needs nothing but the report; where it does not hold, samples are not remembered either.
  var isStateless: Bool {
    operation == .measure && !isCounted && average == 0
      && (measure == .value && comparison.isStateless || measure == .against && baseline == .peers)
  }

  /// Nothing but a limit for the value itself.
  var isOfValue: Bool {
    measure == .value && average == 0 && of == 0 && !isCounted && comparison.isStateless
  }

  var isLeaf: Bool { operation.rawValue > Operation.not.rawValue }
}

/// A rule as the engine runs it.
///
/// All that is read for each sample is constant: a variable of an object is guarded anew at each look.
final class CompiledRule {
  let rule: Rule
  let place: Int
  let nodes: [CompiledNode]
  let children: [Int]
  let filters: [Int: Wildcard]
  let names: [Int: String]
  let occurrences: [(node: Int, occurrence: Occurrence)]
  /// Lines of which those of an occurrence are a share.
  let wholes: [(node: Int, query: LineQuery)]
  /// Indexes of the rules that it asks about, by condition.
  private(set) var others: [Int: Int] = [:]
  private let otherNames: [(node: Int, rule: String)]
  let root: Int
  let until: Int?
  /// Conditions from here on belong to `until`.
  private let firstOfUntil: Int
  /// What one incident is about; runs stand for jobs.
  let scope: EntityKind
  /// Its conditions all read one kind of report about the scope itself: nothing of them need be remembered.
  let isPlain: Bool
  /// While nothing is remembered of it, no report makes it true.
  let restsFalse: Bool
  /// Time alone can change it.
  let isTimed: Bool
  /// Even where nothing is remembered: silence begins by itself.
  let watchesSilence: Bool
  /// Asks whether hosts are silent.
  let watchesHost: Bool
  /// Asks for nothing but samples' numbers: a backlog of them answers all that it asks.
  private let isOfSamples: Bool
  /// Asks for nothing that is true because something is not there: the history of a file alone can answer it.
  private let isOfFacts: Bool

  /// - Parameter values: gives a metric its index among the values of a report.
  init(_ rule: Rule, place: Int, values: (RuleMetric) -> Int) {
    self.rule = rule
    self.place = place
    let scope = rule.scope == .job ? EntityKind.run : rule.scope
    self.scope = scope
    var parts = CompiledParts(scope: scope)
    let root = parts.add(rule.when, values)
    self.root = root
    firstOfUntil = parts.nodes.count
    until = rule.until.map { parts.add($0, values) }
    let (nodes, children) = (parts.nodes, parts.children)
    self.nodes = nodes
    self.children = children
    filters = parts.filters
    names = parts.names
    occurrences = parts.occurrences
    wholes = parts.wholes
    otherNames = parts.otherNames
    let leaves = nodes.filter(\.isLeaf)
    isPlain = leaves.allSatisfy { $0.operation == .measure && $0.family == leaves[0].family && $0.kind == scope }
    isTimed = leaves.contains { $0.operation != .measure && $0.operation != .hosts }
    watchesSilence =
      leaves.contains { $0.operation == .stale || $0.operation == .absent }
      || leaves.allSatisfy { $0.operation == .open || $0.operation == .live }
    watchesHost = leaves.contains { $0.operation == .stale && $0.kind == .host }
    restsFalse = !Self.canHoldAtRest(root, nodes, children)
    let negates = nodes.contains { $0.operation == .not }
    isOfSamples = !negates && leaves.allSatisfy { $0.operation == .measure && $0.family.isOfSamples }
    isOfFacts =
      !negates
      && leaves.allSatisfy { $0.operation == .measure || ($0.operation == .occurrence && $0.missingNs == 0) }
  }

  func isJudged(in role: HostRole) -> Bool {
    switch role {
    case .current: true
    case .backlog: isOfSamples
    case .history: isOfFacts
    }
  }

  /// Whether it could be true with nothing remembered: no number compares, nothing has happened.
  private static func canHoldAtRest(_ place: Int, _ nodes: [CompiledNode], _ children: [Int]) -> Bool {
    let node = nodes[place]
    switch node.operation {
    case .all: return node.children.allSatisfy { canHoldAtRest(children[$0], nodes, children) }
    case .any: return node.children.contains { canHoldAtRest(children[$0], nodes, children) }
    // Silence begins between reports: time asks for it.
    case .measure, .occurrence, .absent, .stale, .straggler: return false
    case .not, .hosts, .live, .open: return true
    }
  }

  /// - Parameter places: indexes of all rules, by their ids.
  func resolve(_ places: [String: Int]) {
    for (node, rule) in otherNames { others[node] = places[rule] }
  }

  /// Conditions for which something has to happen, of `when` or of `until`.
  func occurring(inUntil: Bool) -> [Int] {
    occurrences.map(\.node).filter { ($0 >= firstOfUntil) == inUntil && nodes[$0].missingNs == 0 }
  }

  /// Conditions that read this family's reports.
  func leaves(of family: MetricFamily) -> [Int] {
    nodes.indices.filter {
      (nodes[$0].operation == .measure || nodes[$0].operation == .absent) && nodes[$0].family == family
    }
  }
}

extension MetricFamily {
  /// Sampled by the agent, and sent in a lane.
  fileprivate var isOfSamples: Bool {
    switch self {
    case .host, .gpu, .disk, .interface, .process, .probe: true
    default: false
    }
  }
}

extension Comparison {
  /// Needs nothing but the value.
  fileprivate var isStateless: Bool { if case .changed = self { false } else { true } }
}

/// A rule that reads one kind of report, with what can be decided from the values alone.
struct FamilyReader {
  let rule: CompiledRule
  let place: Int
  /// Its conditions that read the report.
  let leaves: [Int]
  private let tests: [QuickTest]
  /// While nothing is remembered of the rule, only values that are notable can change that.
  let isQuick: Bool

  init(_ rule: CompiledRule, _ leaves: [Int]) {
    self.rule = rule
    self.leaves = leaves
    place = rule.place
    tests = leaves.compactMap { QuickTest(rule.nodes[$0]) }
    isQuick = rule.restsFalse && tests.count == leaves.count
  }

  @inline(__always)
  func isNotable(_ values: [Double], _ peers: [Double]) -> Bool {
    for place in tests.indices where tests[place].isNotable(values, peers) { return true }
    return false
  }
}

/// A condition that needs nothing but the report.
private struct QuickTest {
  private let value: Int
  private let comparison: Comparison
  private let isOfPeers: Bool
  /// Nothing known would be noted, too.
  private let notesUnknown: Bool
  private let isAbsence: Bool

  /// nil where the condition has a past.
  init?(_ node: CompiledNode) {
    isAbsence = node.operation == .absent && !node.hasFilter
    guard isAbsence || node.isStateless else { return nil }
    value = node.value
    comparison = node.comparison
    isOfPeers = node.measure == .against
    notesUnknown = node.isNegated
  }

  @inline(__always)
  func isNotable(_ values: [Double], _ peers: [Double]) -> Bool {
    var number = values[value]
    if isAbsence { return number.isNaN }
    if isOfPeers { number = value < peers.count && peers[value] > 0 ? number / peers[value] : .nan }
    switch comparison {
    case .above(let limit): if number > limit { return true }
    case .below(let limit): if number < limit { return true }
    default: if comparison.holds(number) == true { return true }
    }
    return notesUnknown && number.isNaN
  }
}
