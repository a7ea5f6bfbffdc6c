import FleetModel
import Rules
import Testing

/// Numbers that once ended the collector, each through the whole pack.
@Suite struct ExtremeNumberTests {
  private static let nowNs = WireNumberTests.start
  private static let host = WireNumberTests.host

  private static func observe(_ engine: RuleEngine, _ batch: Batch, _ at: Int64) -> [Transition] {
    let nowNs = nowNs + at * WireNumberTests.second
    return engine.observe(batch, from: host, name: "h", labels: [:], nowNs: nowNs) + engine.tick(nowNs)
  }

  @Test func aFirstOffsetAtTheEndOfTheNumbersIsReadOn() throws {
    let engine = try WireNumberTests.engine()
    var delta = FileDelta(file: FileIdentity(key: FileKey(high: 1, low: 1), path: "/srv/train/a.log"), from: 0, to: 200)
    delta.lines.firstOffset = .max - 3
    for text in ["step 1 | loss nan", "step 2 | loss nan"] {
      delta.lines.text += Array(text.utf8)
      delta.lines.lengths.append(UInt32(text.utf8.count))
      delta.lines.advances.append(.max)
      delta.lines.timesUs.append(Self.nowNs / 1000)
      delta.lines.levels.append(Level.error.rawValue)
      delta.lines.flags.append(0)
    }
    var batch = Batch()
    batch.wallNs = Self.nowNs
    batch.files = [delta]
    #expect(!Self.observe(engine, batch, 0).isEmpty)
  }

  @Test func episodesZeroAndTheLastOneOfAnAnnouncedRunAreCounted() throws {
    let engine = try WireNumberTests.engine()
    func records(_ at: Int64, _ state: RunState, _ episode: Int64?) -> Records {
      var update = RunUpdate()
      update.timeNs = Self.nowNs + at * WireNumberTests.second
      update.run = "ppo/one"
      update.state = state
      update.source = "socket"
      update.detail = "{\"episodes\": 2147483647}"
      var records = Records()
      records.runs = [update]
      if let episode {
        var summary = EpisodeSummary()
        summary.run = update.run
        summary.timeNs = update.timeNs
        summary.episode = episode
        summary.state = .completed
        records.episodes = [summary]
      }
      return records
    }
    _ = try WireNumberTests.observe(engine, records(0, .running, 0), 0)
    _ = try WireNumberTests.observe(engine, records(1, .running, .max), 1)
    _ = try WireNumberTests.observe(engine, records(2, .completed, nil), 2)
    #expect(engine.hostCount == 1)
  }

  /// Whatever stands in the database instead of a saved state: it is refused, or the engine goes on with it.
  @Test func aDamagedStateNeverEndsTheEngine() throws {
    let engine = try WireNumberTests.engine()
    for at in 0..<40 as Range<Int64> {
      _ = try WireNumberTests.observe(engine, WireNumberTests.samples(at * 30, at % 7 == 0 ? .infinity : nil), at * 30)
      _ = try WireNumberTests.observe(engine, WireNumberTests.step(at * 30 + 1, reward: Double(at)), at * 30 + 1)
    }
    let whole = engine.encodedState(of: Self.host)
    #expect(whole.count > 200)
    for index in whole.indices {
      for byte in [0x00, 0x7f, 0xff] as [UInt8] {
        var bytes = whole
        bytes[index] = byte
        // Nine bytes of all ones are the greatest number, and with the one before them a negative one.
        if byte == 0xff {
          bytes.replaceSubrange(index..<min(index + 9, bytes.count), with: [UInt8](repeating: 0xff, count: 8) + [1])
        }
        guard (try? engine.restore(bytes, of: Self.host, name: "h", labels: [:])) != nil else { continue }
        var batch = Batch()
        batch.wallNs = Self.nowNs + 1300 * WireNumberTests.second
        var records = WireNumberTests.samples(1300, nil)
        records.steps = WireNumberTests.step(1300, reward: 1).steps
        batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
        _ = Self.observe(engine, batch, 1300)
        engine.excuse(Self.host, silentNs: .max / 2, nowNs: Self.nowNs)
      }
    }
    try engine.restore(whole, of: Self.host, name: "h", labels: [:])
    #expect(engine.encodedState(of: Self.host) == whole)
  }
}
