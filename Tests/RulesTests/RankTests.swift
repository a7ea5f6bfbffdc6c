import Agent
import FleetModel
import Testing

@testable import Rules

/// Ranks of one run against each other: what is a straggler, and what only looks like one.
@Suite struct RankTests {
  private static let rule = """
    - { id: R-1, title: t, severity: P3, scope: run, when: { straggler: run, above: 130%, behind: 60s, for: 5m } }
    """

  /// A run of ranks that log, each at its own pace.
  private final class Training {
    struct Rank {
      var host: UInt64
      /// Empty: one log of its host, without a rank.
      var path: String
      /// Seconds a step; nil: it makes none.
      var period: Double?
      /// It logs each so many-th step.
      var every: Int64 = 1
      /// Of the file, where more than one host reads it.
      var inode: UInt64 = 0
      /// Rows that are written at once, as by a buffer of standard output.
      var buffered = 1
      var metrics: [String: Double] = [:]
      var done = 0.0
      var step: Int64 = 0
      var offset: UInt64 = 0
      var held: [TrainingStep] = []
    }

    var engine: RuleEngine
    var ranks: [Rank]
    /// Hosts that report nothing.
    var silent: Set<UInt64> = []
    private(set) var at: Int64 = 0

    init(_ ranks: [Rank], rule: String = RankTests.rule) throws {
      engine = try RuleEngineTests.engine(rule)
      self.ranks = ranks
    }

    var nowNs: Int64 { RuleEngineTests.start + at * RuleEngineTests.second }

    /// Of one job on all hosts, with the ranks that run there.
    func join(_ job: String) {
      for host in Set(ranks.map(\.host)).sorted() {
        var update = RunUpdate()
        update.timeNs = nowNs
        update.run = "run"
        update.state = .running
        update.source = "/srv/run/train.log"
        update.job = job
        update.rank = UInt32(host) * 4
        var records = Records()
        records.runs = [update]
        var batch = Batch()
        batch.wallNs = nowNs
        batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
        _ = observe(batch, host)
      }
    }

    func run(minutes: Int64) -> [Transition] {
      var found: [Transition] = []
      for _ in 0..<minutes * 60 {
        at += 1
        for host in Set(ranks.map(\.host)).sorted() where !silent.contains(host) {
          var batch = at % 10 == 0 ? RuleEngineTests.batch(at, cpu: 1) : Batch()
          batch.wallNs = nowNs
          for place in ranks.indices where ranks[place].host == host { advance(place, &batch) }
          found += observe(batch, host)
        }
        found += engine.tick(nowNs)
      }
      return found
    }

    private func observe(_ batch: Batch, _ host: UInt64) -> [Transition] {
      engine.observe(batch, from: HostID(high: 1, low: host), name: "h\(host)", labels: [:], nowNs: nowNs)
    }

    private func advance(_ place: Int, _ batch: inout Batch) {
      guard let period = ranks[place].period else { return }
      ranks[place].done += 1 / period
      while Double(ranks[place].step + 1) <= ranks[place].done + 1e-9 {
        ranks[place].step += 1
        if ranks[place].step % ranks[place].every != 0 { continue }
        var step = TrainingStep()
        step.timeNs = nowNs
        step.run = "run"
        step.step = ranks[place].step
        for (name, value) in ranks[place].metrics {
          var metric = Metric()
          (metric.name, metric.value) = (name, value)
          step.metrics.append(metric)
        }
        ranks[place].held.append(step)
      }
      let rank = ranks[place]
      if rank.held.isEmpty || rank.held.count < rank.buffered { return }
      let key = FileKey(high: rank.host, low: ContentHash.of(Array(rank.path.utf8).span))
      var file = FileIdentity(key: key, path: rank.path)
      file.inode = rank.inode
      var delta = FileDelta(file: file, from: rank.offset, to: rank.offset + UInt64(rank.held.count))
      delta.steps = rank.held
      batch.files.append(delta)
      ranks[place].offset = delta.to
      ranks[place].held = []
    }
  }

