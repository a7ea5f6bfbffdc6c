internal import FleetModel

/// Conditions on their way to the flat form.
struct CompiledParts {
  let scope: EntityKind
  private(set) var nodes: [CompiledNode] = []
  private(set) var children: [Int] = []
  private(set) var filters: [Int: Wildcard] = [:]
  private(set) var names: [Int: String] = [:]
  private(set) var occurrences: [(node: Int, occurrence: Occurrence)] = []
  private(set) var wholes: [(node: Int, query: LineQuery)] = []
  private(set) var otherNames: [(node: Int, rule: String)] = []
  private var negations = 0

  init(scope: EntityKind) { self.scope = scope }

  mutating func add(_ condition: Condition, _ values: (RuleMetric) -> Int) -> Int {
    let place = nodes.count
    defer { if negations > 0 { nodes[place].isNegated = true } }
    nodes.append(CompiledNode(operation: .hosts))
    var node = CompiledNode(operation: .hosts)
    node.kind = scope
    switch condition {
    case .all(let parts, let holdNs, let inOrder):
      group(&node, .all, parts, holdNs, values)
      node.isInOrder = inOrder
    case .any(let parts, let holdNs): group(&node, .any, parts, holdNs, values)
    case .not(let part, let holdNs):
      negations += 1
      group(&node, .not, [part], holdNs, values)
      negations -= 1
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
    case .straggler(let factor, let behindNs, let holdNs):
      node.operation = .straggler
      node.kind = .run
      node.limit = factor
      node.windowNs = behindNs
      node.holdNs = holdNs
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

  private mutating func fill(_ node: inout CompiledNode, _ place: Int, _ occurrence: Occurrence, _ counting: Counting) {
    node.operation = .occurrence
    // What happens to a part of what the rule is about is counted for all of its host.
    node.kind = occurrence.kind == scope ? scope : .host
    // A failure is of the file that shows it, or of its process where no file does.
    if case .failure = occurrence, scope == .process { node.kind = .process }
    node.windowNs = counting.withinNs
    node.amount = Double(counting.count)
    node.apartNs = counting.apartNs
    node.isApartByBoot = counting.isApartByBoot
    node.missingNs = counting.missingNs
    node.goesOnNs = counting.goesOnNs
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

  private mutating func group(
    _ node: inout CompiledNode, _ operation: CompiledNode.Operation, _ parts: [Condition], _ holdNs: Int64,
    _ values: (RuleMetric) -> Int
  ) {
    node.operation = operation
    node.holdNs = holdNs
    let places = parts.map { add($0, values) }
    node.children = children.count..<children.count + places.count
    children += places
  }

  private mutating func fill(_ node: inout CompiledNode, _ measurement: Measurement, _ values: (RuleMetric) -> Int) {
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

  private mutating func filter(_ place: Int, _ wildcard: Wildcard?, _ node: inout CompiledNode) {
    filters[place] = wildcard
    node.hasFilter = wildcard != nil
  }
}
