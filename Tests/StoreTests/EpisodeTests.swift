import FleetModel
import Postgres
import Store
import Testing

@Suite(.timeLimit(.minutes(10))) struct EpisodeTests {
  private func step(_ index: Int, _ value: Double, _ position: Double) -> TrainingStep {
    var step = TrainingStep()
    step.timeNs = StoreFixture.nowNs + Int64(index) * 1_000_000
    step.run = "run-a"
    step.episode = 3
    step.step = Int64(index)
    step.reward = Double(index) - 2
    step.portfolioValue = value
    step.position = position
    return step
  }

  private var steps: [TrainingStep] {
    let values: [(Double, Double)] = [(100, 1), (110, 1), (90, 0), (95, -1), (120, -1), (80, 2), (85, 2)]
    return values.enumerated().map { step($0.offset, $0.element.0, $0.element.1) }
  }

  private func staged(_ stream: TestStream, _ range: Range<Int>, isEnd: Bool = false) -> StagedBatch {
    var delta = FileDelta(
      file: FileIdentity(key: FileKey(high: 0, low: 1), path: "/log.csv"), from: UInt64(range.lowerBound),
      to: UInt64(range.upperBound))
    delta.steps = Array(steps[range])
    var summary = EpisodeSummary()
    for step in delta.steps { summary.add(step) }
    if isEnd { summary.state = .completed }
    delta.episodes = [summary]
    var batch = Batch()
    batch.files = [delta]
    return stream.staged(batch)
  }

  @Test(arguments: [[7], [1, 6], [3, 4], [1, 1, 1, 1, 1, 1, 1], [5, 2]])
  func rangesCommittedOneByOneGiveTheFiguresOfTheWhole(_ lengths: [Int]) throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var start = 0
    for length in lengths {
      let range = start..<start + length
      #expect(try fixture.store.commit([staged(stream, range, isEnd: range.upperBound == 7)]) == [.committed])
      start += length
    }
    var whole = EpisodeSummary()
    for step in steps { whole.add(step) }
    whole.state = .completed
    let metrics = whole.metrics
    let rows = try fixture.store.connection.query(
      """
      select steps, total_reward, pnl, win_rate_ratio, max_drawdown_ratio, sharpe_ratio, sortino_ratio, calmar_ratio,
        trades_closed, trades_won, status from episodes where run = 'run-a' and episode = 3
      """)
    #expect(rows.count == 1)
    #expect(rows.int(0, 0) == metrics.steps)
    let expected = [
      metrics.totalReward, metrics.pnl, metrics.winRateRatio, metrics.maxDrawdownRatio, metrics.sharpeRatio,
      metrics.sortinoRatio, metrics.calmarRatio,
    ]
    for (index, value) in expected.enumerated() {
      let stored = rows.double(0, index + 1) ?? .nan
      #expect(abs(stored - value) < 1e-9, "column \(index + 1): \(stored) instead of \(value)")
    }
    #expect(rows.int(0, 8) == Int64(metrics.tradesClosed))
    #expect(rows.int(0, 9) == Int64(metrics.tradesWon))
    #expect(rows.text(0, 10) == "completed")
    #expect(try fixture.count("training_steps") == 7)
  }

  @Test func rangesOfOneEpisodeInOneGroupAreMergedInOrder() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    #expect(
      try fixture.store.commit([staged(stream, 0..<3), staged(stream, 3..<7)]) == [.committed, .committed])
    #expect(try fixture.value("select steps || ' ' || pnl || ' ' || status from episodes") == "7 -15 running")
  }

  @Test func oldWordOnARunDoesNotUndoItsEnd() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    func reported(_ state: RunState, _ seconds: Int64, _ sequence: UInt64) -> StagedBatch {
      var staged = stream.samples(sequence...sequence)
      var update = RunUpdate()
      update.run = "run-a"
      update.state = state
      update.timeNs = StoreFixture.nowNs - 100_000_000_000 + seconds * 1_000_000_000
      update.framework = "sb3"
      staged.batch.spooled[0].records.runs = [update]
      return staged
    }
    _ = try fixture.store.commit([reported(.running, 10, 1)])
    _ = try fixture.store.commit([reported(.completed, 50, 2)])
    _ = try fixture.store.commit([reported(.running, 20, 3)])
    #expect(
      try fixture.value("select state || ' ' || framework || ' ' || (ended - started) from runs")
        == "completed sb3 00:00:40")
  }

  @Test func anEpisodeWithoutPortfolioHasNoRatiosAndOneWithoutABeginningNoTime() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var episode = EpisodeSummary()
    episode.run = "run-a"
    episode.episode = 1
    episode.state = .completed
    episode.timeNs = StoreFixture.nowNs
    episode.finalSteps = 21
    episode.finalReward = 21
    for sequence in 1...2 as ClosedRange<UInt64> {
      // The second one merges with what was read back.
      var staged = stream.samples(sequence...sequence)
      staged.batch.spooled[0].records.episodes = [episode]
      #expect(try fixture.store.commit([staged]) == [.committed])
    }
    let rows = try fixture.store.connection.query(
      """
      select started, sharpe_ratio, sortino_ratio, calmar_ratio, win_rate_ratio, max_drawdown_ratio, pnl, total_reward
      from episodes
      """)
    #expect(rows.count == 1)
    for column in 0..<7 { #expect(rows.text(0, column) == nil, "column \(column)") }
    #expect(rows.double(0, 7) == 21)
  }

  @Test func whatARunReportedOfItselfStaysWhenItEnds() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    func reported(_ sequence: UInt64, _ details: [(RunState, String)]) throws {
      var staged = stream.samples(sequence...sequence)
      staged.batch.spooled[0].records.runs = details.enumerated().map { index, report in
        var update = RunUpdate()
        update.run = "run-a"
        update.state = report.0
        update.timeNs = StoreFixture.nowNs + Int64(sequence) * 1000 + Int64(index)
        update.detail = report.1
        return update
      }
      #expect(try fixture.store.commit([staged]) == [.committed])
    }
    func detail(_ path: String) throws -> String? { try fixture.value("select detail::jsonb \(path) from runs") }
    try reported(1, [(.running, "{\"pid\": 7, \"detail\": {\"lr\": 0.5, \"seed\": 1}}")])
    try reported(2, [(.completed, "{}")])
    #expect(try detail("#>> '{detail,lr}'") == "0.5")
    try reported(3, [(.running, ""), (.failed, "{\"pid\": 7, \"detail\": {\"reason\": \"nan\", \"seed\": 2}}")])
    #expect(try detail("#>> '{detail,lr}'") == "0.5")
    #expect(try detail("#>> '{detail,reason}'") == "nan")
    #expect(try detail("#>> '{detail,seed}'") == "2")
    // What is no JSON changes nothing, and what is endless neither.
    try reported(
      4,
      [(.running, "no json"), (.running, "[1]"), (.running, "{\"x\": \"\(String(repeating: "y", count: 65_000))\"}")])
    try reported(5, [(.running, "{\"z\": \"\(String(repeating: "y", count: 65_000))\"}")])
    #expect(try detail("->> 'z'") == nil)
    #expect(try detail("#>> '{detail,lr}'") == "0.5")
    #expect(try fixture.value("select octet_length(detail) <= 65536 from runs") == "t")
    // Start and end in one group.
    var staged = stream.samples(6...6)
    staged.batch.spooled[0].records.runs = ["{\"lr\": 1}", "{\"end\": 2}"].map { text in
      var update = RunUpdate()
      update.run = "run-b"
      update.state = .running
      update.timeNs = StoreFixture.nowNs
      update.detail = text
      return update
    }
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(try fixture.value("select detail::jsonb = '{\"lr\": 1, \"end\": 2}' from runs where run = 'run-b'") == "t")
  }

  @Test func runsWhoseNamesOnlyLookTheSameAreTwo() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var staged = stream.samples(1...1)
    // One accented letter, and a letter with a mark: one String to Swift, two names to everybody else.
    staged.batch.spooled[0].records.runs = ["caf\u{e9}", "cafe\u{301}"].map { name in
      var update = RunUpdate()
      update.run = name
      update.state = .running
      update.timeNs = StoreFixture.nowNs
      return update
    }
    #expect(try fixture.store.commit([staged]) == [.committed])
    #expect(try fixture.count("runs") == 2)
  }

  @Test func everyMetricWithSeveralMeaningsHasItsDefinitionInTheDatabase() throws {
    let fixture = try StoreFixture()
    for (name, text) in EpisodeMetrics.definitions.map({ ($0.name, $0.text) }) {
      let defined = try fixture.value(
        "select definition from metric_definitions where view = 'episodes' and metric = '\(name)'")
      #expect(defined == text, "\(name)")
    }
  }
}
