internal import FleetModel

extension RuleReader {
  /// nil where it is not right; the mistakes say why.
  mutating func condition(_ node: DocumentNode) -> Condition? {
    guard case .map(let entries) = node.value else {
      mistake(
        node.line, "a condition must be keys with values, such as { metric: cpu.busy_percent, above: 80, for: 10m }")
      return nil
    }
    let subjects = RuleKeys.conditions.map(\.subject)
    let found = entries.filter { subjects.contains($0.key) }
    guard let subject = found.first else {
      let hint =
        entries.lazy.compactMap { Nearest.name(to: $0.key, among: subjects) }.first
        .map { "did you mean '\($0)'?" } ?? "it begins with one of \(subjects.joined(separator: ", "))"
      mistake(node.line, "this condition has no subject; \(hint)")
      return nil
    }
    guard found.count == 1 else {
      mistake(
        found[1].line,
        "a condition has one subject, here are '\(subject.key)' and '\(found[1].key)'; join two with all or any")
      return nil
    }
    guard let table = RuleKeys.conditions.first(where: { $0.subject == subject.key })?.table else { return nil }
    let before = mistakes.count
    let fields = fields(node, table)
    let read = condition(subject.key, subject.value, fields, node.line)
    return mistakes.count == before ? read : nil
  }

  private mutating func condition(
    _ subject: String, _ value: DocumentNode, _ fields: [String: DocumentNode], _ line: Int
  ) -> Condition? {
    switch subject {
    case "metric": return metricCondition(value, fields, line)
    case "rate": return rateCondition(value, fields, line)
    case "ratio": return ratioCondition(value, fields, line)
    case "forecast": return forecast(value, fields)
    case "absent":
      guard let metric = metric(value) else { return nil }
      return .absent(metric, forNs: time(fields, "for", 120_000_000_000), of: wildcard(fields["of"]))
    case "stale": return stale(value, fields)
    case "log": return logCondition(value)
    case "event": return eventCondition(value)
    case "run":
      let inner = self.fields(value, RuleKeys.run)
      let states: [(String, RunState)] = [
        ("unknown", .unknown), ("running", .running), ("completed", .completed), ("failed", .failed),
      ]
      return inner["state"].flatMap { word($0, "state", states) }.map { occurrence(.run($0), inner) }
    case "episode":
      let inner = self.fields(value, RuleKeys.episode)
      let states: [(String, EpisodeState)] = [
        ("running", .running), ("completed", .completed), ("force_closed", .forceClosed),
      ]
      return inner["state"].flatMap { word($0, "state", states) }.map { occurrence(.episode($0), inner) }
    case "probe": return probeCondition(value)
    case "hosts":
      let limit: (value: Double, isShare: Bool) = fields["above"].map { share($0, "above") } ?? (0, false)
      return .hosts(rule: text(value, "hosts"), above: limit.value, isShare: limit.isShare)
    case "not":
      return condition(value).map { .not($0, holdNs: time(fields, "for", 0)) }
    default:
      let parts = list(value, subject).compactMap { condition($0) }
      if parts.isEmpty { mistake(line, "\(subject) needs at least one condition") }
      let holdNs = time(fields, "for", 0)
      return subject == "all" ? .all(parts, holdNs: holdNs) : .any(parts, holdNs: holdNs)
    }
  }

  // MARK: numbers

  private mutating func metricCondition(_ value: DocumentNode, _ fields: [String: DocumentNode], _ line: Int)
    -> Condition?
  {
    guard let metric = metric(value) else { return nil }
    var comparisons: [(kind: Measurement.Kind, comparison: Comparison)] = limits(fields, metric).map { (.value, $0) }
    if let changed = fields["changed"] {
      let words = Comparison.Direction.allCases.map { ($0.rawValue, $0) } + [("true", .any)]
      comparisons.append((.value, .changed(word(changed, "changed", words) ?? .any)))
    }
    if let finite = fields["not_finite"] {
      if !flag(finite, "not_finite") {
        mistake(finite.line, "not_finite can only be true; write not: around it for the contrary")
      }
      comparisons.append((.value, .notFinite))
    }
    if let median = fields["above_median"] {
      comparisons.append((.shareOfMedian, .above(share(median, "above_median").value)))
    }
    if let median = fields["below_median"] {
      comparisons.append((.shareOfMedian, .below(share(median, "below_median").value)))
    }
    guard comparisons.count == 1 else {
      if comparisons.isEmpty, hadUnknownKey { return nil }
      mistake(
        line,
        comparisons.isEmpty
          ? "the condition on \(metric.name) compares with nothing; add above, below, outside, equals, changed, not_finite, above_median or below_median"
          : "the condition on \(metric.name) has \(comparisons.count) comparisons; join two conditions with all or any")
      return nil
    }
    return .measure(
      Measurement(metric: metric, kind: comparisons[0].kind, of: wildcard(fields["of"])), comparisons[0].comparison,
      holding(fields))
  }

