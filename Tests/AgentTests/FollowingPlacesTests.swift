import Files
import FleetModel
import TestSupport
import Testing

@testable import Agent

/// More files than places: those that are written to have one, the others are counted, and nothing is read twice.
@Suite(.timeLimit(.minutes(10))) struct FollowingPlacesTests {
  private static func limits(wholePassNames: Int = 4096) -> FollowingLimits {
    var limits = FollowingLimits()
    limits.files = 16
    limits.openFiles = 8
    limits.parked = 1000
    limits.wholePassNames = wholePassNames
    limits.namesPerSlice = 10
    limits.namesPerFirstSlice = 10
    return limits
  }

  private func full(_ count: Int, wholePassNames: Int = 4096) throws -> FollowingHarness {
    let harness = try FollowingHarness(["*.log"], limits: Self.limits(wholePassNames: wholePassNames))
    for number in 0..<count { try harness.write("t\(100 + number).log", 1) }
    harness.run(seconds: 120)
    return harness
  }

  @Test("of more files than places all are read, and whichever is written to is followed", arguments: [0, 4096])
  func moreFilesThanPlaces(wholePassNames: Int) throws {
    let harness = try full(100, wholePassNames: wholePassNames)
    harness.expectEachLineOnce()
    let figures = harness.followers.figures
    #expect(figures.matched == 100)
    #expect(figures.followed <= 16)
    #expect(figures.waiting == 0)
    for name in ["t100.log", "t199.log", "new.log", "t150.log"] {
      try harness.write(name, 1)
      harness.run(seconds: 5)
      harness.expectEachLineOnce()
    }
    // Older than the agent that comes next.
    harness.reconnect()
    harness.run(seconds: 20)
    try harness.restartAgent { try harness.write("t123.log", 2) }
    harness.run(seconds: 120)
    harness.expectEachLineOnce()
    #expect(harness.collector.losses.isEmpty)
  }

  @Test("of what one turn cannot take up, the newest is read first")
  func theNewestIsReadFirst() throws {
    var limits = Self.limits()
    limits.files = 64
    limits.startsPerTurn = 4
    let harness = try FollowingHarness(["*.log"], limits: limits)
    for number in 0..<40 { try harness.write("old\(number).log", 1) }
    Process.sleep(ns: 30_000_000)
    try harness.write("zz-newest.log", 1)
    for _ in 0..<20 where harness.underWayCount == 0 { harness.take(1) }
    harness.commitOldest()
    #expect(harness.collector.paths == ["zz-newest.log"])
  }

  @Test("names that come while the first pass is under way do not wait for a second one")
  func namesDuringTheFirstPass() throws {
    var limits = Self.limits(wholePassNames: 20)
    limits.files = 1024
    let harness = try FollowingHarness(["*.log"], limits: limits)
    for number in 0..<400 { try harness.write("t\(number).log", 1) }
    try harness.restartAgent()
    harness.look()
    #expect(!harness.followers.hasListed)
    // Some of them lie behind what has been listed.
    for number in 0..<20 { try harness.write("new\(number).log", 1) }
    while harness.followers.passNumber == 1 || harness.followers.pass != nil {
      harness.take(500)
      while harness.underWayCount > 0 { harness.commitOldest() }
      if harness.collector.paths.filter({ $0.hasPrefix("new") }).count == 20 { break }
    }
    #expect(harness.collector.paths.filter { $0.hasPrefix("new") }.count == 20)
    #expect(harness.followers.passNumber < 2 || harness.followers.pass != nil)
  }

  @Test("settings that come while files are taken up leave no time before now")
  func settingsWhileFilesAreTakenUp() throws {
    var limits = Self.limits()
    limits.startsPerTurn = 2
    let harness = try FollowingHarness(["*.log"], limits: limits)
    for number in 0..<40 { try harness.write("t\(number).log", 1) }
    for _ in 0..<12 {
      harness.look()
      harness.followers.follow([harness.directory + "/logs/*.log"])
      // Files are taken up over several looks, in all of which the agent waits until this time.
      for _ in 0..<4 {
        harness.look()
        let deadlineNs = try #require(harness.followers.nextDeadlineNs)
        #expect(deadlineNs >= harness.nowNs, "\(deadlineNs)")
      }
    }
  }

  @Test("what waits is counted, and the newest come first")
  func theNewestComeFirst() throws {
    let harness = try FollowingHarness(["*.log"], limits: Self.limits())
    for number in 0..<40 { try harness.write("old\(number).log", 1) }
    // More than a tick of the kernel, by which files are stamped.
    Process.sleep(ns: 30_000_000)
    try harness.write("zz-newest.log", 1)
    harness.take(1)
    for _ in 0..<20 { harness.look() }
    #expect(harness.followers.figures.matched == 41)
    #expect(harness.followers.figures.waiting >= 25)
    harness.take(20)
    while harness.underWayCount > 0 { harness.commitOldest() }
    #expect(harness.collector.paths.contains("zz-newest.log"))
  }

  @Test(
    "a file without a place that is rotated, truncated or deleted is known when it comes back", arguments: [0, 4096])
  func rotationWithoutAPlace(wholePassNames: Int) throws {
    let harness = try full(60, wholePassNames: wholePassNames)
    try harness.rename("t100.log", "t100.1.log")
    try harness.write("t100.log", 1)
    try harness.copy("t110.log", "t110.1.log")
    try harness.truncate("t110.log")
    try harness.write("t110.log", 1)
    try harness.truncate("t120.log")
    try harness.write("t120.log", 3)
    try harness.delete("t130.log")
    harness.run(seconds: 200)
    harness.expectEachLineOnce()
    #expect(!harness.collector.paths.contains("t130.log"))
    try harness.restartAgent()
    harness.run(seconds: 120)
    harness.expectEachLineOnce()
  }

  @Test("lives of many files, agents and connections with few places", arguments: UInt64(1)...12)
  func manyLives(seed: UInt64) throws {
    let random = KeyGenerator(seed: seed)
    let harness = try FollowingHarness(["*.log"], limits: Self.limits(wholePassNames: Int(seed % 2) * 4096))
    for _ in 0..<120 {
      let name = "f\(random.below(50)).log"
      switch random.below(10) {
      case 0...4: try harness.write(name, 1 + random.below(5))
      case 5: harness.run(seconds: Double(random.below(60)) / 10)
      case 6: harness.take(1 + random.below(3), budget: 50 + random.below(400))
      case 7: harness.reconnect(committing: random.below(3))
      case 8: harness.look()
      default:
        if random.below(4) == 0 {
          try harness.restartAgent { try harness.write(name, 1) }
        } else {
          harness.run(seconds: 8)
        }
      }
    }
    harness.run(seconds: 300)
    harness.expectEachLineOnce()
    #expect(harness.collector.losses.isEmpty)
    #expect(harness.followers.backlogBytes == 0)
  }

  @Test("a part of a pass looks at a bounded number of names, and reading goes on between parts")
  func passesAreMadeInParts() throws {
    let harness = try FollowingHarness(["*.log"], limits: Self.limits())
    for number in 0..<300 { try harness.write("f\(number).log", 1) }
    harness.run(seconds: 100)
    let before = harness.followers.scanNumber
    try harness.write("f7.log", 1)
    // One look a turn: the line is there long before all names were looked at again.
    harness.look()
    harness.take(1)
    #expect(harness.followers.scanNumber <= before + 3)
    harness.run(seconds: 60)
    harness.expectEachLineOnce()
  }

  @Test("a directory that is made after the start is followed, and until then it is counted")
  func directoryMadeLater() throws {
    let harness = try FollowingHarness(["train/**"])
    harness.run(seconds: 4)
    #expect(harness.followers.figures.missingRoots.count == 1)
    try HostFiles.makeDirectory(harness.path("train/run1"))
    try harness.write("train/run1/x.log", 3)
    harness.run(seconds: 10)
    harness.expectEachLineOnce()
    #expect(harness.collector.rows.count == 3)
    #expect(harness.followers.figures.missingRoots.count == 0)
  }

  // MARK: Owners

  @Test func noOwnerGetsLessBecauseAnotherWantsMore() {
    let shares = FollowedCandidates.shares
    #expect(shares([1: 70_000, 2: 3], 8192) == [1: 8189, 2: 3])
    #expect(shares([1: 10, 2: 10, 3: 100], 60) == [1: 10, 2: 10, 3: 40])
    #expect(shares([1: 5], 8) == [1: 5])
    #expect(shares([:], 8) == [:])
    #expect(shares([1: 5, 2: 5], 0) == [1: 0, 2: 0])
  }

  private static func file(_ name: String, owner: UInt32, modifiedNs: Int64) -> FoundFile {
    FoundFile(
      path: "/in/" + name,
      status: FollowedStatus(
        device: 1, inode: UInt64(modifiedNs), sizeBytes: 1, modifiedNs: modifiedNs, birthNs: 0, links: 1, owner: owner))
  }

  @Test("of any number of files the newest of each owner are kept, within the limit")
  func candidatesAreBounded() {
    var candidates = FollowedCandidates(limit: 100)
    for number in 1...50_000 {
      candidates.add(Self.file("flood\(number)", owner: 1, modifiedNs: 1_000_000 + Int64(number)))
    }
    candidates.add(Self.file("mine", owner: 2, modifiedNs: 5))
    for number in 1...50_000 {
      candidates.add(Self.file("more\(number)", owner: 1, modifiedNs: 2_000_000 + Int64(number)))
    }
    #expect(candidates.total == 100_001)
    #expect(candidates.byOwner.values.reduce(0) { $0 + $1.count } <= 300)
    #expect(candidates.byOwner[2]?.map(\.path) == ["/in/mine"])
    #expect(candidates.byOwner[1]?.contains { $0.path == "/in/more50000" } == true)
    var subordinate = FollowedCandidates(limit: 100)
    for owner in 0..<UInt32(10_000) { subordinate.add(Self.file("s\(owner)", owner: owner, modifiedNs: 1)) }
    #expect(subordinate.byOwner.count <= FollowedCandidates.ownersMax + 1)
  }

  @Test("one user's files leave places for another's")
  func placesAreShared() throws {
    let system = OwnedFiles()
    var limits = Self.limits()
    limits.namesPerSlice = 1 << 20
    limits.namesPerFirstSlice = 1 << 20
    var key: UInt64 = 0
    let followers = Followers(
      fileSystem: system, readers: FormatReaders(redactor: Redactor(), zone: { _ in 0 }), limits: limits
    ) {
      key += 1
      return FileKey(high: 0, low: key)
    }
    followers.follow(["/in/*"])
    for number in 0..<500 { system.files["/in/a\(number).log"] = (1, number) }
    var nowNs: Int64 = 1_760_000_000_000_000_000
    followers.resume(from: [], nowNs: nowNs)
    // Nothing is acknowledged: no place is given back.
    while followers.nextDelta(byteBudget: 1 << 20, nowNs: nowNs) != nil {}
    system.files["/in/b.log"] = (2, 0)
    var owners: Set<String> = []
    for _ in 0..<20 {
      nowNs += 4_000_000_000
      while let delta = followers.nextDelta(byteBudget: 1 << 20, nowNs: nowNs) { owners.insert(delta.file.path) }
    }
    #expect(owners.contains("/in/b.log"))
    #expect(followers.followedCount <= limits.files)
    #expect(followers.figures.waiting > 400)
  }
}

