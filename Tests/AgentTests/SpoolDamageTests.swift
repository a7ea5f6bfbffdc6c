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
}