  private mutating func rateCondition(_ value: DocumentNode, _ fields: [String: DocumentNode], _ line: Int)
    -> Condition?
  {
    guard let metric = metric(value) else { return nil }
    let kind = Measurement.Kind.rate(
      perNs: time(fields, "per", 1_000_000_000), overNs: time(fields, "over", 300_000_000_000))
    guard let comparison = oneLimit(fields, metric, line) else { return nil }
    return .measure(Measurement(metric: metric, kind: kind, of: wildcard(fields["of"])), comparison, holding(fields))
  }

  private mutating func ratioCondition(_ value: DocumentNode, _ fields: [String: DocumentNode], _ line: Int)
    -> Condition?
  {
    let metrics = list(value, "ratio").compactMap { metric($0) }
    guard metrics.count == 2 else {
      mistake(value.line, "ratio needs two metrics, such as [memory.dirty_bytes, memory.total_bytes]")
      return nil
    }
    guard metrics[1].reader.family == metrics[0].reader.family else {
      mistake(
        value.line,
        "\(metrics[0].name) and \(metrics[1].name) are not in the same report; both must be of one \(metrics[0].reader.family)"
      )
      return nil
    }
    guard let comparison = oneLimit(fields, nil, line) else { return nil }
    return .measure(
      Measurement(metric: metrics[0], kind: .ratio(metrics[1]), of: wildcard(fields["of"])), comparison, holding(fields)
    )
  }

  private mutating func forecast(_ value: DocumentNode, _ fields: [String: DocumentNode]) -> Condition? {
    guard let metric = metric(value), let reaches = fields["reaches"] else { return nil }
    let limit = number(reaches, "reaches", metric.unit, metric.name)
    let kind = Measurement.Kind.forecast(
      withinNs: time(fields, "within", 0), overNs: time(fields, "over", 3_600_000_000_000))
    return .measure(Measurement(metric: metric, kind: kind, of: wildcard(fields["of"])), .above(limit), holding(fields))
  }

  private mutating func stale(_ value: DocumentNode, _ fields: [String: DocumentNode]) -> Condition? {
    let kinds: [EntityKind] = [.host, .run, .file, .gpu, .disk, .probe]
    guard let kind = word(value, "stale", kinds.map { ($0.word, $0) }) else { return nil }
    let intervals = fields["intervals"].map { number($0, "intervals", .number, "intervals") } ?? 0
    return .stale(kind, forNs: time(fields, "for", 300_000_000_000), intervals: intervals)
  }

  private mutating func oneLimit(_ fields: [String: DocumentNode], _ metric: RuleMetric?, _ line: Int) -> Comparison? {
    let found = limits(fields, metric)
    if found.count != 1, !hadUnknownKey { mistake(line, "this condition needs exactly one of above, below, outside") }
    return found.first
  }

  private mutating func limits(_ fields: [String: DocumentNode], _ metric: RuleMetric?) -> [Comparison] {
    let unit = metric?.unit ?? .ratio
    let name = metric?.name ?? "a ratio"
    var found: [Comparison] = []
    if let value = fields["above"] { found.append(.above(number(value, "above", unit, name))) }
    if let value = fields["below"] { found.append(.below(number(value, "below", unit, name))) }
    if let value = fields["equals"] { found.append(.equals(number(value, "equals", unit, name))) }
    if let value = fields["outside"] {
      let ends = list(value, "outside").map { number($0, "outside", unit, name) }
      if ends.count != 2 || !(ends[0] < ends[1]) {
        mistake(value.line, "outside needs two numbers, the lower one first, such as [5, 95]")
      }
      found.append(.outside(ends.first ?? 0, ends.last ?? 0))
    }
    return found
  }