/// One line in each file; owner and age by name.
private final class OwnedFiles: FollowedFileSystem {
  var files: [String: (owner: UInt32, number: Int)] = [:]
  private var handles: [Int: String] = [:]
  private var last = 0
  let refusedTotal: UInt64 = 0

  private func status(_ path: String) -> FollowedStatus? {
    files[path].map {
      FollowedStatus(
        device: UInt64($0.owner), inode: UInt64($0.number + 1), sizeBytes: 6, modifiedNs: Int64($0.number + 1),
        birthNs: 0,
        links: 1, owner: $0.owner)
    }
  }

  func list(_ patterns: [GlobPattern]) -> [FoundFile] {
    files.keys.filter { path in patterns.contains { $0.matches(path) } }.sorted().compactMap { path in
      status(path).map { FoundFile(path: path, status: $0) }
    }
  }
  func neighbours(of path: String) -> [FoundFile] { [] }
  func open(_ path: String) -> FileHandle? {
    guard files[path] != nil else { return nil }
    last += 1
    handles[last] = path
    return FileHandle(last)
  }
  func status(of handle: FileHandle) -> FollowedStatus? { handles[handle.number].flatMap(status) }
  func read(_ handle: FileHandle, at offset: UInt64, count: Int, into buffer: inout [UInt8]) -> Int? {
    let bytes = Array("line.\n".utf8).dropFirst(Int(min(6, offset))).prefix(count)
    if buffer.count < bytes.count { buffer += [UInt8](repeating: 0, count: bytes.count - buffer.count) }
    buffer.replaceSubrange(0..<bytes.count, with: bytes)
    return bytes.count
  }
  func close(_ handle: FileHandle) { handles[handle.number] = nil }
  func takeChanges() -> FollowedChanges { FollowedChanges() }
}
