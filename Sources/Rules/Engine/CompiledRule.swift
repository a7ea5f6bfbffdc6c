internal import FleetModel

/// One condition of a rule in a flat, plain form: no reference is counted while it is evaluated.
struct CompiledNode {
  enum Operation: UInt8 { case all, any, not, measure, absent, stale, occurrence, hosts, live, open }
  enum Measure: UInt8 { case value, rate, ratio, forecast, against }

  var operation: Operation
  /// Places in `CompiledRule.children`.
  var children = 0..<0
  /// Of what it is true or false; that of the rule's scope for groups.
  var kind = EntityKind.host
  var family = MetricFamily.host
  var measure = Measure.value
  var baseline = Baseline.median
  var phase = Staleness.Phase.any
  /// Places in the values of one report.
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
  /// Rate and forecast: over; occurrence and counted comparison: within; absent, stale, live: for.
  var windowNs: Int64 = 0
  /// Rate: per; forecast: within; occurrence: the usual rate's time.
  var perNs: Int64 = 0
  /// Occurrence and counted comparison: count; stale: intervals; hosts: limit.
  var amount = 0.0
  /// Occurrence: share of the lines among which it is, or times the usual rate.
  var limit = 0.0
  var apartNs: Int64 = 0
  var missingNs: Int64 = 0
  var isApartByBoot = false
  var isAmong = false
  var isShare = false
  var includesLimit = false
  var isOfLive = false
  var isInOrder = false
  var isCounted = false
  var isCounter = false
  var hasFilter = false

  var isLeaf: Bool { operation.rawValue > Operation.not.rawValue }
}

/// A rule as the engine runs it.
final class CompiledRule {
  let rule: Rule
  let place: Int
  private(set) var nodes: [CompiledNode] = []
  private(set) var children: [Int] = []
  private(set) var filters: [Int: Wildcard] = [:]
  private(set) var names: [Int: String] = [:]
  private(set) var occurrences: [(node: Int, occurrence: Occurrence)] = []
  /// Lines of which those of an occurrence are a share.
  private(set) var wholes: [(node: Int, query: LineQuery)] = []
  /// Places of the rules that it asks about, by condition.
  private(set) var others: [Int: Int] = [:]
  private var otherNames: [(node: Int, rule: String)] = []
  private(set) var root = 0
  private(set) var until: Int?
  /// What one incident is about; runs stand for jobs.
  let scope: EntityKind
  /// Its conditions all read one kind of report about the scope itself: nothing of them need be remembered.
  private(set) var isPlain = false
  /// Plain, with a single comparison of the sample's own value.
  private(set) var isSimple = false
  /// Time alone can change it.
  private(set) var isTimed = false
  /// Even where nothing is remembered: silence begins by itself.
  private(set) var watchesSilence = false
  /// Asks whether hosts are silent.
  private(set) var watchesHost = false

  /// - Parameter values: gives a metric its place among the values of a report.
  init(_ rule: Rule, place: Int, values: (RuleMetric) -> Int) {
    self.rule = rule
    self.place = place
    scope = rule.scope == .job ? .run : rule.scope
    root = add(rule.when, values)
    until = rule.until.map { add($0, values) }
    let leaves = nodes.filter(\.isLeaf)
    isPlain = leaves.allSatisfy {
      $0.operation == .measure && $0.family == leaves[0].family && $0.kind == scope
    }
    isSimple =
      isPlain && nodes.count == 1 && nodes[0].measure == .value && nodes[0].of == 0 && !nodes[0].hasFilter
      && !nodes[0].isCounted && nodes[0].average == 0 && nodes[0].comparison.isStateless
    isTimed = leaves.contains { $0.operation != .measure && $0.operation != .hosts }
    watchesSilence =
      leaves.contains { $0.operation == .stale || $0.operation == .absent }
      || leaves.allSatisfy { $0.operation == .open || $0.operation == .live }
    watchesHost = leaves.contains { $0.operation == .stale && $0.kind == .host }
  }

  /// - Parameter places: of all rules, by their ids.
  func resolve(_ places: [String: Int]) {
    for (node, rule) in otherNames { others[node] = places[rule] }
  }

  /// Conditions that read this family's reports.
  func leaves(of family: MetricFamily) -> [Int] {
    nodes.indices.filter {
      (nodes[$0].operation == .measure || nodes[$0].operation == .absent) && nodes[$0].family == family
    }
  }

