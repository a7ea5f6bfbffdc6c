/// How urgent a rule's finding is; decides who is paged, and when.
package enum Severity: UInt8, Sendable, CaseIterable, Comparable {
  /// Page at once, at any hour.
  case p0
  /// Page at once; escalates more slowly.
  case p1
  /// A ticket within hours.
  case p2
  /// The next business day's digest.
  case p3

  /// `P0`…`P3`.
  package var word: String { "P\(rawValue)" }

  /// - Parameter word: `P0`…`P3`, in any case.
  package init?(word: some StringProtocol) {
    let bytes = Array(word.utf8)
    guard bytes.count == 2, bytes[0] | 0x20 == UInt8(ascii: "p"),
      let severity = Severity(rawValue: bytes[1] &- UInt8(ascii: "0"))
    else { return nil }
    self = severity
  }

  package static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
}

/// What is to be attached to an incident.
package enum EvidenceRequest: Sendable, Equatable {
  case topProcesses
  case kernelMessages
  case gpuState
  case recentSteps
  /// The last lines of the files that fit.
  case log(file: String, lines: Int)
  /// How a metric went before it.
  case metric(name: String, overNs: Int64)

  /// The word in rule files.
  package var word: String {
    switch self {
    case .topProcesses: "top_processes"
    case .kernelMessages: "kernel_messages"
    case .gpuState: "gpu_state"
    case .recentSteps: "recent_steps"
    case .log(let file, _): "log \(file)"
    case .metric(let name, _): name
    }
  }
}

/// What a rule has found or no longer finds: all that incidents and pages are made from.
///
/// The same change may come again, after a replay or from another collector: it is recognised by `identity`, `kind` and `eventNs`.
package struct IncidentChange: Sendable, Equatable {
  package enum Kind: UInt8, Sendable {
    case opened
    case cleared
  }

  package var kind: Kind
  /// The rule's id, such as `RES-01`.
  package var rule: String
  package var title = ""
  package var severity: Severity
  /// The rule only observes: its incidents are shown and never paged.
  package var isObserved = false
  /// nil where the whole fleet is meant.
  package var hostNumber: Int32?
  package var hostName: String
  /// What on the host, such as `gpu 3` or a file's path; "" for the host itself.
  package var entity: String
  /// The entity that identity and deduplication key are made of, where the database does not take it as this incident's entity.
  package var keyEntity: String?
  /// When it happened, by the host's clock, ns since 1970.
  package var eventNs: Int64
  /// When the rule noticed, by the collector's clock, ns since 1970.
  package var detectedNs: Int64
  /// One sentence for people.
  package var summary = ""
  /// What to do, in order.
  package var steps: [String] = []
  /// What usually is behind it, most frequent first.
  package var causes: [String] = []
  /// Address of the rule's own page; "" for none.
  package var runbook = ""
  /// What the failure is put down to; nil = it is about none.
  package var diagnosis: Diagnosis?
  /// Lines and figures that show it.
  package var evidence: [String] = []
  /// What else belongs to it, to be looked up when it is written down.
  package var wanted: [EvidenceRequest] = []
  /// Rules whose incidents on the same host follow from this one and are muted by it while it is open: patterns as `StarPattern`.
  package var mutes: [String] = []

  package init(
    _ kind: Kind, rule: String, severity: Severity, hostNumber: Int32? = nil, hostName: String = "",
    entity: String = "", eventNs: Int64, detectedNs: Int64
  ) {
    self.kind = kind
    self.rule = rule
    self.severity = severity
    self.hostNumber = hostNumber
    self.hostName = hostName
    self.entity = entity
    self.eventNs = eventNs
    self.detectedNs = detectedNs
  }

  /// One incident is open for each at a time: rule, host and entity. At most `IndexKey.bytesMax` bytes, because it is indexed and the
  /// entity may be a path of 4 kB.
  package var identity: String {
    IndexKey.bounded("\(rule)|\(hostNumber.map { String($0) } ?? hostName)|\(keyEntity ?? entity)")
  }

  /// What receivers recognise an incident by: `rule|host|entity|start`, one line of at most 255 bytes; what is longer,
  /// or was more than a line, holds its hash.
  package var dedupKey: String {
    let start = "|" + Timestamp.text(eventNs, digits: 6)
    let subject = IndexKey.oneLine("\(rule)|\(hostName)|\(keyEntity ?? entity)")
    return IndexKey.bounded(subject, bytesMax: Self.dedupKeyBytesMax - start.utf8.count) + start
  }

  /// PagerDuty's limit for dedup_key.
  package static let dedupKeyBytesMax = 255
}
