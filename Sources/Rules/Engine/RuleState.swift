package import FleetModel

/// Why a host's saved state cannot be read.
package enum RuleStateError: Error, Equatable, Sendable {
  case truncated
  case unknownVersion(UInt8)
  case malformed
}

extension RuleEngine {
  private static let version: UInt8 = 7
  /// Older ones are still read, so that nothing that is open is forgotten by an upgrade: without the jobs and ranks of runs…
  private static let versionWithoutRanks: UInt8 = 6
  /// …without what files have raised…
  private static let versionWithoutFailures: UInt8 = 5
  /// …without the newest ends…
  private static let versionWithoutEnds: UInt8 = 4
  /// …without the state's own sequence…
  private static let versionWithoutSequence: UInt8 = 3
  /// …and without the judged sequences and rows either.
  private static let versionWithoutMarks: UInt8 = 2

  /// All that is remembered of a host, for the database: another collector, or a later one, goes on from it.
  ///
  /// - Returns: a few hundred bytes; empty where the host is not known. Episodes under way are judged by their rest after that.
  ///   Calling it changes nothing: for a state that is to be saved call `nextState(of:)`.
  package func encodedState(of host: HostID) -> [UInt8] {
    guard let cell = cell(host) else { return [] }
    return Self.encoded(cell.state, rules)
  }

  /// A host's state to be saved, under the number after the last one.
  ///
  /// - Returns: its bytes as `encodedState(of:)`, which hold `sequence` too: whoever restores them goes on from it. 0 and no bytes where
  ///   the host is not known.
  package func nextState(of host: HostID) -> (sequence: UInt64, bytes: [UInt8]) {
    guard let cell = cell(host) else { return (0, []) }
    cell.state.sequence &+= 1
    return (cell.state.sequence, Self.encoded(cell.state, rules))
  }

  /// Of the newest state of the host that was given out or restored; 0 = none.
  package func sequence(of host: HostID) -> UInt64 { cell(host)?.state.sequence ?? 0 }

  private static func encoded(_ state: borrowing HostState, _ rules: [CompiledRule]) -> [UInt8] {
    var out = StateWriter()
    out.bytes.append(version)
    out.unsigned(state.sequence)
    out.count(state.ends.count)
    for end in state.ends {
      out.fixed(end.identity)
      out.signed(end.ns)
    }
    out.signed(state.offsetNs)
    out.signed(state.arrivedNs)
    out.count(state.entities.count)
    for entity in state.entities {
      out.bytes.append(entity.kind.rawValue)
      out.bytes.append(entity.marks.rawValue)
      out.text(entity.name)
      out.signed(entity.markNs)
    }
    out.count(state.files.count)
    for file in state.files {
      out.count(file.entity)
      out.fixed(file.key.high)
      out.fixed(file.key.low)
      out.unsigned(file.offset)
      out.count(file.parts.count)
      for part in file.parts {
        out.unsigned(part.from)
        out.unsigned(UInt64(part.steps))
        out.unsigned(UInt64(part.episodes))
      }
    }
    out.fixed(state.spool.spool.high)
    out.fixed(state.spool.spool.low)
    out.unsigned(state.spool.live)
    out.unsigned(state.spool.backfill)
    out.runs(state)
    let known = rules.filter { state.slots.isActive($0.place) }
    out.count(known.count)
    for rule in known {
      out.fixed(rule.rule.definitionHash)
      let places = state.slots.places(rule.place)
      out.count(places.count)
      for place in places {
        let slot = state.slots.slots[place]
        out.unsigned(slot.key & 0xf_ffff_ffff_ffff)
        out.signed(slot.a)
        out.fixed(UInt64(bitPattern: slot.b))
      }
    }
    out.failures(state.failures)
    out.ranks(state.ranked)
    return out.bytes
  }

