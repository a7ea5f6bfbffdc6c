internal import FleetModel

/// An entity that a host's facts are about.
struct Entity: Equatable {
  var name: String
  /// Of the latest fact about it, the host's clock.
  var markNs: Int64
  var kind: EntityKind
  var marks: EntityMarks = []

  /// A run that reported it, a process that was seen to end.
  var hasEnded: Bool { marks.contains(.ended) }

  mutating func set(_ mark: EntityMarks, _ isSet: Bool) {
    if isSet { marks.insert(mark) } else { marks.remove(mark) }
  }
}

/// What is known of a run or a process.
struct EntityMarks: OptionSet {
  let rawValue: UInt8
  static let ended = EntityMarks(rawValue: 1)
  /// Ended by failing.
  static let failed = EntityMarks(rawValue: 2)
  /// Has made a step since it began.
  static let progressed = EntityMarks(rawValue: 4)
  /// Reported itself as running.
  static let declared = EntityMarks(rawValue: 8)
  /// Has reported finite rewards: one that is not a number then is one.
  static let rewarded = EntityMarks(rawValue: 16)
}

/// How far a followed file has been judged, so that what is sent again changes nothing.
struct FileProgress: Equatable {
  var entity: Int
  var key: FileKey
  var offset: UInt64
  /// The newest judged parts that held rows, oldest first. Lines have offsets of their own, rows do not: a part that is sent again
  /// and cut otherwise is distinguished by how many rows the parts from its start on held.
  var parts: [RowPart] = []
}

/// Rows of one judged part of a file.
struct RowPart: Equatable {
  var from: UInt64
  var steps: UInt32
  /// Episodes that ended in it.
  var episodes: UInt32
}

/// The last judged sequences of a spool, so that records that are sent again change nothing.
struct SpoolProgress: Equatable {
  var spool = SpoolID(high: 0, low: 0)
  var live: UInt64 = 0
  var backfill: UInt64 = 0

  /// - Returns: whether the part holds anything that was not judged; notes it.
  mutating func advance(_ part: SpooledRecords, of spool: SpoolID) -> Bool {
    if self.spool != spool { self = SpoolProgress(spool: spool) }
    switch part.lane {
    case .live:
      guard part.lastSequence > live else { return false }
      live = part.lastSequence
    case .backfill:
      guard part.lastSequence > backfill else { return false }
      backfill = part.lastSequence
    }
    return true
  }
}

/// A host's state where it stays: taken in hand once a batch, and not guarded anew at each look.
final class HostCell {
  var state: HostState

  init(_ state: consuming HostState) { self.state = state }
}

/// What a state stands for.
enum HostRole: UInt8 {
  case current
  /// Samples that came after newer ones.
  case backlog
  /// Content that files had before the host's agent first followed them.
  case history
}

/// All that the engine keeps of a host. It is never copied: a reader borrows it.
struct HostState: ~Copyable {
  let id: HostID
  let role: HostRole
  var name: String
  var labels: [String: String]
  /// Index 0 is the host itself; indexes of forgotten entities are reused.
  private(set) var index = EntityIndex()
  var entities: [Entity]
  var slots = SlotTable()
  var spool = SpoolProgress()
  var files: [FileProgress] = []
  var runs: [RunProgress] = []
  /// How long the last runs took, by their kind.
  var histories: [RunHistory] = []
  /// When a training process was last seen to end, the host's clock; 0 = never.
  var processEndNs: Int64 = 0
  /// When the host booted, the host's clock; 0 = not known.
  var bootNs: Int64 = 0
  /// A bit a rule whose labels the host lacks.
  var excluded: [UInt64] = []
  /// The newest ends of findings that a line can begin, the latest last; at most `RuleLimits.endsMax`.
  var ends: [FoundEnd] = []
  /// Which file each run's rows came from last; learned anew after a restart.
  var runFiles: [RunFile] = []
  /// What its runs' ranks do; only their jobs and ranks are saved.
  var ranked: [RankedRun] = []
  /// What its files have raised and how its processes ended, until it is concluded.
  var failures = FailureWatch()
  /// Collector's clock less the host's when the last fact came.
  var offsetNs: Int64 = 0
  /// Collector's clock when something came that was older than a count's window may be; 0 = never. While more of it comes, counts
  /// do not end by the clock.
  var lateNs: Int64 = 0
  /// Where late samples are judged, while they come.
  var backlog: LateCell?
  var history: LateCell?
  /// Collector's clock at the last report; 0 = none yet.
  var arrivedNs: Int64 = 0
  /// See `RuleEngine.takeUrgency(of:)`.
  var isUrgent = false
  /// Earliest time at which time alone may change something.
  var wakeNs: Int64 = 0
  /// Its facts go to another collector: of what they hold only that one knows how time changes it.
  var isElsewhere = false
  /// Of the newest state that was given out to be saved; 0 = none.
  var sequence: UInt64 = 0

