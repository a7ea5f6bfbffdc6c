import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEndTests {
  /// Collector, PostgreSQL and receiver are killed and stopped at random moments of line → rule's state → outbox → HTTP, while the receiver answers
  /// 200, 400, 429, 500, late, never, or takes a page and hangs up.
  ///
  /// `SIGNALBOX_PAGING_KILLS` sets how many faults each run has (5), `SIGNALBOX_CHAOS_SEED` replays their order, of
  /// `SIGNALBOX_PAGING_REFUSED` incidents one is refused by the first receiver (25).
  @Suite(.timeLimit(.minutes(60))) struct PagingChaos {
    @Test(arguments: [1, 2]) func noPageIsLostOrDoubledAndNoStepIsSkipped(collectors: Int) throws {
      let environment = Foundation.ProcessInfo.processInfo.environment
      let kills = Int(environment["SIGNALBOX_PAGING_KILLS"] ?? "") ?? 5
      let seed = UInt64(environment["SIGNALBOX_CHAOS_SEED"] ?? "") ?? UInt64.random(in: 1...1_000_000)
      let name = collectors == 1 ? "single" : "pair"
      print("paging chaos \(name): \(kills) faults, SIGNALBOX_CHAOS_SEED=\(seed)")
      let fleet = try PagingFleet(name, collectors: collectors, seed: seed)
      defer { fleet.tearDown() }
      let driver = IncidentDriver(fleet, seed: seed &+ 1)
      driver.start()
      var faults = Faults(fleet, seed: seed &+ 2)
      for _ in 0..<kills {
        faults.waitForMoment(driver)
        try faults.next()
      }
      let incidents = driver.stop()
      try settle(fleet, incidents, seed)
      let account = PageAccount(
        incidents, try fleet.receiver.pages(), keys: try fleet.keys(), steps: try fleet.steps())
      #expect(try fleet.steps().count >= incidents.count * 2)
      print("paging chaos \(name): \(faults.line): \(account.line)")
      for (key, story) in account.stories { print("\(key): \(story)\n\(try fleet.outbox(of: key))") }
      #expect(account.wrong == [], "seed \(seed)")
      #expect(account.lost == [], "seed \(seed)")
      #expect(account.doubled == [], "seed \(seed)")
      #expect(account.secondMessages == [], "seed \(seed)")
      #expect(account.skipped == [], "seed \(seed)")
      #expect(account.late.allSatisfy { $0 <= PageAccount.lateMax }, "seed \(seed): \(account.late.max() ?? 0) s")
    }

    /// Waits until every message that is due has been delivered.
    private func settle(_ fleet: PagingFleet, _ incidents: [IncidentDriver.Incident], _ seed: UInt64) throws {
      let ended = incidents.count { $0.resolved != nil }
      let deadline = Date(timeIntervalSinceNow: 180)
      while try fleet.count("signalbox.incidents where rule = 'CHAOS-01'") < incidents.count
        || fleet.count("signalbox.incidents where rule = 'CHAOS-01' and state = 'resolved'") < ended
        || fleet.count("signalbox.outbox where state = 'waiting'") > 0
      {
        if Date() > deadline {
          let errors = fleet.collectors.compactMap { $0?.errors.suffix(2000) }.joined(separator: "\n")
          let counts = try fleet.rows(
            """
            select state, count(*) from signalbox.incidents where rule = 'CHAOS-01' group by 1
            union all select state, count(*) from signalbox.outbox group by 1
            """)
          let unended = try fleet.rows(
            """
            select concat_ws(' ', i.number, i.entity, i.state, i.opened::time, i.last_event::time, 'flaps', i.flaps, l.time::time,
              l.message), 1
            from signalbox.incidents i join public.log_lines l on l.file = i.entity
            where i.state <> 'resolved' and exists (
              select from public.log_lines e where e.file = i.entity and e.message like '%GOES ON')
            """)
          let lines = try fleet.count("public.log_lines")
          throw HarnessError(
            "pages wait still (seed \(seed)): \(incidents.count) + \(ended) lines, \(lines) rows, \(counts); \(unended); \(errors)"
          )
        }
        usleep(200_000)
      }
    }
  }

  /// What goes wrong, one thing after another.
  private struct Faults {
    private let fleet: PagingFleet
    private var random: SplitMix
    private var counts: [String: Int] = [:]

    init(_ fleet: PagingFleet, seed: UInt64) {
      self.fleet = fleet
      random = SplitMix(seed: seed)
    }

    var line: String { counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ") }

    /// Half of the faults come within the milliseconds in which a new line becomes a finding, a row, a request and an answer.
    mutating func waitForMoment(_ driver: IncidentDriver) {
      if Bool.random(using: &random) {
        let before = driver.count
        let deadline = Date(timeIntervalSinceNow: 3)
        while driver.count == before, Date() < deadline { usleep(500) }
        usleep(UInt32.random(in: 0...80_000, using: &random))
      } else {
        usleep(UInt32.random(in: 50_000...800_000, using: &random))
      }
    }

    mutating func next() throws {
      let index = Int.random(in: 0..<fleet.collectors.count, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3:
        count("kills of a collector")
        fleet.collectors[index]?.kill()
        pause(0.5)
        try fleet.startCollector(index)
      case 3..<5:
        count("stops of a collector")
        guard let pid = fleet.collectors[index]?.pid else { return }
        // One in four is longer than the lease.
        try stop([pid], seconds: Int.random(in: 0..<4, using: &random) == 0 ? 11...14 : 0.1...2)
      case 5:
        count("kills of PostgreSQL")
        if let pid = fleet.databaseProcesses.first { kill(pid, SIGKILL) }
        pause(1)
        try fleet.startDatabase()
      case 6:
        count("stops of PostgreSQL")
        try stop(fleet.databaseProcesses, seconds: 0.1...5)
      case 7..<9:
        count("kills of the receiver")
        fleet.receiver.program?.kill()
        pause(1)
        try fleet.receiver.start()
      default:
        count("stops of the receiver")
        guard let pid = fleet.receiver.program?.pid else { return }
        try stop([pid], seconds: Int.random(in: 0..<4, using: &random) == 0 ? 11...12 : 0.1...2)
      }
    }

    private mutating func count(_ what: String) { counts[what, default: 0] += 1 }

    private mutating func pause(_ seconds: Double) {
      usleep(UInt32(Double.random(in: 0...seconds, using: &random) * 1_000_000))
    }

    private mutating func stop(_ processes: [Int32], seconds: ClosedRange<Double>) throws {
      for pid in processes { kill(pid, SIGSTOP) }
      usleep(UInt32(Double.random(in: seconds, using: &random) * 1_000_000))
      for pid in processes { kill(pid, SIGCONT) }
    }
  }
}
