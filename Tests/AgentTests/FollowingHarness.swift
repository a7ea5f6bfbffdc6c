import Agent
import Files
import FleetModel
import TestSupport
import Testing

/// What the collector's database keeps of followed files, with its rules: a delta is taken only where it fits exactly.
final class ModelCollector {
  struct File {
    var mark: FileMark
    var isFinished = false
    /// Reported with its last delta.
    var losses: [Loss] = []
  }

  struct Row: Equatable {
    var text: String
    var flags: LineFlags
    var level: Level
    var timeUs: Int64
  }

  private(set) var files: [FileKey: File] = [:]
  private(set) var rows: [Row] = []
  private(set) var losses: [Loss] = []
  private(set) var steps: [TrainingStep] = []
  private(set) var runs: [RunUpdate] = []
  /// Of which generations they are: those that begin with a header are attempts of their own.
  private(set) var runKeys: [FileKey] = []
  private(set) var stepKeys: [FileKey] = []
  private(set) var episodes: [Int64: EpisodeSummary] = [:]
  private(set) var violations: [String] = []

  var marks: [FileMark] {
    files.values.filter { !$0.isFinished }.map(\.mark).sorted { $0.file.key < $1.file.key }
  }

  /// An older backup takes the database's place.
  func restore(_ files: [FileKey: File]) { self.files = files }

  func commit(_ delta: FileDelta) {
    let file = files[delta.file.key]
    // Sent again byte for byte: known as a repetition.
    if file?.isFinished == true, delta.isFinished, delta.losses == file?.losses, delta.to == file?.mark.offset {
      return
    }
    if file?.isFinished == true { violations.append("delta of a finished file \(delta.file.path)") }
    if delta.from != file?.mark.offset ?? 0 {
      violations.append("from \(delta.from), committed \(file?.mark.offset ?? 0)")
    }
    if delta.to < delta.from { violations.append("backwards") }
    var at = delta.lines.firstOffset
    var text = 0
    for index in 0..<delta.lines.count {
      let length = Int(delta.lines.lengths[index])
      rows.append(
        Row(
          text: String(decoding: delta.lines.text[text..<text + length], as: UTF8.self),
          flags: LineFlags(rawValue: delta.lines.flags[index]), level: Level(rawValue: delta.lines.levels[index])!,
          timeUs: delta.lines.timesUs[index]))
      text += length
      at += UInt64(delta.lines.advances[index])
    }
    if !delta.lines.isEmpty, at != delta.to { violations.append("lines end at \(at), delta at \(delta.to)") }
    losses += delta.losses
    steps += delta.steps
    runs += delta.runs
    runKeys += delta.runs.map { _ in delta.file.key }
    stepKeys += delta.steps.map { _ in delta.file.key }
    for episode in delta.episodes {
      episodes[episode.episode] = episodes[episode.episode].map { $0.merged(with: episode) } ?? episode
    }
    files[delta.file.key] = File(
      mark: FileMark(file: delta.file, offset: delta.to, tailHash: delta.tailHash), isFinished: delta.isFinished,
      losses: delta.losses)
  }

  var texts: [String] { rows.map(\.text) }
  /// Of what is not finished.
  var paths: [String] { marks.map { String($0.file.path.split(separator: "/").last ?? "") }.sorted() }
}

/// What outlives an agent, and what it was started with.
final class FollowedHistory {
  var first = FirstFollowed()
  let isNoted: Bool
  let from: FollowFrom
  let exclude: [String]

  init(isNoted: Bool = false, from: FollowFrom = .start, exclude: [String] = []) {
    self.isNoted = isNoted
    self.from = from
    self.exclude = exclude
  }
}

/// Followers on a real directory, with a clock of their own.
final class FollowingHarness {
  let directory: String
  let collector = ModelCollector()
  private(set) var followers: Followers
  private var patterns: [String]
  /// As the agent's state directory keeps it.
  private let history: FollowedHistory
  private let limits: FollowingLimits
  private(set) var nowNs: Int64 = 1_747_260_386_000_000_000
  private var written = 0
  /// Handed out, not yet committed.
  private var underWay: [FileDelta] = []
  private let keys: KeyGenerator
  /// What somebody else does between a listing and whatever the agent makes of it.
  let race = Race()