  private func add(_ condition: Condition, _ values: (RuleMetric) -> Int) -> Int {
    let place = nodes.count
    nodes.append(CompiledNode(operation: .hosts))
    var node = CompiledNode(operation: .hosts)
    node.kind = scope
    switch condition {
    case .all(let parts, let holdNs, let inOrder):
      group(&node, .all, parts, holdNs, values)
      node.isInOrder = inOrder
    case .any(let parts, let holdNs): group(&node, .any, parts, holdNs, values)
    case .not(let part, let holdNs): group(&node, .not, [part], holdNs, values)
    case .measure(let measurement, let comparison, let holding):
      node.operation = .measure
      fill(&node, measurement, values)
      node.comparison = comparison
      node.holdNs = holding.holdNs
      node.wanted = holding.wanted
      node.of = holding.of
      node.everyNs = holding.everyNs
      node.average = measurement.average
      if holding.count > 0 {
        node.isCounted = true
        node.amount = Double(holding.count)
        node.windowNs = holding.withinNs
      }
      filter(place, measurement.of, &node)
      names[place] = measurement.metric.name
    case .absent(let metric, let forNs, let wildcard):
      node.operation = .absent
      node.kind = metric.kind
      node.family = metric.reader.family
      node.value = values(metric)
      node.windowNs = forNs
      filter(place, wildcard, &node)
      names[place] = metric.name
    case .stale(let staleness):
      node.operation = .stale
      node.kind = staleness.kind
      node.windowNs = staleness.forNs
      node.amount = staleness.intervals
      node.phase = staleness.phase
    case .live(let kind, let withinNs):
      node.operation = .live
      node.kind = kind
      node.windowNs = withinNs
    case .open(let rule):
      node.operation = .open
      otherNames.append((place, rule))
    case .occurrence(let occurrence, let counting): fill(&node, place, occurrence, counting)
    case .hosts(let rule, let share):
      node.amount = share.limit
      node.isShare = share.isShare
      node.includesLimit = share.includesLimit
      node.isOfLive = share.isOfLive
      otherNames.append((place, rule))
    }
    nodes[place] = node
    return place
  }

  private func fill(_ node: inout CompiledNode, _ place: Int, _ occurrence: Occurrence, _ counting: Counting) {
    node.operation = .occurrence
    // What happens to a part of what the rule is about is counted for all of its host.
    node.kind = occurrence.kind == scope ? scope : .host
    node.windowNs = counting.withinNs
    node.amount = Double(counting.count)
    node.apartNs = counting.apartNs
    node.isApartByBoot = counting.isApartByBoot
    node.missingNs = counting.missingNs
    if node.missingNs > 0 { node.amount = counting.intervals }
    if let among = counting.among {
      node.isAmong = true
      node.limit = counting.share
      wholes.append((place, among))
    } else if counting.timesUsual > 0 {
      node.limit = counting.timesUsual
      node.perNs = counting.usualNs
    }
    occurrences.append((place, occurrence))
  }

  private func group(
    _ node: inout CompiledNode, _ operation: CompiledNode.Operation, _ parts: [Condition], _ holdNs: Int64,
    _ values: (RuleMetric) -> Int
  ) {
    node.operation = operation
    node.holdNs = holdNs
    let places = parts.map { add($0, values) }
    node.children = children.count..<children.count + places.count
    children += places
  }

  private func fill(_ node: inout CompiledNode, _ measurement: Measurement, _ values: (RuleMetric) -> Int) {
    node.kind = measurement.metric.kind
    node.family = measurement.metric.reader.family
    node.value = values(measurement.metric)
    node.isCounter = measurement.metric.name.hasSuffix("_total")
    switch measurement.kind {
    case .value: node.measure = .value
    case .rate(let perNs, let overNs):
      node.measure = .rate
      node.perNs = perNs
      node.windowNs = overNs
    case .ratio(let other):
      node.measure = .ratio
      node.second = values(other)
    case .forecast(let withinNs, let overNs):
      node.measure = .forecast
      node.perNs = withinNs
      node.windowNs = overNs
    case .against(let baseline, let last):
      node.measure = .against
      node.baseline = baseline
      node.last = last
    }
  }

  private func filter(_ place: Int, _ wildcard: Wildcard?, _ node: inout CompiledNode) {
    filters[place] = wildcard
    node.hasFilter = wildcard != nil
  }
}

extension Comparison {
  /// Needs nothing but the value.
  fileprivate var isStateless: Bool { if case .changed = self { false } else { true } }
}
