internal import Collector
internal import Files
package import FleetModel
internal import Incidents
@testable internal import Paging
internal import RuleFiles
internal import Rules
internal import Schema
import SiteConfiguration
@testable internal import Store

/// Whole batches with numbers of any size, the way that they take through a collector: decoding, the session, the shipped rules and their
/// saved state, rows, metrics, and what is said to receivers.
package enum WholeBatchTarget {
  package static let nowNs: Int64 = 1_790_000_000_000_000_000
  private static let second: Int64 = 1_000_000_000

  /// The rules as they are shipped.
  static let rules: RuleSet = {
    let file = #filePath
    let root = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
    do throws(DocumentMistake) {
      return try RulePack("\(root)/deploy/rules").set
    } catch {
      fatalError("the shipped rules cannot be read: \(error)")
    }
  }()

  /// The first byte decides: either the rest is a frame as a peer may send it, or each byte chooses one number of a well-formed batch.
  static func run(_ input: [UInt8]) {
    guard let kind = input.first else { return }
    let rest = Array(input.dropFirst())
    if kind % 2 == 0 {
      exercise([frame { _, _ in nil }, rest, frame(at: 20, runState: 2) { _, _ in nil }])
      return
    }
    var choices = Choices(rest)
    let extremes = frame(at: 10) { _, type in
      let choice = Int(choices.byte())
      let numbers = ProtoSchema.report.extremes(of: type)
      // Most fields stay usual, or the batch would be refused for its first one.
      return choice < numbers.count ? numbers[choice] : nil
    }
    exercise([frame { _, _ in nil }, extremes, frame(at: 20, runState: 2) { _, _ in nil }])
  }

  /// An `AgentFrame` with a batch.
  package static func frame(
    at seconds: Int64 = 0, runState: UInt64 = 1, choose: @escaping (_ path: [String], _ type: String) -> UInt64?
  ) -> [UInt8] {
    let sample = ProtoSample(nowNs: nowNs + seconds * second, runState: runState, choose: choose)
    let batch = sample.bytes(of: "Batch")
    var length: [UInt8] = []
    var rest = batch.count
    while rest >= 0x80 {
      length.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return [2 << 3 | 2] + length + [UInt8(rest)] + batch
  }

  /// The batch of a frame; nil where it is refused, or holds none.
  package static func batch(of frame: [UInt8]) -> Batch? {
    guard case .batch(let batch)? = try? Wire.decodeAgentFrame(frame.span) else { return nil }
    return batch
  }

  /// Everything but the database, for frames of one host, one after the other.
  package static func exercise(_ frames: [[UInt8]]) {
    let engine = RuleEngine(rules)
    let id = HostID(high: 1, low: 1)
    for (number, frame) in frames.enumerated() {
      guard let batch = batch(of: frame) else { continue }
      let receivedNs = nowNs + Int64(number) * 10 * second
      let found = engine.observe(batch, from: id, name: "h", labels: [:], nowNs: receivedNs)
      let late = engine.tick(receivedNs + 5 * second)
      say(found + late, receivedNs)
      makeRows(batch, receivedNs)
      // Another collector goes on from what this one has saved.
      try? engine.restore(engine.encodedState(of: id), of: id, name: "h", labels: [:])
    }
    _ = engine.tick(nowNs + 3600 * second)
  }

  private static func say(_ found: [Transition], _ receivedNs: Int64) {
    let rules = Dictionary(rules.rules.map { ($0.id, $0) }) { first, _ in first }
    for transition in found {
      guard let rule = rules[transition.rule] else { continue }
      let change = IncidentChange(transition, of: rule, host: KnownHost(id: transition.host, number: 1, name: "h"))
      precondition(change.identity.utf8.count <= IndexKey.bytesMax, "a key too long for its index")
      precondition(change.dedupKey.utf8.count <= IncidentChange.dedupKeyBytesMax, "a key too long for receivers")
      var record = IncidentRecord(
        number: 1, rule: change.rule, severity: change.severity, dedupKey: change.dedupKey, openedNs: change.eventNs)
      record.summary = change.summary
      record.evidence = change.evidence
      let delivery = Delivery(
        rows: [1], receiver: "duty", event: .trigger, messageID: "msg_1", attempts: 1, detail: "", incidents: [record],
        incidentCount: 1, isList: false)
      let receivers: [Receiver] = [
        .webhook(url: "http://h/", secrets: ["s"]), .pagerDuty(url: "http://h/", routingKey: "k"),
        .slack(url: "http://h/"), .email(EmailReceiver(server: "smtp://h", from: "a@h", to: ["b@h"])),
        .alertmanager(url: "http://h/"), .alertmanagerWebhook(url: "http://h/"),
      ]
      for receiver in receivers { _ = Message(delivery, nowNs: receivedNs).request(to: receiver) }
    }
  }

  private static func makeRows(_ batch: Batch, _ receivedNs: Int64) {
    let staged = StagedBatch(
      host: HostID(high: 1, low: 1), hostNumber: 1, epoch: 1, spool: SpoolID(high: 1, low: 1), receivedNs: receivedNs,
      batch: batch)
    var marks = Marks()
    marks.epochs = [1: 1]
    var rows = RowBuffers()
    let plan = GroupPlan([staged], marks: marks)
    var quotas = HostQuotas()
    quotas.begin([1])
    var runs: [RunKey: Int32] = [:]
    for part in batch.spooled {
      for run in part.records.runs { runs[RunKey(host: 1, run: RunName.stored(run.run), file: nil)] = 1 }
    }
    for delta in batch.files {
      for run in delta.runs { runs[RunKey(host: 1, run: RunName.stored(run.run), file: delta.file.key)] = 1 }
    }
    let training = rows.append(
      [staged], plan,
      files: Dictionary(batch.files.map { (Marks.FileOfHost(host: 1, key: $0.file.key), 1) }) { first, _ in first },
      runs: runs,
      oldestUs: 90 * 86_400_000_000, quotas: &quotas)
    for (_, summary) in training.episodes {
      _ = summary.merged(with: summary).metrics
      rows.append(summary, run: 1)
    }
    for latest in rows.latest.values {
      _ = latest.memoryUsedPercent
      _ = latest.newestGPUs
    }
    var groups = GroupCommit<Int>()
    _ = groups.stage(staged, of: 1, bytes: 1)
    let metrics = CollectorMetrics()
    metrics.rowsCommitted.add(UInt64(batch.rowCount))
    metrics.batchesStaged.set(Int64(groups.waitingRows))
    _ = metrics.exposition
  }
}