  init(id: HostID, name: String, labels: [String: String], role: HostRole = .current) {
    self.id = id
    self.role = role
    self.name = name
    self.labels = labels
    entities = [Entity(name: "", markNs: 0, kind: .host)]
  }

  @inline(__always)
  func isExcluded(_ rule: Int) -> Bool {
    rule >> 6 < excluded.count && excluded[rule >> 6] >> UInt64(rule & 63) & 1 == 1
  }

  /// The index of an entity; nil once the host has more than `RuleLimits.entitiesMax`.
  mutating func entity(_ kind: EntityKind, _ name: String) -> Int? {
    if let known = known(kind, name) { return known }
    if kind == .probe, entities.count(where: { $0.kind == .probe }) >= RuleLimits.probesMax { return nil }
    let entity = Entity(name: name, markNs: 0, kind: kind)
    if let free = index.takeFree(entities) {
      entities[free] = entity
      index.add(entity, at: free)
      return free
    }
    guard entities.count < RuleLimits.entitiesMax else { return nil }
    entities.append(entity)
    index.add(entity, at: entities.count - 1)
    return entities.count - 1
  }

  /// The index of an entity that is known.
  mutating func known(_ kind: EntityKind, _ name: String) -> Int? {
    if entities.count <= EntityIndex.searchedMax {
      return entities.indices.dropFirst().first { entities[$0].kind == kind && entities[$0].name.hasBytes(of: name) }
    }
    return index.place(of: kind, name, entities)
  }

  /// Forgets entities and all that is remembered of them.
  mutating func forget(_ places: Set<Int>) {
    if places.isEmpty { return }
    for place in places { entities[place] = Entity(name: "", markNs: 0, kind: .host) }
    index = EntityIndex()
    slots.forget(entities: places)
    files.removeAll { places.contains($0.entity) }
    runs.removeAll { places.contains($0.entity) }
    failures.cases.removeAll { places.contains($0.file) }
    runFiles.removeAll { places.contains($0.run) || places.contains($0.file) }
    ranked.removeAll { places.contains($0.run) }
    for place in ranked.indices { ranked[place].tracks.removeAll { places.contains($0.file) } }
  }

  func places(of kind: EntityKind) -> [Int] {
    kind == .host ? [0] : entities.indices.filter { $0 > 0 && entities[$0].kind == kind }
  }

  /// Bytes on the heap, without the names and labels that every part of the collector keeps of a host anyway.
  var bytes: Int {
    var bytes = 240 + 32 + entities.capacity * MemoryLayout<Entity>.stride + slots.bytes + index.bytes
    for entity in entities where entity.name.utf8.count > 15 { bytes += 32 + entity.name.utf8.count }
    if !files.isEmpty { bytes += 32 + files.capacity * MemoryLayout<FileProgress>.stride }
    if !runs.isEmpty { bytes += 32 + runs.capacity * MemoryLayout<RunProgress>.stride }
    for run in runs where !run.episodes.isEmpty { bytes += 32 + MemoryLayout<EpisodeSummary>.stride }
    for file in files where !file.parts.isEmpty { bytes += 32 + file.parts.capacity * MemoryLayout<RowPart>.stride }
    if !runFiles.isEmpty { bytes += 32 + runFiles.capacity * MemoryLayout<RunFile>.stride }
    if !ranked.isEmpty { bytes += 32 + ranked.reduce(0) { $0 + $1.bytes } }
    for late in [backlog, history] { bytes += late?.state.bytes ?? 0 }
    if !ends.isEmpty { bytes += 32 + ends.capacity * MemoryLayout<FoundEnd>.stride }
    if !histories.isEmpty { bytes += 32 + histories.capacity * MemoryLayout<RunHistory>.stride }
    return bytes
  }
}