  private static func ranks(_ count: Int, period: Double = 2, host: UInt64 = 1, from first: Int = 0) -> [Training.Rank]
  {
    (first..<first + count).map { .init(host: host, path: "/srv/run/rank_\($0).log", period: period) }
  }

  private static func note(_ transition: Transition?) -> String {
    guard case .note(let text)? = transition?.evidence.first else { return "" }
    return text
  }

  // MARK: stragglers

  @Test func aRankThatFallsBehindIsNamedOnceAndEndsWhenItKeepsUp() throws {
    let training = try Training(Self.ranks(8))
    #expect(training.run(minutes: 20).isEmpty)
    training.ranks[3].period = 3.2
    let found = training.run(minutes: 15)
    #expect(found.map(\.kind) == [.opened])
    #expect(found.first?.entity == RuleEntity(kind: .run, name: "run"))
    let minutes = ((found.first?.timeNs ?? 0) - RuleEngineTests.start) / RuleEngineTests.second / 60
    #expect((25...32).contains(minutes), "\(minutes)")
    let note = Self.note(found.first)
    #expect(note.hasPrefix("rank 3 on h1: ") && note.contains("behind the other 7 ranks; its steps take 1."), "\(note)")
    // It has caught up: then all are level again.
    training.ranks[3].period = 2
    training.ranks[3].done = training.ranks[0].done
    training.ranks[3].step = training.ranks[0].step
    #expect(training.run(minutes: 15).map(\.kind) == [.cleared(.recovered)])
  }

  @Test func aRankThatStopsWhileTheOthersGoOnIsOne() throws {
    let training = try Training(Self.ranks(4))
    _ = training.run(minutes: 10)
    training.ranks[2].period = nil
    let found = training.run(minutes: 12)
    #expect(found.map(\.kind) == [.opened])
    let note = Self.note(found.first)
    #expect(note.hasPrefix("rank 2 on h1: no step for 8m") && note.contains("the other 3 ranks went on by"), "\(note)")
  }

