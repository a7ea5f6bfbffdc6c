internal import FleetModel

extension RuleReader {
  /// nil where it is not right; the mistakes give the reason.
  mutating func condition(_ node: DocumentNode) -> Condition? {
    guard case .map(let entries) = node.value else {
      mistake(
        node, "a condition must be keys with values, such as { metric: cpu.busy_percent, above: 80, for: 10m }")
      return nil
    }
    let subjects = RuleKeys.conditions.map(\.subject)
    let found = entries.filter { subjects.contains($0.key) }
    guard let subject = found.first else {
      let hint =
        entries.lazy.compactMap { Nearest.name(to: $0.key, among: subjects) }.first
        .map { "did you mean '\($0)'?" } ?? "it begins with one of \(subjects.joined(separator: ", "))"
      mistake(node, "this condition has no subject; \(hint)")
      if let hold = entries.first(where: { $0.key == "for" }) {
        _ = duration(hold.value.below(node.path, key: "for"), "for")
      }
      return nil
    }
    guard found.count == 1 else {
      mistake(
        found[1], in: node,
        "a condition has one subject, here are '\(subject.key)' and '\(found[1].key)'; join two with all or any")
      return nil
    }
    guard let table = RuleKeys.conditions.first(where: { $0.subject == subject.key })?.table else { return nil }
    let before = mistakes.count
    let fields = fields(node, table)
    let read = fields[subject.key].flatMap { condition(subject.key, $0, fields) }
    return mistakes.count == before ? read : nil
  }

  private mutating func condition(
    _ subject: String, _ value: DocumentNode, _ fields: DocumentFields
  ) -> Condition? {
    switch subject {
    case "metric": return metricCondition(value, fields)
    case "rate": return rateCondition(value, fields)
    case "ratio": return ratioCondition(value, fields)
    case "forecast": return forecast(value, fields)
    case "absent":
      guard let metric = metric(value) else { return nil }
      return .absent(metric, forNs: time(fields, "for", 120_000_000_000), of: wildcard(fields, "of"))
    case "stale": return stale(value, fields)
    case "live": return live(value, fields)
    case "straggler": return straggler(value, fields)
    case "open": return .open(rule: text(value, "open"))
    case "log": return logCondition(value)
    case "event": return eventCondition(value)
    case "failure": return failureCondition(value)
    case "run":
      let inner = self.fields(value, RuleKeys.run)
      let states = RunMoment.allCases.map { ($0.rawValue, $0) }
      return inner["state"].flatMap { word($0, "state", states) }.map { occurrence(.run($0), inner) }
    case "episode":
      let inner = self.fields(value, RuleKeys.episode)
      let states = EpisodeMoment.allCases.map { ($0.rawValue, $0) }
      return inner["state"].flatMap { word($0, "state", states) }.map { occurrence(.episode($0), inner) }
    case "probe": return probeCondition(value)
    case "hosts": return hosts(value, fields)
    case "not":
      return condition(value).map { .not($0, holdNs: time(fields, "for", 0)) }
    default:
      let parts = list(value, subject).compactMap { condition($0) }
      if parts.isEmpty, value.list?.isEmpty == true { mistake(fields.node, "\(subject) needs at least one condition") }
      let holdNs = time(fields, "for", 0)
      let inOrder = fields["in_order"].map { flag($0, "in_order") } ?? false
      return subject == "all" ? .all(parts, holdNs: holdNs, inOrder: inOrder) : .any(parts, holdNs: holdNs)
    }
  }

  // MARK: numbers

  private mutating func metricCondition(_ value: DocumentNode, _ fields: DocumentFields)
    -> Condition?
  {
    // Read first: a mistake in it is reported beside any other one.
    let holding = holding(fields)
    var measurement = Measurement(
      metric: MetricCatalogue.all[0], kind: .value, of: wildcard(fields, "of"),
      average: count(fields, "average") ?? 0)
    guard let metric = metric(value) else { return nil }
    var comparisons: [(kind: Measurement.Kind, comparison: Comparison)] = limits(fields, metric).map { (.value, $0) }
    if let changed = fields["changed"] {
      let words = Comparison.Direction.allCases.map { ($0.rawValue, $0) } + [("true", .any)]
      comparisons.append((.value, .changed(word(changed, "changed", words) ?? .any)))
    }
    if let finite = fields["not_finite"] {
      if !flag(finite, "not_finite") {
        mistake(finite, "not_finite can only be true; write not: around it for the contrary")
      }
      comparisons.append((.value, .notFinite))
    }
    let last = count(fields, "last") ?? 100
    for (key, baseline, isAbove, _) in RuleKeys.past {
      guard let value = fields[key] else { continue }
      let limit = share(value, key).value
      if baseline == .peers, metric.kind != .gpu {
        mistake(value, "\(key) is asked of GPUs only, \(metric.name) is of a \(metric.kind.word)")
      }
      comparisons.append((.against(baseline, last: last), isAbove ? .above(limit) : .below(limit)))
    }
    if let last = fields["last"], !RuleKeys.past.contains(where: { fields[$0.key] != nil }) {
      mistake(last, "last belongs to a comparison with its past, such as above_median, which is missing here")
    }
    guard comparisons.count == 1 else {
      if comparisons.isEmpty, fields.hasUnknownKey { return nil }
      mistake(
        fields.node,
        comparisons.isEmpty
          ? "the condition on \(metric.name) compares with nothing; add above, below, outside, equals, changed, not_finite, above_median, below_median or another comparison with its own past"
          : "the condition on \(metric.name) has \(comparisons.count) comparisons; join two conditions with all or any")
      return nil
    }
    measurement.metric = metric
    measurement.kind = comparisons[0].kind
    return .measure(measurement, comparisons[0].comparison, holding)
  }

