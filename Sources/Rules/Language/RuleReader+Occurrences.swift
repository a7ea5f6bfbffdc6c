internal import FleetModel

/// Conditions on what happens, and how long and how often they must hold.
extension RuleReader {
  mutating func occurrence(_ occurrence: Occurrence, _ fields: DocumentFields) -> Condition {
    var counting = Counting()
    counting.count = count(fields, "count") ?? 1
    counting.withinNs = time(fields, "within", 300_000_000_000)
    if let apart = fields["apart"] {
      if case .scalar("reboot") = apart.value {
        counting.isApartByBoot = true
      } else {
        counting.apartNs = duration(fields, "apart") ?? 0
      }
    }
    return .occurrence(occurrence, counting)
  }

  mutating func logCondition(_ node: DocumentNode) -> Condition? {
    let fields = fields(node, RuleKeys.log)
    var query = LineQuery()
    query.file = fileWildcard(fields, "file")
    if let value = fields["text"] { query.text = text(value, "text") }
    query.matches = pattern(fields, "matches")
    let levels: [(String, Level)] = [("debug", .debug), ("info", .info), ("warn", .warn), ("error", .error)]
    query.level = fields["level"].flatMap { word($0, "level", levels) }
    if let value = fields["redacted"] { query.mustBeRedacted = flag(value, "redacted") }
    if fields["text"] == nil, fields["matches"] == nil, query.level == nil, !query.mustBeRedacted {
      mistake(node, "log needs text, matches, level or redacted: without one it means every line")
    }
    guard case .occurrence(let lines, var counting) = occurrence(.line(query), fields) else { return nil }
    let ways = ["among", "times_usual", "missing"].filter { fields[$0] != nil }
    if ways.count > 1 {
      mistake(node, "log has \(ways.joined(separator: " and ")); one of them is asked at a time")
    }
    if (fields["among"] == nil) != (fields["share"] == nil) {
      mistake(node, "among and share belong together, such as among: 'GET|POST', share: 5%")
    }
    if fields["among"] != nil {
      counting.among = LineQuery()
      counting.among?.matches = pattern(fields, "among")
      counting.among?.file = query.file
    }
    if let value = fields["share"] { counting.share = part(value, "share").value }
    if let times = factor(fields, "times_usual") {
      counting.timesUsual = times
      counting.usualNs = time(fields, "usual", 3_600_000_000_000)
    } else if let usual = fields["usual"], fields["times_usual"] == nil {
      mistake(usual, "usual belongs to times_usual, which is missing here")
    }
    counting.missingNs = time(fields, "missing", 0)
    counting.goesOnNs = time(fields, "unless_goes_on", 0)
    if let intervals = factor(fields, "intervals") { counting.intervals = intervals }
    if let intervals = fields["intervals"], fields["missing"] == nil {
      mistake(intervals, "intervals belongs to missing, which is missing here")
    }
    return .occurrence(lines, counting)
  }

  mutating func eventCondition(_ node: DocumentNode) -> Condition? {
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
    query.matches = pattern(fields, "matches")
    query.subject = wildcard(fields, "subject")
    if let value = fields["code"] { query.codes = Set(numbers(value, "code")) }
    if let value = fields["except_code"] { query.exceptCodes = Set(numbers(value, "except_code")) }
    if fields.values.keys.allSatisfy({ ["count", "within", "apart"].contains($0) }) {
      mistake(node, "event needs kind, text, matches, subject or code: without one it means every event")
    }
    return occurrence(.event(query), fields)
  }

  mutating func probeCondition(_ node: DocumentNode) -> Condition? {
    let fields = fields(node, RuleKeys.probe)
    guard let name = wildcard(fields, "name") else { return nil }
    let states: [(String, ProbeState)] = [("ok", .ok), ("failed", .failed), ("timed_out", .timedOut)]
    let state = fields["state"].flatMap { word($0, "state", states) } ?? .failed
    return occurrence(.probe(name: name, state), fields)
  }