  /// Takes up a host's saved state. Rules that have changed since begin anew: what was open of them is not in `open` any more.
  ///
  /// Where this engine judges the silence of hosts, what it has found about this one's stays: no other collector judges it.
  /// - Parameters:
  ///   - bytes: from `encodedState(of:)`; empty = nothing is known.
  ///   - name, labels: as the collector knows them now.
  /// - Throws: `RuleStateError`; the host then begins without a state.
  package func restore(
    _ bytes: [UInt8], of host: HostID, name: String, labels: [String: String]
  ) throws(RuleStateError) {
    if bytes.isEmpty { return }
    var input = StateReader(bytes)
    let version = try input.byte()
    guard (Self.versionWithoutMarks...Self.version).contains(version) else { throw .unknownVersion(version) }
    let hasMarks = version > Self.versionWithoutMarks
    var state = HostState(id: host, name: name, labels: labels)
    if version > Self.versionWithoutSequence { state.sequence = try input.sequence() }
    if version > Self.versionWithoutEnds {
      for _ in 0..<(try input.count(RuleLimits.endsMax)) {
        state.ends.append(FoundEnd(identity: try input.fixed(), ns: try input.time()))
      }
    }
    state.offsetNs = try input.difference()
    state.arrivedNs = try input.time()
    state.entities = []
    for _ in 0..<(try input.count(RuleLimits.entitiesMax)) {
      guard let kind = EntityKind(rawValue: try input.byte()) else { throw .malformed }
      let marks = EntityMarks(rawValue: try input.byte())
      let entity = Entity(name: try input.text(), markNs: try input.time(), kind: kind, marks: marks)
      state.entities.append(entity)
    }
    guard state.entities.first?.kind == .host else { throw .malformed }
    for _ in 0..<(try input.count(RuleLimits.entitiesMax * 2)) {
      var file = FileProgress(
        entity: try input.count(state.entities.count - 1),
        key: FileKey(high: try input.fixed(), low: try input.fixed()), offset: try input.unsigned())
      if hasMarks {
        for _ in 0..<(try input.count(RuleLimits.rowPartsMax)) {
          let from = try input.unsigned()
          file.parts.append(
            RowPart(
              from: from, steps: UInt32(clamping: try input.unsigned()),
              episodes: UInt32(clamping: try input.unsigned())))
        }
      }
      state.files.append(file)
    }
    if hasMarks {
      state.spool = SpoolProgress(
        spool: SpoolID(high: try input.fixed(), low: try input.fixed()), live: try input.unsigned(),
        backfill: try input.unsigned())
    }
    try input.runs(&state)
    state.slots = SlotTable(ownSilence(of: host, in: try slots(&input, entities: state.entities.count)))
    if version > Self.versionWithoutFailures { state.failures = try input.failures(entities: state.entities.count) }
    if version > Self.versionWithoutRanks { state.ranked = try input.ranks(entities: state.entities.count) }
    exclude(&state)
    let isFleet = host == fleet.state.id
    let cell = HostCell(state)
    if isFleet { fleet = cell } else { hosts[host] = cell }
  }

  private func slots(_ input: inout StateReader, entities: Int) throws(RuleStateError) -> [Slot] {
    let places = Dictionary(rules.map { ($0.rule.definitionHash, $0.place) }) { first, _ in first }
    var slots: [Slot] = []
    for _ in 0..<(try input.count(RuleSet.rulesMax)) {
      let place = places[try input.fixed()]
      for _ in 0..<(try input.count(1 << 20)) {
        let (key, a, b) = (try input.unsigned(), try input.signed(), Int64(bitPattern: try input.fixed()))
        let slot = Slot(key: key, a: a, b: b)
        guard key >> 52 == 0, SlotTable.entity(key) < entities, Self.isPlausible(slot) else { throw .malformed }
        if let place { slots.append(Slot(key: key | UInt64(place) << 52, a: a, b: b)) }
      }
    }
    return slots
  }

  /// Times and counts are as the engine keeps them, so that what is computed from them stays within 64 bits. Numbers whose words are
  /// bits (the value of a condition, the last samples, the parts of a ratio) may be anything.
  private static func isPlausible(_ slot: Slot) -> Bool {
    let isBits = [truthSub, samplesSub, moreSamplesSub, ratioSub].contains(SlotTable.sub(slot.key))
    if SlotTable.node(slot.key) != openNode, isBits { return true }
    let times = 0...RuleLimits.timeNsMax
    let hasTwoTimes = SlotTable.node(slot.key) == openNode || SlotTable.sub(slot.key) == holdSub
    return times.contains(slot.a) && (!hasTwoTimes || times.contains(slot.b))
  }

  /// Takes new rules. Those whose definition is the same keep their state, whatever their texts are now; what was open
  /// under another definition is cleared.
  package func reload(_ set: RuleSet, nowNs: Int64) -> [Transition] {
    arrivedNs = nowNs
    let old = rules
    compile(set)
    let places = Dictionary(rules.map { ($0.rule.definitionHash, $0.place) }) { first, _ in first }
    for cell in Array(hosts.values) + [fleet] { renew(&cell.state, old, places) }
    return takeTransitions()
  }

  private func renew(_ host: inout HostState, _ old: [CompiledRule], _ places: [UInt64: Int]) {
    var kept: [Slot] = []
    for slot in host.slots.slots {
      let rule = old[SlotTable.rule(slot.key)]
      if let place = places[rule.rule.definitionHash] {
        kept.append(Slot(key: slot.key & 0xf_ffff_ffff_ffff | UInt64(place) << 52, a: slot.a, b: slot.b))
      } else if SlotTable.node(slot.key) == Self.openNode {
        let timeNs = max(slot.a, host.entities[0].markNs)
        emit(.cleared(.ruleChanged), rule, &host, SlotTable.entity(slot.key), timeNs)
      }
    }
    host.slots = SlotTable(kept)
    // Their rules' indexes are the old ones.
    host.backlog = nil
    host.history = nil
    host.wakeNs = 0
    exclude(&host)
  }
}