  init(
    _ patterns: [String], limits: FollowingLimits = FollowingLimits(), history: FollowedHistory = FollowedHistory(),
    before: ((String) throws -> Void)? = nil
  ) throws {
    let directory = "/tmp/signalbox-following-\(HostFiles.randomBytes(6).map { Hex.text($0) }.joined())"
    try HostFiles.makeDirectory(directory + "/logs")
    self.directory = directory
    self.patterns = patterns.map { directory + "/logs/" + $0 }
    // A look is whole, or cut after so many names: never by how busy the machine is.
    var limits = limits
    limits.sliceNs = .max
    limits.firstSliceNs = .max
    self.limits = limits
    self.history = history
    try before?(directory + "/logs")
    let keys = KeyGenerator(seed: 7)
    self.keys = keys
    followers = Self.start(directory, self.patterns, limits, keys, race, history)
    followers.resume(from: [], nowNs: nowNs)
  }

  deinit { Self.remove(directory) }

  static func remove(_ path: String) {
    if (try? FileStatus.of(path: path, followingLinks: false))?.kind == .directory {
      for name in (try? HostFiles.list(path)) ?? [] { remove(path + "/" + name) }
      _ = try? HostFiles.removeDirectory(path)
    } else {
      _ = try? HostFiles.remove(path)
    }
  }

  private static func start(
    _ directory: String, _ patterns: [String], _ limits: FollowingLimits, _ keys: KeyGenerator,
    _ race: Race, _ history: FollowedHistory
  ) -> Followers {
    let followers = Followers(
      fileSystem: RacedFileSystem(LinuxFollowedFileSystem(allowed: [directory]), race),
      readers: FormatReaders(redactor: Redactor(), zone: { _ in 0 }),
      limits: limits, makeKey: { keys.next() })
    var first = history.first
    let fresh = history.isNoted ? patterns.filter { first.times[$0] == nil } : []
    if history.isNoted { _ = first.note(patterns, nowNs: Clock.wallNs()) }
    history.first = first
    followers.follow(
      patterns, excluding: history.exclude, firstFollowed: first, fresh: fresh, from: history.from)
    return followers
  }

  func path(_ name: String) -> String { directory + "/logs/" + name }

  // MARK: The agent

  /// What the next agent follows.
  func follow(_ patterns: [String]) { self.patterns = patterns.map { directory + "/logs/" + $0 } }

  /// The process ends, whatever it knew is gone, and another starts.
  func restartAgent(whileDown: () throws -> Void = {}, beforeWelcome: () throws -> Void = {}) rethrows {
    followers = Self.start(directory + "/nowhere", [], limits, keys, race, history)
    underWay = []
    try whileDown()
    followers = Self.start(directory, patterns, limits, keys, race, history)
    nowNs += 1_000_000_000
    followers.tick(nowNs: nowNs)
    try beforeWelcome()
    followers.resume(from: collector.marks, nowNs: nowNs)
  }

  /// The connection breaks: what is under way is lost, or was committed without an ack.
  func reconnect(committing committed: Int = 0) {
    for delta in underWay.prefix(committed) { collector.commit(delta) }
    underWay = []
    nowNs += 30_000_000
    followers.resume(from: collector.marks, nowNs: nowNs)
  }

  /// A moment later: what happened in between is looked at.
  func look() {
    nowNs += 30_000_000
    followers.tick(nowNs: nowNs)
  }

  /// Takes deltas without committing them.
  func take(_ count: Int, budget: Int = 1 << 20) {
    nowNs += 30_000_000
    for _ in 0..<count {
      guard let delta = followers.nextDelta(byteBudget: budget, nowNs: nowNs) else { return }
      underWay.append(delta)
    }
  }

  var underWayCount: Int { underWay.count }

  /// The rows of what is under way, but for the `first` deltas.
  func underWayTexts(from first: Int) -> [String] {
    let other = ModelCollector()
    for delta in underWay.dropFirst(first) { other.commit(delta) }
    return other.texts
  }

  func commitOldest() {
    guard !underWay.isEmpty else { return }
    let delta = underWay.removeFirst()
    collector.commit(delta)
    followers.committed(delta.file.key, offset: delta.to)
  }