  private mutating func rateCondition(_ value: DocumentNode, _ fields: DocumentFields)
    -> Condition?
  {
    let kind = Measurement.Kind.rate(
      perNs: time(fields, "per", 1_000_000_000), overNs: time(fields, "over", 300_000_000_000))
    let holding = holding(fields)
    guard let metric = metric(value), let comparison = oneLimit(fields, metric) else { return nil }
    return .measure(Measurement(metric: metric, kind: kind, of: wildcard(fields, "of")), comparison, holding)
  }

  private mutating func ratioCondition(_ value: DocumentNode, _ fields: DocumentFields)
    -> Condition?
  {
    let holding = holding(fields)
    let metrics = list(value, "ratio").compactMap { metric($0) }
    guard metrics.count == 2 else {
      mistake(value, "ratio needs two metrics, such as [memory.dirty_bytes, memory.total_bytes]")
      return nil
    }
    guard metrics[1].reader.family == metrics[0].reader.family else {
      mistake(
        value,
        "\(metrics[0].name) and \(metrics[1].name) are not in the same report; both must be of one \(metrics[0].reader.family)"
      )
      return nil
    }
    guard let comparison = oneLimit(fields, nil) else { return nil }
    return .measure(
      Measurement(metric: metrics[0], kind: .ratio(metrics[1]), of: wildcard(fields, "of")), comparison, holding)
  }

  private mutating func forecast(_ value: DocumentNode, _ fields: DocumentFields) -> Condition? {
    let holding = holding(fields)
    guard let metric = metric(value), let reaches = fields["reaches"] else { return nil }
    let limit = number(reaches, "reaches", metric.unit, metric.name)
    let kind = Measurement.Kind.forecast(
      withinNs: time(fields, "within", 0), overNs: time(fields, "over", 3_600_000_000_000))
    return .measure(Measurement(metric: metric, kind: kind, of: wildcard(fields, "of")), .above(limit), holding)
  }

  private mutating func oneLimit(_ fields: DocumentFields, _ metric: RuleMetric?) -> Comparison? {
    let found = limits(fields, metric)
    if found.count != 1, !fields.hasUnknownKey {
      mistake(fields.node, "this condition needs exactly one of above, below, outside")
    }
    return found.first
  }

  private mutating func limits(_ fields: DocumentFields, _ metric: RuleMetric?) -> [Comparison] {
    let unit = metric?.unit ?? .ratio
    let name = metric?.name ?? "a ratio"
    var found: [Comparison] = []
    if let value = fields["above"] { found.append(.above(number(value, "above", unit, name))) }
    if let value = fields["below"] { found.append(.below(number(value, "below", unit, name))) }
    if let value = fields["equals"] { found.append(.equals(number(value, "equals", unit, name))) }
    if let value = fields["outside"] {
      let ends = list(value, "outside").map { number($0, "outside", unit, name) }
      if ends.count != 2 || !(ends[0] < ends[1]) {
        mistake(value, "outside needs two numbers, the lower one first, such as [5, 95]")
      }
      found.append(.outside(ends.first ?? 0, ends.last ?? 0))
    }
    return found
  }

  // MARK: parts

  mutating func metric(_ node: DocumentNode) -> RuleMetric? {
    let name = text(node, "a metric")
    if name.isEmpty { return nil }
    if let metric = MetricCatalogue.metric(name) { return metric }
    let hint = MetricCatalogue.nearest(to: name).map { "did you mean '\($0)'?" } ?? "signalbox rules metrics lists them"
    mistake(node, "unknown metric '\(name)'; \(hint)")
    return nil
  }

  mutating func pattern(_ fields: DocumentFields, _ key: String) -> LinePattern? {
    guard let node = fields[key], let text = text(fields, key) else { return nil }
    do {
      return try LinePattern(text)
    } catch {
      mistake(node, "the pattern '\(text)' \(error.message)")
      return nil
    }
  }

  mutating func wildcard(_ fields: DocumentFields, _ key: String) -> Wildcard? { text(fields, key).map(Wildcard.init) }

  /// Of a file's path, or of its name: paths are absolute.
  mutating func fileWildcard(_ fields: DocumentFields, _ key: String) -> Wildcard? {
    guard let node = fields[key], let text = text(fields, key) else { return nil }
    if text.utf8.contains(UInt8(ascii: "/")), !["/", "*", "?"].contains(text.prefix(1)) {
      mistake(node, "'\(text)' can match no file: paths begin with '/'; write /\(text) or **/\(text)")
    }
    return Wildcard(text)
  }

  mutating func time(_ fields: DocumentFields, _ key: String, _ usual: Int64) -> Int64 {
    fields.values[key] == nil ? usual : duration(fields, key) ?? usual
  }
}
