internal import Collector
internal import FleetModel

/// What the model's rules find.
enum ModelFinding: Hashable {
  /// A file has reached a multiple of `everyBytes`: the same bytes always hold the same findings, however they are cut.
  case reached(FileKey, offset: UInt64)
  /// Time alone found something: it is never found again.
  case tick(UInt64)

  private static let everyBytes: UInt64 = 512

  static func all(in key: FileKey, from: UInt64, to: UInt64) -> [ModelFinding] {
    guard to > from else { return [] }
    return (from / everyBytes + 1..<to / everyBytes + 1).map { .reached(key, offset: $0 * everyBytes) }
  }
}

/// What the model's rules remember of a host, in place of the rule engine's state.
struct ModelRuleState {
  var sequence: UInt64 = 0
  /// Bytes that were judged, in all.
  var judgedBytes: UInt64 = 0
  var lastTick: UInt64 = 0
  /// How far each file was judged.
  var offsets: [FileKey: UInt64] = [:]

  init() {}

  /// - Parameter bytes: of `encoded`.
  init(_ bytes: [UInt8]) {
    let words = stride(from: 0, to: bytes.count, by: 8).map { start in
      (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << (8 * UInt64($1)) }
    }
    (sequence, judgedBytes, lastTick) = (words[0], words[1], words[2])
    for start in stride(from: 3, to: words.count, by: 3) {
      offsets[FileKey(high: words[start], low: words[start + 1])] = words[start + 2]
    }
  }

  var encoded: [UInt8] {
    let files = offsets.sorted { $0.key < $1.key }.flatMap { [$0.key.high, $0.key.low, $0.value] }
    return ([sequence, judgedBytes, lastTick] + files).flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
    }
  }

  /// - Returns: what the batch holds that was not judged before; nil where it holds nothing of a file.
  mutating func judge(_ batch: Batch) -> [ModelFinding]? {
    var found: [ModelFinding]?
    for delta in batch.files {
      let seen = offsets[delta.file.key] ?? 0
      guard delta.to > seen else { continue }
      found = (found ?? []) + ModelFinding.all(in: delta.file.key, from: seen, to: delta.to)
      judgedBytes += delta.to - max(delta.from, seen)
      offsets[delta.file.key] = delta.to
    }
    return found
  }
}

/// The rules of one collector between its streams and its writer: ledger and gate are the real ones, the engine is a model.
struct ModelRules {
  struct Record {
    var number: UInt64
    var findings: [ModelFinding]
  }

  private struct Host {
    var number: Int32
    var stream: Int?
    var state = ModelRuleState()
    var ledger = RuleStateLedger()
  }

  private var hosts: [HostID: Host] = [:]
  private var gate = FindingGate<Int>()
  private var lastRecord: UInt64 = 0
  /// Handed to paging, which takes them in order.
  private var unsent: [Record] = []

  /// - Returns: the stream of the host that this one replaces, or the stream itself where a newer one was there before.
  mutating func began(_ stream: Int, of id: HostID, _ fence: Fence) -> Int? {
    var host = hosts[id] ?? Host(number: fence.hostNumber)
    if host.stream != nil, fence.epoch < host.ledger.epoch { return stream }
    let old = host.stream
    if let old { _ = gate.release(old) }
    let takesKept = host.ledger.streamBegan(
      epoch: fence.epoch, kept: fence.ruleState?.version, sequence: host.state.sequence)
    if takesKept, let kept = fence.ruleState { host.state = ModelRuleState(kept.bytes) }
    host.stream = stream
    hosts[id] = host
    return old
  }

  mutating func ended(_ stream: Int) {
    for held in gate.release(stream) where held.batch.ruleState != nil {
      hosts[held.batch.host]?.ledger.changed(mustSave: true)
    }
    for (id, host) in hosts where host.stream == stream { hosts[id]?.stream = nil }
  }

  /// - Returns: the batch where it passes at once; nil where it waits, or its stream is not the host's newest one.
  mutating func observe(_ batch: StagedBatch, of stream: Int, bytes: Int) -> StagedBatch? {
    guard var host = hosts[batch.host], host.stream == stream else { return nil }
    let found = host.state.judge(batch.batch)
    if let found, !found.isEmpty { host.ledger.found(record(found)) }
    let verdict = host.ledger.judged(isUrgent: found != nil, hasFindings: found?.isEmpty == false)
    var batch = batch
    if verdict.carries { batch.ruleState = Self.nextState(&host) }
    hosts[batch.host] = host
    return gate.pass(batch, of: stream, bytes: bytes, after: verdict.after) ? batch : nil
  }

  /// Time passes: something is found on a host without facts.
  mutating func tick(_ number: UInt64, on index: Int) {
    let ids = hosts.keys.sorted()
    guard !ids.isEmpty, var host = hosts[ids[index % ids.count]] else { return }
    host.state.lastTick = number
    host.ledger.found(record([.tick(number)]))
    host.ledger.changed(mustSave: true)
    hosts[ids[index % ids.count]] = host
  }

  /// - Returns: states that are to be saved without facts.
  mutating func requiredSaves(nowNs: Int64) -> [StagedBatch] {
    hosts.keys.sorted().compactMap { id in
      guard var host = hosts[id], host.ledger.needsSave, gate.isOpen(to: host.stream, after: host.ledger.record)
      else { return nil }
      host.ledger.carried()
      var batch = StagedBatch(
        host: id, hostNumber: host.number, epoch: host.ledger.epoch, spool: SpoolID(high: 0, low: 0),
        receivedNs: nowNs, batch: Batch())
      batch.ruleState = Self.nextState(&host)
      hosts[id] = host
      return batch
    }
  }

  /// A record and all before it are in the database.
  mutating func recorded(_ number: UInt64) -> [FindingGate<Int>.Held] { gate.recorded(number) }

  mutating func takeRecords() -> [Record] {
    defer { unsent = [] }
    return unsent
  }

  private mutating func record(_ found: [ModelFinding]) -> UInt64 {
    lastRecord += 1
    unsent.append(Record(number: lastRecord, findings: found))
    return lastRecord
  }

  private static func nextState(_ host: inout Host) -> SavedRuleState {
    host.state.sequence += 1
    return SavedRuleState(
      hostNumber: host.number,
      version: RuleStateVersion(epoch: host.ledger.epoch, sequence: host.state.sequence), bytes: host.state.encoded)
  }
}
