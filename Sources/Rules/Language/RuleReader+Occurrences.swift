internal import FleetModel

/// Conditions on what happens, and how long and how often they must hold.
extension RuleReader {
  mutating func occurrence(_ occurrence: Occurrence, _ fields: [String: DocumentNode]) -> Condition {
    var counting = Counting()
    counting.count = fields["count"].map { count($0, "count") } ?? 1
    counting.withinNs = time(fields, "within", 300_000_000_000)
    if let apart = fields["apart"] {
      if case .scalar("reboot") = apart.value {
        counting.isApartByBoot = true
      } else {
        counting.apartNs = duration(apart, "apart")
      }
    }
    return .occurrence(occurrence, counting)
  }

  mutating func logCondition(_ node: DocumentNode) -> Condition? {
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
    guard case .occurrence(let lines, var counting) = occurrence(.line(query), fields) else { return nil }
    let ways = ["among", "times_usual", "missing"].filter { fields[$0] != nil }
    if ways.count > 1 {
      mistake(node.line, "log has \(ways.joined(separator: " and ")); one of them is asked at a time")
    }
    if (fields["among"] == nil) != (fields["share"] == nil) {
      mistake(node.line, "among and share belong together, such as among: 'GET|POST', share: 5%")
    }
    if let among = fields["among"] {
      counting.among = LineQuery()
      counting.among?.matches = pattern(among)
      counting.among?.file = query.file
    }
    if let value = fields["share"] { counting.share = share(value, "share").value }
    if let value = fields["times_usual"] {
      counting.timesUsual = number(value, "times_usual", .number, "times_usual")
      counting.usualNs = time(fields, "usual", 3_600_000_000_000)
    } else if let usual = fields["usual"] {
      mistake(usual.line, "usual belongs to times_usual, which is missing here")
    }
    counting.missingNs = time(fields, "missing", 0)
    counting.goesOnNs = time(fields, "unless_goes_on", 0)
    if let value = fields["intervals"] { counting.intervals = number(value, "intervals", .number, "intervals") }
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
    query.matches = fields["matches"].flatMap { pattern($0) }
    query.subject = wildcard(fields["subject"])
    if let value = fields["code"] { query.codes = Set(numbers(value, "code")) }
    if let value = fields["except_code"] { query.exceptCodes = Set(numbers(value, "except_code")) }
    if fields.keys.allSatisfy({ $0 == "count" || $0 == "within" }) {
      mistake(node.line, "event needs kind, text, matches, subject or code: without one it means every event")
    }
    return occurrence(.event(query), fields)
  }

  mutating func probeCondition(_ node: DocumentNode) -> Condition? {
    let fields = fields(node, RuleKeys.probe)
    guard let name = wildcard(fields["name"]) else { return nil }
    let states: [(String, ProbeState)] = [("ok", .ok), ("failed", .failed), ("timed_out", .timedOut)]
    let state = fields["state"].flatMap { word($0, "state", states) } ?? .failed
    return occurrence(.probe(name: name, state), fields)
  }

  // MARK: silence and life

  mutating func stale(_ value: DocumentNode, _ fields: [String: DocumentNode]) -> Condition? {
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
        mistake(phase.line, "phase is asked of runs only: stale: run")
      }
      staleness.phase = word(phase, "phase", phases.map { ($0.rawValue, $0) }) ?? .any
    }
    staleness.intervals = fields["intervals"].map { number($0, "intervals", .number, "intervals") } ?? 0
    staleness.forNs = time(fields, "for", 300_000_000_000)
    return .stale(staleness)
  }

  mutating func live(_ value: DocumentNode, _ fields: [String: DocumentNode]) -> Condition? {
    guard let kind = word(value, "live", [("run", EntityKind.run), ("process", .process)]) else { return nil }
    return .live(kind, withinNs: time(fields, "within", kind == .run ? 900_000_000_000 : 60_000_000_000))
  }

  mutating func hosts(_ value: DocumentNode, _ fields: [String: DocumentNode], _ line: Int) -> Condition? {
    var limit = HostShare()
    let given = ["above", "at_least"].filter { fields[$0] != nil }
    if given.count != 1, !hadUnknownKey {
      mistake(line, "hosts needs one of above and at_least, such as at_least: 50%")
    }
    for key in given {
      guard let number = fields[key] else { continue }
      let read = share(number, key)
      (limit.limit, limit.isShare, limit.includesLimit) = (read.value, read.isShare, key == "at_least")
    }
    if let of = fields["of"] { limit.isOfLive = word(of, "of", [("all", false), ("live", true)]) ?? false }
    return .hosts(rule: text(value, "hosts"), limit)
  }

  // MARK: how long

  mutating func holding(_ fields: [String: DocumentNode]) -> Holding {
    var holding = Holding()
    holding.holdNs = time(fields, "for", 0)
    holding.everyNs = time(fields, "every", 0)
    // A forecast has a `within` of another meaning.
    if let value = fields["count"] {
      holding.count = count(value, "count")
      holding.withinNs = time(fields, "within", 300_000_000_000)
    }
    guard let samples = fields["samples"] else {
      if let every = fields["every"] { mistake(every.line, "every belongs to samples, which is missing here") }
      return holding
    }
    let words = text(samples, "samples").split(separator: " ")
    guard words.count == 3, words[1] == "of", let wanted = Int(words[0]), let of = Int(words[2]),
      (1...Self.samplesMax).contains(of), (1...of).contains(wanted)
    else {
      mistake(samples.line, "samples must be such as 5 of 6, at most of \(Self.samplesMax)")
      return holding
    }
    holding.wanted = wanted
    holding.of = of
    return holding
  }

  /// Four words of bits.
  private static let samplesMax = 256
}