extension StateWriter {
  /// Without the sums of the episode under way.
  fileprivate mutating func runs(_ state: borrowing HostState) {
    signed(state.processEndNs)
    count(state.runs.count)
    for run in state.runs {
      count(run.entity)
      for number in [run.startedNs, run.windowStartNs, run.windowSteps, run.lastStepNs] { signed(number) }
      fixed(run.sharesHeld.bitPattern)
      count(Int(run.announced))
      for word in run.numbers.words { fixed(word) }
    }
    count(state.histories.count)
    for history in state.histories {
      fixed(history.kind)
      for place in 0..<5 { fixed(Double(history.seconds[place]).bitPattern) }
    }
  }
}

extension StateReader {
  fileprivate mutating func ranks(entities: Int) throws(RuleStateError) -> [RankedRun] {
    var found: [RankedRun] = []
    for _ in 0..<(try count(RankLimits.runsMax)) {
      var ranked = RankedRun(run: try count(entities - 1))
      ranked.job = try fixed()
      for _ in 0..<(try count(RankLimits.ranksMax)) { ranked.note(rank: Int32(clamping: try count(Int(Int32.max)))) }
      found.append(ranked)
    }
    return found
  }

  fileprivate mutating func runs(_ state: inout HostState) throws(RuleStateError) {
    state.processEndNs = try time()
    for _ in 0..<(try count(RuleLimits.entitiesMax)) {
      var run = RunProgress(entity: try count(state.entities.count - 1))
      run.startedNs = try time()
      run.windowStartNs = try time()
      run.windowSteps = try time()
      run.lastStepNs = try time()
      run.sharesHeld = Double(bitPattern: try fixed())
      run.announced = Int32(truncatingIfNeeded: try count(Int(Int32.max)))
      var words: [UInt64] = []
      for _ in 0..<6 { words.append(try fixed()) }
      run.numbers = EpisodeNumbers(words: words)
      state.runs.append(run)
    }
    for _ in 0..<(try count(RuleLimits.historiesMax)) {
      var history = RunHistory(kind: try fixed())
      for _ in 0..<5 {
        let seconds = Double(bitPattern: try fixed())
        if !seconds.isNaN { history.add(seconds) }
      }
      state.histories.append(history)
    }
  }
}

extension StateWriter {
  /// Not the ways of the ranks, which are known again after minutes.
  fileprivate mutating func ranks(_ ranked: [RankedRun]) {
    count(ranked.count)
    for run in ranked {
      count(run.run)
      fixed(run.job)
      count(run.ranks.count)
      for rank in run.ranks { count(Int(rank)) }
    }
  }
}

/// Writes numbers in as few bytes as they need (LEB128, zigzag).
struct StateWriter {
  var bytes: [UInt8] = []

  mutating func unsigned(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func signed(_ value: Int64) { unsigned(UInt64(bitPattern: value << 1 ^ value >> 63)) }
  mutating func count(_ value: Int) { unsigned(UInt64(value)) }
  mutating func fixed(_ value: UInt64) {
    for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(shift)))) }
  }

  mutating func text(_ value: String) {
    count(value.utf8.count)
    bytes += value.utf8
  }
}

/// Reads what `StateWriter` wrote; never traps, whatever the bytes are.
struct StateReader {
  private let bytes: [UInt8]
  private var at = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func byte() throws(RuleStateError) -> UInt8 {
    guard at < bytes.count else { throw .truncated }
    at += 1
    return bytes[at - 1]
  }

  mutating func unsigned() throws(RuleStateError) -> UInt64 {
    var value: UInt64 = 0
    for shift in 0..<10 {
      let byte = try byte()
      value |= UInt64(byte & 0x7f) << (7 * UInt64(shift))
      if byte < 0x80 { return value }
    }
    throw .malformed
  }

  mutating func signed() throws(RuleStateError) -> Int64 {
    let value = try unsigned()
    return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }

  /// As `nextState(of:)` counts: within what a column of 64 bits with a sign holds.
  mutating func sequence() throws(RuleStateError) -> UInt64 {
    let value = try unsigned()
    guard value <= UInt64(Int64.max) / 2 else { throw .malformed }
    return value
  }

  /// A time or a count: never negative, and so small that sums and differences of two fit.
  mutating func time() throws(RuleStateError) -> Int64 {
    let value = try signed()
    guard (0...RuleLimits.timeNsMax).contains(value) else { throw .malformed }
    return value
  }

  /// Of two times.
  mutating func difference() throws(RuleStateError) -> Int64 {
    let value = try signed()
    guard value.magnitude <= RuleLimits.timeNsMax.magnitude else { throw .malformed }
    return value
  }

  /// - Parameter limit: the greatest that is accepted.
  mutating func count(_ limit: Int) throws(RuleStateError) -> Int {
    let value = try unsigned()
    guard value <= UInt64(limit) else { throw .malformed }
    return Int(value)
  }

  mutating func fixed() throws(RuleStateError) -> UInt64 {
    var value: UInt64 = 0
    for shift in 0..<8 { value |= UInt64(try byte()) << (8 * UInt64(shift)) }
    return value
  }

  mutating func text() throws(RuleStateError) -> String {
    let length = try count(1 << 16)
    guard at + length <= bytes.count else { throw .truncated }
    defer { at += length }
    return String(decoding: bytes[at..<at + length], as: UTF8.self)
  }
}