  // MARK: silence and life

  mutating func stale(_ value: DocumentNode, _ fields: DocumentFields) -> Condition? {
    let kinds: [EntityKind] = [.host, .run, .file, .gpu, .disk, .probe]
    var staleness = Staleness()
    if case .scalar("episode") = value.value {
      staleness.kind = .run
      staleness.phase = .episode
    } else {
      guard let kind = word(value, "stale", kinds.map { ($0.word, $0) } + [("episode", .run)]) else { return nil }
      staleness.kind = kind
    }
    if let phase = fields["phase"] {
      let phases: [Staleness.Phase] = [.any, .starting, .declared]
      if staleness.kind != .run || staleness.phase == .episode {
        mistake(phase, "phase is asked of runs only: stale: run")
      }
      staleness.phase = word(phase, "phase", phases.map { ($0.rawValue, $0) }) ?? .any
    }
    staleness.intervals = factor(fields, "intervals") ?? 0
    staleness.forNs = time(fields, "for", 300_000_000_000)
    return .stale(staleness)
  }

  mutating func live(_ value: DocumentNode, _ fields: DocumentFields) -> Condition? {
    guard let kind = word(value, "live", [("run", EntityKind.run), ("process", .process)]) else { return nil }
    return .live(kind, withinNs: time(fields, "within", kind == .run ? 900_000_000_000 : 60_000_000_000))
  }

  mutating func straggler(_ value: DocumentNode, _ fields: DocumentFields) -> Condition? {
    guard word(value, "straggler", [("run", EntityKind.run)]) != nil else { return nil }
    var factor = 1.3
    if let above = fields["above"] {
      factor = share(above, "above").value
      // Ranks that are level differ by a few percent.
      if factor < 1.1 { mistake(above, "above must be 110% or more: ranks that are level differ by a few percent") }
    }
    return .straggler(
      factor: factor, behindNs: time(fields, "behind", 60_000_000_000), holdNs: time(fields, "for", 0))
  }

  mutating func hosts(_ value: DocumentNode, _ fields: DocumentFields) -> Condition? {
    var limit = HostShare()
    let given = ["above", "at_least"].filter { fields[$0] != nil }
    if given.count != 1, !fields.hasUnknownKey {
      mistake(fields.node, "hosts needs one of above and at_least, such as at_least: 50%")
    }
    for key in given {
      guard let number = fields[key] else { continue }
      let read = part(number, key)
      (limit.limit, limit.isShare, limit.includesLimit) = (read.value, read.isShare, key == "at_least")
    }
    if let of = fields["of"] { limit.isOfLive = word(of, "of", [("all", false), ("live", true)]) ?? false }
    return .hosts(rule: text(value, "hosts"), limit)
  }

  // MARK: how long

  mutating func holding(_ fields: DocumentFields) -> Holding {
    var holding = Holding()
    holding.holdNs = time(fields, "for", 0)
    holding.everyNs = time(fields, "every", 0)
    // A forecast has a `within` of another meaning.
    if fields["count"] != nil {
      holding.count = count(fields, "count") ?? 1
      holding.withinNs = time(fields, "within", 300_000_000_000)
    } else if let within = fields["within"], fields.table["count"] != nil {
      mistake(within, "within belongs to count, which is missing here")
    }
    guard let samples = fields["samples"] else {
      if let every = fields["every"] { mistake(every, "every belongs to samples, which is missing here") }
      return holding
    }
    let words = text(samples, "samples").split(separator: " ")
    guard words.count == 3, words[1] == "of", let wanted = Int(words[0]), let of = Int(words[2]),
      (1...Self.samplesMax).contains(of), (1...of).contains(wanted)
    else {
      mistake(samples, "samples must be such as 5 of 6, at most of \(Self.samplesMax)")
      return holding
    }
    holding.wanted = wanted
    holding.of = of
    return holding
  }

  /// Four words of bits.
  private static let samplesMax = 256
}
