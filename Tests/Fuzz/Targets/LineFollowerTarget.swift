internal import Agent
internal import FleetModel

/// Programs that write, rotate, truncate and delete, in any order and with connections that break between: each file's
/// deltas join without gap or overlap, the collector takes each one, and what is left at the end is read.
enum LineFollowerTarget {
  static func run(_ input: [UInt8]) {
    var choices = Choices(input)
    var scene = FollowerScene()
    var steps = 0
    while !choices.rest.isEmpty, steps < 300 {
      steps += 1
      scene.step(&choices)
    }
    scene.settle()
  }
}

private struct FollowerScene {
  private let files = MemoryFileSystem()
  private let followers: Followers
  private var nowNs: Int64 = 1_760_000_000_000_000_000
  private var marks: [FileKey: FileMark] = [:]
  /// Where finished files ended.
  private var finished: [FileKey: UInt64] = [:]
  /// Sent, not committed.
  private var underWay: [FileDelta] = []
  private var sent: [FileKey: UInt64] = [:]
  private static let paths = ["/v/a.log", "/v/b.log", "/v/training_log.csv"]

  init() {
    var last: UInt64 = 0
    var limits = FollowingLimits()
    limits.files = 16
    limits.openFiles = 4
    followers = Followers(
      fileSystem: files, readers: FormatReaders(redactor: Redactor(), zone: { _ in 0 }), limits: limits,
      makeKey: {
        last += 1
        return FileKey(high: 0, low: last)
      })
    followers.follow(["/v/*.log", "/v/*.csv"])
    followers.resume(from: [], nowNs: nowNs)
  }

  mutating func step(_ choices: inout Choices) {
    let path = Self.paths[choices.below(Self.paths.count)]
    switch choices.below(14) {
    case 0, 1, 2: files.append(text(&choices) + [UInt8(ascii: "\n")], to: path)
    case 3: files.append(text(&choices), to: path)
    case 4: rotate(path)
    case 5:
      files.copy(path, to: path + ".1")
      files.truncate(path, to: 0)
    case 6: files.truncate(path, to: choices.below(64))
    case 7: files.remove(path)
    case 8:
      files.truncate(path, to: 0)
      files.append(text(&choices), to: path)
    case 9: pass(Int64(choices.byte()) * 40_000_000)
    case 10: pass(70_000_000_000)
    case 11: take(choices.below(4))
    case 12: commit(choices.below(8))
    default: reconnect(committing: choices.below(3))
    }
  }

  private mutating func rotate(_ path: String) {
    files.remove(path + ".2")
    files.rename(path + ".1", to: path + ".2")
    files.rename(path, to: path + ".1")
  }

  private func text(_ choices: inout Choices) -> [UInt8] {
    let kinds = [
      "2025-06-01 12:00:00,123 INFO a: ", "Traceback (most recent call last):\n  File \"x\"\nValueError: ",
      "episode,step,reward\n",
      "1,2,0.5,", "\r 50%", "-----BEGIN PRIVATE KEY-----\n", "",
    ]
    let count = choices.below(48)
    return Array(kinds[choices.below(kinds.count)].utf8) + (0..<count).map { _ in choices.byte() }
  }

  private mutating func pass(_ ns: Int64) {
    nowNs += ns
    files.nowNs = nowNs
    followers.tick(nowNs: nowNs)
  }

  @discardableResult private mutating func take(_ count: Int) -> Int {
    for taken in 0..<count {
      guard let delta = followers.nextDelta(byteBudget: 64, nowNs: nowNs) else { return taken }
      let key = delta.file.key
      // What did not get its ack may be told again, word for word.
      precondition(finished[key] == nil || delta.isFinished && finished[key] == delta.to, "a delta of a finished file")
      precondition(delta.from == sent[key] ?? marks[key]?.offset ?? 0, "a gap or an overlap")
      precondition(delta.from <= delta.to, "backwards")
      ReaderExercise.check(delta)
      sent[key] = delta.to
      underWay.append(delta)
    }
    return count
  }

  private mutating func commit(_ count: Int, isAcked: Bool = true) {
    for _ in 0..<min(count, underWay.count) {
      let delta = underWay.removeFirst()
      let key = delta.file.key
      marks[key] = delta.isFinished ? nil : FileMark(file: delta.file, offset: delta.to, tailHash: delta.tailHash)
      if delta.isFinished { finished[key] = delta.to }
      if isAcked { followers.committed(key, offset: delta.to) }
    }
  }

  private mutating func reconnect(committing count: Int) {
    commit(count, isAcked: false)
    underWay = []
    sent = [:]
    followers.resume(from: Array(marks.values), nowNs: nowNs)
  }

  /// Everything is still: all that can be read is read.
  mutating func settle() {
    // Half a record of a training file is not read before its newline comes.
    for path in Self.paths where !files.bytes(path).isEmpty { files.append([UInt8(ascii: "\n")], to: path) }
    var quiet = 0
    var rounds = 0
    while quiet < 4 {
      rounds += 1
      precondition(rounds < 4000, "never comes to rest")
      pass(30_000_000_000)
      quiet = take(64) == 0 ? quiet + 1 : 0
      commit(underWay.count)
    }
    precondition(followers.backlogBytes == 0, "something was not read")
    precondition(files.openHandles <= 8, "files stay open")
  }
}
