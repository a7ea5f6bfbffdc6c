internal import FleetModel

/// A thing that a host's facts tell of.
struct Entity: Equatable {
  var name: String
  /// Of the latest fact about it, the host's clock.
  var markNs: Int64
  var kind: EntityKind
  var marks: EntityMarks = []

  /// A run that said so itself, a process that was seen to end.
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
  /// Said itself that it runs.
  static let declared = EntityMarks(rawValue: 8)
  /// Has told finite rewards: one that is not a number then is one.
  static let rewarded = EntityMarks(rawValue: 16)
}

/// How far a followed file has been seen, so that what is sent again changes nothing.
struct FileProgress: Equatable {
  var entity: Int
  var key: FileKey
  var offset: UInt64
}

/// A host's state where it stays: taken in hand once a batch, and not guarded anew at each look.
final class HostCell {
  var state: HostState

  init(_ state: consuming HostState) { self.state = state }
}

/// All that the engine keeps of a host. It is never copied: whoever looks at it holds it.
struct HostState: ~Copyable {
  let id: HostID
  var name: String
  var labels: [String: String]
  /// Place 0 is the host itself; places of forgotten things are taken again.
  var entities: [Entity]
  var slots = SlotTable()
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
  /// Collector's clock less the host's when the last fact came.
  var offsetNs: Int64 = 0
  /// Collector's clock at the last report; 0 = none yet.
  var arrivedNs: Int64 = 0
  /// See `RuleEngine.takeUrgency(of:)`.
  var isUrgent = false
  /// Earliest time at which time alone may change something.
  var wakeNs: Int64 = 0

  init(id: HostID, name: String, labels: [String: String]) {
    self.id = id
    self.name = name
    self.labels = labels
    entities = [Entity(name: "", markNs: 0, kind: .host)]
  }

  @inline(__always)
  func isExcluded(_ rule: Int) -> Bool {
    rule >> 6 < excluded.count && excluded[rule >> 6] >> UInt64(rule & 63) & 1 == 1
  }

  /// The place of a thing; nil once the host has more than `RuleLimits.entitiesMax`.
  mutating func entity(_ kind: EntityKind, _ name: String) -> Int? {
    var free: Int?
    for place in entities.indices.dropFirst() {
      if entities[place].kind == kind, entities[place].name == name { return place }
      if entities[place].kind == .host { free = place }
    }
    let entity = Entity(name: name, markNs: 0, kind: kind)
    if let free {
      entities[free] = entity
      return free
    }
    guard entities.count < RuleLimits.entitiesMax else { return nil }
    entities.append(entity)
    return entities.count - 1
  }

  /// Forgets a thing and all that is remembered of it.
  mutating func forget(_ place: Int) {
    entities[place] = Entity(name: "", markNs: 0, kind: .host)
    slots.forget(entity: place)
    files.removeAll { $0.entity == place }
    runs.removeAll { $0.entity == place }
  }

  func places(of kind: EntityKind) -> [Int] {
    kind == .host ? [0] : entities.indices.filter { $0 > 0 && entities[$0].kind == kind }
  }

  /// Bytes on the heap, without the names and labels that every part of the collector keeps of a host anyway.
  var bytes: Int {
    var bytes = 160 + 32 + entities.capacity * MemoryLayout<Entity>.stride + slots.bytes
    for entity in entities where entity.name.utf8.count > 15 { bytes += 32 + entity.name.utf8.count }
    if !files.isEmpty { bytes += 32 + files.capacity * MemoryLayout<FileProgress>.stride }
    if !runs.isEmpty { bytes += 32 + runs.capacity * MemoryLayout<RunProgress>.stride }
    for run in runs where !run.episodes.isEmpty { bytes += 32 + MemoryLayout<EpisodeSummary>.stride }
    if !histories.isEmpty { bytes += 32 + histories.capacity * MemoryLayout<RunHistory>.stride }
    return bytes
  }
}

/// Bounds of the engine, each with its reason.
package enum RuleLimits {
  /// Things of one host: a host that invents names costs a bounded amount of memory.
  package static let entitiesMax = 1024
  /// Bytes of a log line kept as evidence.
  package static let evidenceBytesMax = 2000
  /// A host is live while it has reported within this time; else what it last said proves nothing.
  package static let liveNs: Int64 = 60_000_000_000
  /// A run is live while it made a step within this time.
  static let liveRunNs: Int64 = 900_000_000_000
  /// A sample older than this says nothing about now.
  static let freshNs: Int64 = 300_000_000_000
  /// No time is later (the year 2116): sums and differences of times stay within 64 bits, whatever a host sends.
  static let timeNsMax: Int64 = 1 << 62
  /// A gap between two samples that a hold survives, unless half of the hold is longer.
  static let gapNs: Int64 = 120_000_000_000
  /// A thing that its live host no longer tells of is forgotten…
  static let forgetNs: Int64 = 1_800_000_000_000
  /// …but later if it has an open incident.
  static let forgetOpenNs: Int64 = 86_400_000_000_000
  /// Samples before a median, a mean or a best value says something.
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