/// A run and the file that its rows come from, among the host's entities.
struct RunFile: Equatable {
  let run: Int
  var file: Int

  /// More runs of one host than train on it at once.
  static let countMax = 256
}

/// When what a rule had found of an entity last ended.
struct FoundEnd: Equatable {
  /// A hash of the rule's definition and the entity: other rules and other entities may take their places.
  let identity: UInt64
  /// The host's clock.
  var ns: Int64

  static func identity(_ rule: CompiledRule, _ entity: Entity) -> UInt64 {
    let definition = rule.rule.definitionHash
    var bytes = (0..<8).map { UInt8(truncatingIfNeeded: definition >> ($0 * 8)) }
    bytes.append(entity.kind.rawValue)
    bytes += entity.name.utf8
    return ContentHash.of(bytes.span)
  }
}

/// Bounds of the engine, each with its reason.
package enum RuleLimits {
  /// Entities of one host: a host that invents names costs a bounded amount of memory.
  package static let entitiesMax = 1024
  /// Results of probes among them: services whose labels never repeat leave room for what else the host has.
  static let probesMax = 768
  /// Bytes of a log line kept as evidence.
  package static let evidenceBytesMax = 2000
  /// Ends that are remembered of a host: those of the last seconds matter.
  static let endsMax = 32
  /// A host is live while it has reported within this time; else its last report proves nothing.
  package static let liveNs: Int64 = 60_000_000_000
  /// A run is live while it made a step within this time.
  static let liveRunNs: Int64 = 900_000_000_000
  /// A sample older than this proves nothing about now.
  static let freshNs: Int64 = 300_000_000_000
  /// A clock that goes back by less was slewed or read out of order; by more it was set.
  static let clockStepNs: Int64 = 1_000_000_000
  /// The states of late samples and of history are dropped when nothing late has come for so long: an agent that has a backlog sends
  /// of it with each batch.
  static let lateQuietNs: Int64 = 60_000_000_000
  /// Parts of a file whose rows are remembered: a stream has at most 32 batches un-acked (`FleetProtocol.unackedBatches`), and only
  /// what is not acked is sent again.
  static let rowPartsMax = 36
  /// Findings of one host's history that are recorded: what lies before the agent's time is read once, and a thousand old findings help no operator
  /// lines of it. More are counted.
  static let historyFindingsMax = 200
  /// No time is later (the year 2116): sums and differences of times stay within 64 bits, whatever a host sends.
  static let timeNsMax: Int64 = 1 << 62
  /// A gap between two samples that a hold survives, unless half of the hold is longer.
  static let gapNs: Int64 = 120_000_000_000
  /// An entity that its live host no longer reports is forgotten…
  static let forgetNs: Int64 = 1_800_000_000_000
  /// …but later if it has an open incident.
  static let forgetOpenNs: Int64 = 86_400_000_000_000
  /// Samples before a median, a mean or a best value is used.
  static let medianSamples: Int64 = 30
  /// Intervals before the usual one is guessed: from the longest of them until there are as many as of a median.
  static let intervalSamples: Int64 = 5
  /// A boot time that is worked out anew each second wavers by less.
  static let bootSlackNs: Int64 = 30_000_000_000
  /// Kinds of runs of a host whose lengths are kept.
  static let historiesMax = 16
  /// A run that failed longer ago is not what another one begins anew.
  static let restartNs: Int64 = 1_200_000_000_000
  /// Parts of the window of a count that are kept apart; up to so many occurrences are counted exactly.
  static let windowParts: Int64 = 16
  /// Over how long the speed of a run is measured.
  static let progressNs: Int64 = 10_000_000_000
}