  @Test(arguments: [
    ("step_time", 1.0, 1.5), ("elapsed time per iteration (ms)", 800, 1200), ("perf/samples/s", 300, 200),
    ("throughput(tps)", 3000, 2000),
  ])
  func aRankWhoseOwnStepsTakeLongerIsOne(_ name: String, _ usual: Double, _ slow: Double) throws {
    var ranks = Self.ranks(4)
    for place in ranks.indices { ranks[place].metrics = ["loss": 1, name: place == 1 ? slow : usual] }
    let found = try Training(ranks).run(minutes: 15)
    let isKnown = name != "perf/samples/s"
    #expect(found.map(\.kind) == (isKnown ? [.opened] : []))
    if isKnown {
      #expect(
        Self.note(found.first)
          == "rank 1 on h1: its steps take 1.5 times as long as those of the other 3 ranks (\(name))")
      let minutes = ((found.first?.timeNs ?? 0) - RuleEngineTests.start) / RuleEngineTests.second / 60
      #expect((7...10).contains(minutes), "\(minutes)")
    }
  }

  @Test func aSlowHostOfAJobIsNamedOnceWithAllItsRanks() throws {
    let training = try Training(Self.ranks(4) + Self.ranks(4, host: 2, from: 4) + Self.ranks(4, host: 3, from: 8))
    training.join("slurm:123")
    _ = training.run(minutes: 10)
    training.join("slurm:123")
    for place in 4..<8 { training.ranks[place].period = 4 }
    let found = training.run(minutes: 15)
    #expect(found.map(\.kind) == [.opened] && found.first?.host == HostID(high: 1, low: 2))
    let note = Self.note(found.first)
    #expect(note.contains("and 3 more on h2: ") && note.contains("the other 8 ranks"), "\(note)")
  }

  /// Each host has one log of its own, under the same path.
  @Test func hostsOfAJobAreComparedByTheirOnlyLogs() throws {
    let logs = (1...3).map { Training.Rank(host: UInt64($0), path: "/srv/run/train.log", period: 2) }
    let training = try Training(logs)
    _ = training.run(minutes: 1)
    training.join("rdzv:experiment-7")
    _ = training.run(minutes: 10)
    // The collector starts again, with what it has saved.
    let next = try RuleEngineTests.engine(Self.rule)
    for host in 1...3 {
      let id = HostID(high: 1, low: UInt64(host))
      try next.restore(training.engine.encodedState(of: id), of: id, name: "h\(host)", labels: [:])
    }
    training.engine = next
    #expect(training.run(minutes: 8).isEmpty)
    training.ranks[1].period = 3.5
    let found = training.run(minutes: 15)
    #expect(found.map(\.kind) == [.opened] && found.first?.host == HostID(high: 1, low: 2))
    #expect(Self.note(found.first).hasPrefix("rank 8 on h2: "), "\(Self.note(found.first))")
  }

  /// A host's log and its table are two ways of the same program; each is held against its like on the other hosts.
  @Test func filesOfOneKindAreHeldAgainstEachOther() throws {
    let files = (1...3).flatMap { host in
      [("train.log", Int64(1)), ("progress.csv", 50)].map {
        Training.Rank(host: UInt64(host), path: "/srv/run/" + $0.0, period: 2, every: $0.1)
      }
    }
    let training = try Training(files)
    _ = training.run(minutes: 1)
    training.join("k8s:team/bert")
    #expect(training.run(minutes: 20).isEmpty)
    for place in [4, 5] { training.ranks[place].period = 4 }
    let found = training.run(minutes: 15)
    #expect(found.map(\.kind) == [.opened] && found.first?.host == HostID(high: 1, low: 3))
    #expect(Self.note(found.first).contains("the other 2 hosts"), "\(Self.note(found.first))")
  }

  /// Two of one job: the worse one is named, so that the run has one incident.
  @Test func twoSlowHostsOfAJobAreOneIncident() throws {
    let ranks = (1...6).flatMap { Self.ranks(2, host: UInt64($0), from: Int($0) * 2) }
    let training = try Training(ranks)
    _ = training.run(minutes: 1)
    training.join("slurm:9")
    _ = training.run(minutes: 10)
    training.ranks[2].period = 4
    training.ranks[6].period = 5
    #expect(training.run(minutes: 30).map(\.kind) == [.opened])
  }

  // MARK: what is none

  @Test func ranksThatLogAtOtherMomentsAreLevel() throws {
    var ranks = Self.ranks(6)
    for place in 1..<6 { ranks[place].every = [1, 10, 50, 100, 250, 30][place] }
    #expect(try Training(ranks).run(minutes: 60).isEmpty)
  }

  @Test func rowsThatComeInBurstsAreJudgedByTheirTimes() throws {
    var ranks = Self.ranks(6)
    for place in 1..<6 { ranks[place].buffered = [1, 60, 80, 200, 31, 150][place] }
    #expect(try Training(ranks).run(minutes: 90).isEmpty)
  }

  @Test func whereOneOrTwoRanksLogThereIsNothingToCompare() throws {
    for count in 1...2 {
      let training = try Training(Self.ranks(count))
      _ = training.run(minutes: 10)
      training.ranks[count - 1].period = 8
      #expect(training.run(minutes: 20).isEmpty)
    }
  }

  @Test func aStallOfAllIsNoStraggler() throws {
    let training = try Training(Self.ranks(4))
    _ = training.run(minutes: 10)
    // One is the last to stop, one the first.
    for place in 0..<3 { training.ranks[place].period = nil }
    _ = training.run(minutes: 1)
    training.ranks[3].period = nil
    #expect(training.run(minutes: 30).isEmpty)
  }

  @Test func programsSideBySideAreNotLevel() throws {
    var ranks = Self.ranks(5)
    for place in ranks.indices { ranks[place].period = [2, 2.3, 3, 4, 2.7][place] }
    #expect(try Training(ranks).run(minutes: 60).isEmpty)
    // Trials of a search, whose files say nothing of ranks.
    let trials = (0..<4).map { Training.Rank(host: 1, path: "/srv/run/worker_\($0).log", period: 2) }
    let training = try Training(trials)
    _ = training.run(minutes: 10)
    training.ranks[1].period = 5
    #expect(training.run(minutes: 20).isEmpty)
  }

  @Test func anotherAttemptBeginsAnew() throws {
    let training = try Training(Self.ranks(4))
    _ = training.run(minutes: 20)
    training.ranks[2].step = 100
    training.ranks[2].done = 100
    #expect(training.run(minutes: 30).isEmpty)
  }

  @Test func ranksOfASilentHostAreNotKnown() throws {
    let training = try Training(Self.ranks(3) + Self.ranks(2, host: 2, from: 3))
    training.join("slurm:5")
    _ = training.run(minutes: 2)
    training.join("slurm:5")
    _ = training.run(minutes: 10)
    training.silent = [2]
    #expect(training.run(minutes: 20).isEmpty)
  }

  /// The end of a file of the first host, as the agent reports it.
  private static func end(_ path: String, in training: Training) {
    var update = RunUpdate()
    update.timeNs = training.nowNs
    update.run = "run"
    update.state = .completed
    update.source = path
    var records = Records()
    records.runs = [update]
    var batch = Batch()
    batch.wallNs = training.nowNs
    batch.spooled = [SpooledRecords(lane: .live, firstSequence: 9, lastSequence: 9, records: records)]
    _ = training.engine.observe(
      batch, from: HostID(high: 1, low: 1), name: "h1", labels: [:], nowNs: training.nowNs)
  }

  @Test func aRankThatHasEndedIsNotBehind() throws {
    let training = try Training(Self.ranks(4))
    _ = training.run(minutes: 10)
    training.ranks[2].period = nil
    Self.end("/srv/run/rank_2.log", in: training)
    #expect(training.run(minutes: 20).isEmpty)
  }

  @Test func theEndOfItsRunEndsTheIncident() throws {
    let training = try Training(Self.ranks(4))
    _ = training.run(minutes: 10)
    training.ranks[2].period = nil
    #expect(training.run(minutes: 12).map(\.kind) == [.opened])
    for place in training.ranks.indices { training.ranks[place].period = nil }
    Self.end("/srv/run/rank_0.log", in: training)
    #expect(training.run(minutes: 10).map(\.kind) == [.cleared(.recovered)])
  }

  /// The stages of a pipeline have work of their own each: none of them is what the others are.
  @Test func timesThatDifferFromRankToRankShowNoStraggler() throws {
    var ranks = Self.ranks(6)
    for place in ranks.indices { ranks[place].metrics = ["step_time": [1, 1.3, 1.7, 2.2, 0.8, 1.5][place]] }
    #expect(try Training(ranks).run(minutes: 20).isEmpty)
  }

  /// Level at first, each at a pace of its own then: of such there is none that the others are like.
  @Test func ranksThatAllComeApartShowNoStraggler() throws {
    let training = try Training(Self.ranks(5))
    _ = training.run(minutes: 10)
    for place in training.ranks.indices { training.ranks[place].period = [2, 2.6, 3.4, 4.4, 6][place] }
    #expect(training.run(minutes: 40).isEmpty)
  }

  /// Programs of which one is a little slower: after a while it is minutes behind, and still no straggler.
  @Test func aRankThatIsBehindButNotSlowIsNone() throws {
    let training = try Training(Self.ranks(4))
    training.ranks[1].period = 2.14
    #expect(training.run(minutes: 90).isEmpty)
  }

  /// All wait while one of them, each time another, writes or evaluates; none is behind for long.
  @Test func pausesOfOneRankAreNoStraggler() throws {
    let training = try Training(Self.ranks(4))
    _ = training.run(minutes: 10)
    var found: [Transition] = []
    for round in 0..<8 {
      training.ranks[round % 4].period = nil
      found += training.run(minutes: 3)
      // It catches up.
      training.ranks[round % 4].period = 1
      found += training.run(minutes: 3)
      training.ranks[round % 4].period = 2
      found += training.run(minutes: 6)
    }
    #expect(found.isEmpty)
  }

  /// Two hosts read the same files, the second one late: it is one run of four ranks, and the rank's own host is named.
  @Test func filesOfASharedFileSystemCountOnce() throws {
    var ranks = Self.ranks(4)
    for place in ranks.indices { ranks[place].inode = UInt64(100 + place) }
    var others = ranks
    for place in others.indices { (others[place].host, others[place].buffered) = (2, 45) }
    let training = try Training(ranks + others)
    _ = training.run(minutes: 2)
    training.join("slurm:8")
    _ = training.run(minutes: 28)
    for place in [0, 4] { training.ranks[place].period = 4 }
    let found = training.run(minutes: 15)
    #expect(found.map(\.kind) == [.opened])
    #expect(Self.note(found.first).contains("the other 3 ranks"), "\(Self.note(found.first))")
  }

  // MARK: parts

  @Test(arguments: [
    ("/srv/run/rank_3.log", 3), ("/srv/run/RANK12.log", 12), ("/srv/local_rank_0/train.log", 0),
    ("/logs/attempt_0/7/stdout.log", 7), ("/srv/run/train_rank-5.log", 5), ("/srv/frank_3.log", nil),
    ("/srv/ranking.log", nil), ("/srv/rank", nil), ("/srv/worker_3.log", nil), ("/srv/attempt_0", nil),
    ("/srv/rank_99999999999999999999.log", nil), ("", nil),
  ]) func theRankStandsInThePath(_ path: String, _ rank: Int32?) {
    #expect(FileIdentity(key: FileKey(high: 0, low: 0), path: path).rank == rank)
  }

  /// The agent puts files of ranks into one run by their paths, too: both must read the same there.
  @Test(arguments: [
    "/srv/run/rank_#.log", "/srv/run/rank#/train.log", "/srv/run/local_rank_#/train.log", "/srv/run/train_rank-#.log",
    "/srv/run/attempt_0/#/stdout.log",
  ]) func theAgentKnowsTheSameRanks(_ pattern: String) {
    let paths = [3, 12].map { pattern.replacing("#", with: "\($0)") }
    let places = paths.map { RunPlace($0, .log) }
    #expect(places.map(\.rank) == [3, 12])
    #expect(paths.map { FileIdentity(key: FileKey(high: 0, low: 0), path: $0).rank } == [3, 12])
    #expect(places[0].run == places[1].run)
  }

  /// Whatever a host sends, nothing overflows.
  @Test func extremeStepsAndTimesDoNoHarm() {
    var track = RankTrack(file: 1, rank: 0, shape: 0, inode: 0)
    let steps: [Int64] = [.min, .min + 1, -1, 0, 1, .max - 1, .max, .min, .max, 0]
    for (place, number) in steps.enumerated() {
      var step = TrainingStep()
      step.step = number
      let ns = place % 2 == 0 ? RuleLimits.timeNsMax : Int64(place) * 60_000_000_000
      track.add(step, timeNs: ns, nowNs: ns)
      for wanted in steps { _ = track.reached(wanted) }
      _ = track.isQuiet(.max)
      _ = track.isWarm(.min)
    }
    #expect(track.points.count <= RankLimits.pointsMax)
  }
}