  private mutating func holding(_ fields: [String: DocumentNode]) -> Holding {
    var holding = Holding()
    holding.holdNs = time(fields, "for", 0)
    guard let samples = fields["samples"] else { return holding }
    let words = text(samples, "samples").split(separator: " ")
    guard words.count == 3, words[1] == "of", let wanted = Int(words[0]), let of = Int(words[2]), (1...64).contains(of),
      (1...of).contains(wanted)
    else {
      mistake(samples.line, "samples must be such as 5 of 6, at most of 64")
      return holding
    }
    holding.wanted = wanted
    holding.of = of
    return holding
  }

  // MARK: occurrences

  private mutating func occurrence(_ occurrence: Occurrence, _ fields: [String: DocumentNode]) -> Condition {
    .occurrence(
      occurrence, count: fields["count"].map { count($0, "count") } ?? 1,
      withinNs: time(fields, "within", 300_000_000_000))
  }

  private mutating func logCondition(_ node: DocumentNode) -> Condition? {
    let fields = fields(node, RuleKeys.log)
    var query = LineQuery()
    query.file = wildcard(fields["file"])
    if let value = fields["text"] { query.text = text(value, "text") }
    query.matches = fields["matches"].flatMap { pattern($0) }
    let levels: [(String, Level)] = [("debug", .debug), ("info", .info), ("warn", .warn), ("error", .error)]
    query.level = fields["level"].flatMap { word($0, "level", levels) }
    if let value = fields["redacted"] { query.mustBeRedacted = flag(value, "redacted") }
    if fields["text"] == nil, fields["matches"] == nil, query.level == nil, !query.mustBeRedacted {
      mistake(node.line, "log needs text, matches, level or redacted: without one it means every line")
    }
    return occurrence(.line(query), fields)
  }

  private mutating func eventCondition(_ node: DocumentNode) -> Condition? {
    let fields = fields(node, RuleKeys.event)
    var query = EventQuery()
    if let value = fields["kind"] {
      let kinds = RuleKeys.eventWords.enumerated().map { ($0.element, $0.offset) }
      if let place = word(value, "kind", kinds) {
        query.isLoss = RuleKeys.eventWords[place] == "loss"
        query.kind = query.isLoss ? nil : EventKind(rawValue: UInt8(place))
      }
    }
    if let value = fields["text"] { query.text = text(value, "text") }
    query.matches = fields["matches"].flatMap { pattern($0) }
    query.subject = wildcard(fields["subject"])
    if let value = fields["code"] { query.codes = Set(numbers(value, "code")) }
    if let value = fields["except_code"] { query.exceptCodes = Set(numbers(value, "except_code")) }
    if fields.keys.allSatisfy({ $0 == "count" || $0 == "within" }) {
      mistake(node.line, "event needs kind, text, matches, subject or code: without one it means every event")
    }
    return occurrence(.event(query), fields)
  }

  private mutating func probeCondition(_ node: DocumentNode) -> Condition? {
    let fields = fields(node, RuleKeys.probe)
    guard let name = wildcard(fields["name"]) else { return nil }
    let states: [(String, ProbeState)] = [("ok", .ok), ("failed", .failed), ("timed_out", .timedOut)]
    let state = fields["state"].flatMap { word($0, "state", states) } ?? .failed
    return occurrence(.probe(name: name, state), fields)
  }

  // MARK: parts

  mutating func metric(_ node: DocumentNode) -> RuleMetric? {
    let name = text(node, "a metric")
    if let metric = MetricCatalogue.metric(name) { return metric }
    let hint = MetricCatalogue.nearest(to: name).map { "did you mean '\($0)'?" } ?? "signalbox rules metrics lists them"
    mistake(node.line, "unknown metric '\(name)'; \(hint)")
    return nil
  }

  private mutating func pattern(_ node: DocumentNode) -> LinePattern? {
    let text = text(node, "matches")
    do {
      return try LinePattern(text)
    } catch {
      mistake(node.line, "the pattern '\(text)' \(error.message)")
      return nil
    }
  }

  private mutating func wildcard(_ node: DocumentNode?) -> Wildcard? { node.map { Wildcard(text($0, "a pattern")) } }

  private mutating func time(_ fields: [String: DocumentNode], _ key: String, _ usual: Int64) -> Int64 {
    fields[key].map { duration($0, key) } ?? usual
  }
}