  /// Reads and commits all there is for `seconds`.
  func run(seconds: Double, step: Double = 0.1, budget: Int = 1 << 20) {
    let end = nowNs + Int64(seconds * 1e9)
    while nowNs < end {
      nowNs += Int64(step * 1e9)
      while !underWay.isEmpty { commitOldest() }
      while let delta = followers.nextDelta(byteBudget: budget, nowNs: nowNs) {
        collector.commit(delta)
        followers.committed(delta.file.key, offset: delta.to)
      }
    }
  }

  /// The agent's timer fires, or a notification comes: looks, and sends and commits what there is.
  func wake(afterMs: Int64) {
    nowNs += afterMs * 1_000_000
    followers.tick(nowNs: nowNs)
    while let delta = followers.nextDelta(byteBudget: 1 << 20, nowNs: nowNs) {
      collector.commit(delta)
      followers.committed(delta.file.key, offset: delta.to)
    }
  }

  // MARK: The writer

  /// Appends `count` numbered lines.
  func write(_ name: String, _ count: Int) throws {
    var bytes: [UInt8] = []
    for _ in 0..<count {
      written += 1
      bytes += Array(Self.line(written).utf8)
    }
    try Descriptor.open(path(name), .append).write(bytes.span)
  }

  /// One more line to a file that may have no name any more.
  func write(to file: borrowing Descriptor) throws {
    written += 1
    try file.write(Array(Self.line(written).utf8).span)
  }

  /// A line that comes in three writes, with the agent looking in between.
  func writeInParts(_ name: String, isPausing: Bool) throws {
    written += 1
    let line = Self.line(written)
    for part in [line.prefix(15), line.dropFirst(15).prefix(3), line.dropFirst(18)] {
      try append(name, String(part))
      if isPausing { run(seconds: 0.3) }
    }
  }

  func append(_ name: String, _ text: String) throws {
    try Descriptor.open(path(name), .append).write(Array(text.utf8).span)
  }

  static func line(_ number: Int) -> String {
    "line \(String(repeating: "0", count: 7 - String(number).count))\(number) of a file that is rotated\n"
  }

  /// Writes over the file's bytes from its start, in place; what lies behind stays.
  func overwrite(_ name: String, _ text: String) throws {
    try Descriptor.open(path(name), .update).write(Array(text.utf8).span)
  }

  func rename(_ from: String, _ to: String) throws { try HostFiles.rename(path(from), to: path(to)) }
  func delete(_ name: String) throws { try HostFiles.remove(path(name)) }
  func truncate(_ name: String) throws { try Descriptor.open(path(name), .update).truncate(to: 0) }

  func copy(_ from: String, _ to: String) throws {
    let bytes = try HostFiles.read(path(from), limitBytes: 1 << 30)
    try Descriptor.open(path(to), .append).write(bytes.span)
  }

  // MARK: What must be

  var linesWritten: Int { written }
  var numbers: [Int] { collector.texts.compactMap { Int($0.dropFirst(5).prefix(7)) } }

  /// Every line once, but for `lost` of them, which must be reported as losses.
  func expectEachLineOnce(losing lost: Range<Int> = 0..<0, sourceLocation: SourceLocation = #_sourceLocation) {
    let expected = (1..<written + 1).filter { !lost.contains($0) }
    let got = numbers.sorted()
    if got != expected {
      let twice = Dictionary(grouping: got, by: { $0 }).filter { $1.count > 1 }.keys.sorted()
      let missing = Set(expected).subtracting(got).sorted()
      let unexpected = Set(got).subtracting(expected).sorted()
      Issue.record(
        "\(got.count) of \(expected.count) lines; twice \(twice.prefix(5)) missing \(missing.prefix(5)) unexpected \(unexpected.prefix(5))",
        sourceLocation: sourceLocation)
    }
    #expect(collector.violations.isEmpty, sourceLocation: sourceLocation)
    let bytes = lost.reduce(0) { $0 + Self.line($1).utf8.count }
    let reported = collector.losses.reduce(0) { $0 + Int($1.to - $1.from) }
    #expect(reported >= bytes, "losses reported \(reported) bytes, lost \(bytes)", sourceLocation: sourceLocation)
  }
}

/// Keys from a seed, never the same twice.
final class KeyGenerator {
  private var random: SplitMix
  init(seed: UInt64) { random = SplitMix(seed: seed) }

  func next() -> FileKey { FileKey(high: number(), low: number()) }
  func number() -> UInt64 { random.next() }
  func below(_ limit: Int) -> Int { Int(number() % UInt64(limit)) }
}
