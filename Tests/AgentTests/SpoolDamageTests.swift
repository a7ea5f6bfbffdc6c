import FleetModel
import Testing

@testable import Agent

/// Every way to damage a spool's files, one byte at a time: a start always succeeds, no wrong record is ever given out,
/// and what is missing is reported where it can be known at all.
@Suite struct SpoolDamageTests {
  struct Case: Sendable {
    var files: [String: [UInt8]]
    var originals: [Lane: [UInt64: [UInt8]]]
  }

  /// Two lanes over several segments, of two starts.
  static func made() -> Case {
    let disk = MemoryDisk()
    var originals: [Lane: [UInt64: [UInt8]]] = [.live: [:], .backfill: [:]]
    for life in 0..<2 {
      let spool = SpoolTests.start(disk, seed: UInt64(life + 1))
      for index in 0..<12 {
        let lane: Lane = index % 3 == 0 ? .backfill : .live
        spool.append(SpoolTests.payload(life * 100 + index, 50 + index), lane: lane, nowNs: 0)
      }
      _ = SpoolTests.resume(spool)
      for lane in Lane.allCases { originals[lane] = Drained.drain(spool, lane).0.records }
    }
    return Case(files: disk.files, originals: originals)
  }

  enum Check { case missingIsReported, onlyNoWrongRecord }

  static func check(_ files: [String: [UInt8]], _ original: Case, _ check: Check, _ what: String) -> String? {
    let disk = MemoryDisk()
    disk.files = files
    let spool = SpoolTests.start(disk, seed: 7)
    for lane in Lane.allCases { spool.append([1, 2, 3], lane: lane, nowNs: 0) }
    guard SpoolTests.resume(spool) else { return "\(what): replaced" }
    for lane in Lane.allCases {
      let (drained, fault) = Drained.drain(spool, lane)
      if let fault { return "\(what): \(lane) \(fault)" }
      let known = original.originals[lane] ?? [:]
      var fresh = 0
      for (sequence, payload) in drained.records {
        if payload == [1, 2, 3], known[sequence] == nil {
          fresh += 1
        } else if known[sequence] != payload {
          return "\(what): \(lane) wrong record \(sequence)"
        }
      }
      if fresh != 1 { return "\(what): \(lane) lost the new record" }
      guard check == .missingIsReported else { continue }
      for sequence in known.keys where drained.records[sequence] == nil && !drained.isLost(sequence) {
        return "\(what): \(lane) \(sequence) is missing and not reported"
      }
    }
    return nil
  }

  @Test func everyByteFlipped() {
    let original = Self.made()
    var runs = 0
    for (name, file) in original.files {
      for index in file.indices {
        for mask in [1 << UInt8(index % 8), 0xff] as [UInt8] {
          var files = original.files
          files[name]?[index] ^= mask
          runs += 1
          if let fault = Self.check(files, original, .missingIsReported, "\(name) byte \(index) ^ \(mask)") {
            Issue.record("\(fault)")
            return
          }
        }
      }
    }
    #expect(runs > 4000)
  }

  /// A file cut exactly behind a record of its newest segment cannot be told from one that was never longer.
  @Test func truncatedAtEveryByte() {
    let original = Self.made()
    for (name, file) in original.files {
      for count in file.indices {
        var files = original.files
        files[name] = Array(file.prefix(count))
        if let fault = Self.check(files, original, .onlyNoWrongRecord, "\(name) cut at \(count)") {
          Issue.record("\(fault)")
          return
        }
      }
    }
  }

  @Test func zeroedFromEveryByteOn() {
    let original = Self.made()
    for (name, file) in original.files {
      for count in file.indices {
        var files = original.files
        files[name] = Array(file.prefix(count)) + [UInt8](repeating: 0, count: file.count - count)
        if let fault = Self.check(files, original, .onlyNoWrongRecord, "\(name) zero from \(count)") {
          Issue.record("\(fault)")
          return
        }
      }
    }
  }

  @Test func aSegmentThatVanishedIsReported() {
    let original = Self.made()
    for name in original.files.keys {
      var files = original.files
      files[name] = nil
      if let fault = Self.check(files, original, .onlyNoWrongRecord, "\(name) gone") { Issue.record("\(fault)") }
    }
  }

  @Test func anythingElseInTheDirectoryIsLeftAlone() {
    let original = Self.made()
    var files = original.files
    files["notes.txt"] = [1, 2, 3]
    files["live-zz.segment"] = []
    files["live-0000000000000000-00.segment"] = [0]
    files["live-0000000000000001-ff.segment"] = [UInt8](repeating: 0, count: 300)
    #expect(Self.check(files, original, .missingIsReported, "strangers") == nil)
  }

  /// What a start found to be lost is in the header of its first segment. A disk that fails must not take that away before another header has
  /// it: the next start would know nothing of it, and take the collector's mark for that of another host.
  @Test(arguments: 0..<12) func whatAStartFoundLostOutlivesADiskThatFails(after calls: Int) {
    let disk = MemoryDisk()
    let first = SpoolTests.start(disk)
    for index in 0..<3 { first.append(SpoolTests.payload(index), lane: .live, nowNs: 0) }
    // Another boot: what was promised ahead may have been used, and is gone.
    let boot = BootID(high: 9, low: 9)
    let second = SpoolTests.start(disk, boot: boot, seed: 2)
    let mark = LaneMark(lane: .live, sequence: 3)
    #expect(SpoolTests.resume(second, [mark]))
    disk.failAfter = calls
    for index in 3..<6 { second.append(SpoolTests.payload(index), lane: .live, nowNs: Int64(index)) }
    disk.failAfter = nil
    let third = SpoolTests.start(disk, boot: boot, seed: 3)
    #expect(third.id == first.id && SpoolTests.resume(third, [mark]))
    let (drained, fault) = Drained.drain(third, .live, after: 3)
    #expect(fault == nil && drained.isLost(4), "\(third.summary)")
    #expect(drained.lost.count == Set(drained.lost).count, "\(drained.lost)")
  }

  /// The same of segments that cannot be read: they keep their names until what they may have held is written down.
  @Test func unreadableSegmentsAreSetAsideOnceTheyAreCounted() throws {
    let disk = MemoryDisk()
    let first = SpoolTests.start(disk)
    for index in 0..<3 { first.append(SpoolTests.payload(index), lane: .live, nowNs: 0) }
    let name = try #require(disk.files.keys.first)
    disk.files[name]?[8] ^= 0xff
    disk.capacity = 0
    for _ in 0..<2 {
      let spool = SpoolTests.start(disk, seed: 2)
      #expect(disk.files[name] != nil && spool.hasUnwrittenLoss(.live) && spool.setAsideTotal == 1)
    }
    disk.capacity = .max
    let spool = SpoolTests.start(disk, seed: 3)
    #expect(disk.files[name] == nil && !spool.hasUnwrittenLoss(.live))
    #expect(SpoolTests.resume(spool))
    #expect(Drained.drain(spool, .live).0.isLost(1))
  }
}
