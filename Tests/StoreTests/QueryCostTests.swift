import FleetModel
import Postgres
import Store
import TestSupport
import Testing

/// What the questions of the command line read: by the rows they show, not by all that is stored.
@Suite(.timeLimit(.minutes(10))) struct QueryCostTests {
  private func reader(_ fixture: StoreFixture) throws -> FleetReader { try FleetReader(fixture.database.url) }

  private func episode(_ stream: TestStream, run: String, _ number: Int64, _ change: (inout EpisodeSummary) -> Void)
    -> EpisodeSummary
  {
    var summary = EpisodeSummary()
    summary.run = run
    summary.episode = number
    summary.timeNs = StoreFixture.nowNs + number * 1_000_000_000
    summary.startedNs = StoreFixture.nowNs
    summary.steps = 10
    summary.state = .completed
    change(&summary)
    return summary
  }

  private func staged(_ stream: TestStream, _ sequence: UInt64, _ episodes: [EpisodeSummary]) -> StagedBatch {
    var records = Records()
    records.episodes = episodes
    var batch = Batch()
    batch.spooled = [
      SpooledRecords(lane: .live, firstSequence: sequence, lastSequence: sequence, records: records)
    ]
    return stream.staged(batch)
  }

  @Test func totalsOfARunAreThoseOfItsEpisodes() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var generator = SplitMix(seed: 7)
    var sequence: UInt64 = 0
    // Episodes that end, go on, are closed by force, report a length and a return of their own, and come in parts.
    for _ in 0..<60 {
      sequence += 1
      let episodes = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
        episode(stream, run: "run-\(Int.random(in: 0...2, using: &generator))", .random(in: 1...12, using: &generator))
        {
          $0.state = [.running, .completed, .forceClosed].randomElement(using: &generator) ?? .running
          $0.rewardCount = 2
          $0.rewardSum = Double(Int.random(in: -50...50, using: &generator))
          if Bool.random(using: &generator) { $0.finalReward = Double(Int.random(in: -9...9, using: &generator)) }
          if Bool.random(using: &generator) { $0.finalSteps = .random(in: 0...100, using: &generator) }
          if Bool.random(using: &generator) {
            $0.valueCount = 2
            $0.returnCount = 2
            $0.returnSum = 0.25
            $0.returnSquareSum = 0.5
          }
        }
      }
      #expect(try fixture.store.commit([staged(stream, sequence, episodes)]) == [.committed])
    }
    let expected = try fixture.store.connection.queryText(
      """
      select run, count(*), count(*) filter (where status = 'completed'), sum(steps)::bigint,
        round(avg(total_reward) filter (where status <> 'running')::numeric, 6)::text,
        round(avg(sharpe_ratio) filter (where status <> 'running')::numeric, 6)::text
      from episodes group by run order by run
      """)
    let table = try reader(fixture).read(TrainingQueries.runs(host: nil, state: nil, limit: 100))
    let rows = table.rows.sorted { "\($0[2])" < "\($1[2])" }
    #expect(rows.count == 3 && expected.count == 3)
    for row in 0..<min(rows.count, expected.count) {
      #expect(rows[row][2] == .text(expected.text(row, 0) ?? ""))
      #expect(rows[row][15] == .integer(Int64(expected.text(row, 1) ?? "") ?? -1))
      #expect(rows[row][16] == .integer(Int64(expected.text(row, 2) ?? "") ?? -1))
      #expect(rows[row][17] == .integer(Int64(expected.text(row, 3) ?? "") ?? -1))
      for (column, mean) in [(18, expected.text(row, 4)), (19, expected.text(row, 5))] {
        guard case .real(let value) = rows[row][column], let mean = Double(mean ?? "") else {
          #expect(rows[row][column] == .null && mean == nil)
          continue
        }
        #expect(abs(value - mean) < 1e-5)
      }
    }
    // Made anew they are the same, but for the rounding of sums.
    let totals = """
      select string_agg(format('%s %s %s %s %s %s %s', run, ended, completed, hollow, steps, reward_count, sharpe_count), ',' order by run)
      from signalbox.run_totals where ended > 0
      """
    let kept = try fixture.value(totals)
    try fixture.store.recomputeRunTotals()
    #expect(try fixture.value(totals) == kept)
    let check = try reader(fixture).read(
      TrainingQueries.check(host: nil, run: nil, staleMinutes: 15, limit: 100))
    let counted = try fixture.store.connection.queryText(
      """
      select run, count(*) filter (where status = 'completed'), count(*) filter (where status = 'running'),
        count(*) filter (where status = 'completed' and steps = 0) from episodes group by run order by run
      """)
    for (index, row) in check.rows.sorted(by: { "\($0[1])" < "\($1[1])" }).enumerated() {
      #expect(row[3] == .integer(Int64(counted.text(index, 1) ?? "") ?? -1))
      #expect(row[4] == .integer(Int64(counted.text(index, 2) ?? "") ?? -1))
      #expect(row[6] == .integer(Int64(counted.text(index, 3) ?? "") ?? -1))
    }
  }

  @Test func totalsOfARunAreBoundedWhateverAWriterReports() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let extremes: [Double] = [1e308, -1e308, .infinity, .nan, Double.leastNonzeroMagnitude, 1e-200, 1e200, -1e-160]
    for (index, value) in extremes.enumerated() {
      let summary = episode(stream, run: "hostile", Int64(index)) {
        $0.finalReward = value
        $0.finalSteps = .max
        $0.state = index % 2 == 0 ? .completed : .running
        $0.returnCount = 3
        $0.returnSum = value
        $0.returnSquareSum = value
        $0.returnDownsideSquareSum = Double.leastNonzeroMagnitude
        $0.valueCount = 2
        $0.valueFirst = Double.leastNonzeroMagnitude
        $0.valueLast = 1e308
        $0.drawdownMaximumRatio = 1e-300
      }
      #expect(try fixture.store.commit([staged(stream, UInt64(index + 1), [summary])]) == [.committed])
    }
    let table = try reader(fixture).read(TrainingQueries.runs(host: nil, state: nil, limit: 1))
    #expect(table.rows.first?[15] == .integer(Int64(extremes.count)))
    #expect(table.rows.first?[17] == .integer(.max))
    let episodes = try reader(fixture).read(TrainingQueries.episodes(host: nil, run: nil, status: nil, limit: 99))
    #expect(episodes.rows.count == extremes.count)
    #expect(
      try reader(fixture).read(TrainingQueries.check(host: nil, run: nil, staleMinutes: 1, limit: 9)).rows.count == 1)
  }

  /// Rows that the plan of a question takes from its tables.
  private func rowsRead(_ fixture: StoreFixture, _ query: ReadQuery) throws -> Int {
    let connection = fixture.store.connection
    let plan = try connection.queryText(
      "explain (analyze, costs off, timing off) " + query.sql, query.parameters.map { $0.map(Parameter.text) ?? .null })
    var rows = 0
    for line in 0..<plan.count {
      let text = plan.text(line, 0) ?? ""
      guard text.contains("Scan") else { continue }
      // "… (actual rows=3 loops=2)"
      let figures = text.split { $0 == " " || $0 == "(" || $0 == ")" }.compactMap { word -> Double? in
        word.hasPrefix("rows=") || word.hasPrefix("loops=") ? Double(word.split(separator: "=").last ?? "") : nil
      }
      if figures.count == 2 { rows += Int(figures[0] * figures[1]) }
    }
    return rows
  }

  @Test func listOfRunsReadsThePageAndNotTheEpisodes() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    _ = try fixture.store.commit([staged(stream, 1, [episode(stream, run: "first", 1) { _ in }])])
    try fixture.store.connection.execute(
      """
      insert into signalbox.runs (host, run, state, started, updated)
        select host, 'run-' || n, 2, now(), now() + n * interval '1 s' from signalbox.runs, generate_series(1, 20000) n;
      insert into signalbox.episodes
        select x.number, n, e.updated, e.state, e.started, e.steps, e.first_step, e.last_step, e.reward_count, e.reward_sum,
          e.reward_minimum, e.reward_maximum, e.reward_square_sum, e.value_count, e.value_first, e.value_last, e.value_peak,
          e.value_trough, e.drawdown_maximum_ratio, e.return_count, e.return_sum, e.return_square_sum,
          e.return_downside_square_sum, e.trades_closed, e.trades_won, e.head_position, e.head_end_value, e.tail_position,
          e.tail_start_value, e.final_steps, e.final_reward
        from signalbox.episodes e, signalbox.runs x, generate_series(1, 2) n where x.run <> 'first';
      """)
    try fixture.store.recomputeRunTotals()
    try fixture.store.connection.execute(
      "analyze signalbox.runs; analyze signalbox.episodes; analyze signalbox.run_totals")
    #expect(try rowsRead(fixture, TrainingQueries.runs(host: nil, state: nil, limit: 1)) < 20)
    #expect(try rowsRead(fixture, TrainingQueries.runs(host: nil, state: nil, limit: 100)) < 1000)
  }

  @Test func linesOfOneHostAreReadThroughItsOwnIndex() throws {
    let fixture = try StoreFixture()
    let loud = try fixture.stream("loud", 1)
    let quiet = try fixture.stream("quiet", 2)
    _ = try fixture.stream("mute", 3)
    _ = try fixture.store.commit([loud.lines(2000), quiet.lines(3, file: 5)])
    // So many that going through all of them is no way any more.
    try fixture.store.connection.execute(
      """
      insert into signalbox.log_info (time, received, host, file_offset, file, level, flags, message)
        select l.time, l.received, l.host, l.file_offset + n * 100000, l.file, l.level, l.flags, l.message
        from signalbox.log_info l, generate_series(1, 100) n where l.host = (select number from signalbox.hosts where name = 'loud');
      analyze signalbox.log_info
      """)
    var filter = LogFilter()
    let fleet = try reader(fixture)
    for (host, lines) in [("loud", 200), ("quiet", 3), ("mute", 0)] {
      filter.hosts = [host]
      let scope = try fleet.scope(of: filter)
      #expect(try fleet.newestLines(filter, limit: 200).rows.count == lines)
      #expect(try rowsRead(fixture, LogQueries.newest(filter, scope, limit: 200)) <= 3 * lines + 20, "\(host)")
    }
    filter.hosts = ["nobody-has-this-name"]
    #expect(try fleet.scope(of: filter).isEmpty)
    filter.hosts = []
    filter.file = "train-5.log"
    #expect(try fleet.newestLines(filter, limit: 200).rows.count == 3)
    #expect(try rowsRead(fixture, LogQueries.newest(filter, try fleet.scope(of: filter), limit: 200)) <= 30)
  }

  @Test(arguments: [1, 7, 100, 5000]) func pagesOfLinesGiveEachLineOnceInOrder(_ pageRows: Int) throws {
    let fixture = try StoreFixture()
    let first = try fixture.stream("first", 1)
    let second = try fixture.stream("second", 2)
    // The same times on two hosts, in two files and on four levels: ties at every place where a page may end.
    for (index, level) in [Level.info, .error, .warn, .debug].enumerated() {
      _ = try fixture.store.commit([
        first.lines(30, file: UInt64(10 + index), level: level),
        second.lines(30, file: UInt64(20 + index), level: level),
      ])
    }
    let fleet = try reader(fixture)
    for hosts in [[], ["first"], ["first", "second"]] {
      var filter = LogFilter()
      filter.hosts = hosts
      var keys: [[ReadValue]] = []
      try fleet.lines(filter, pageRows: pageRows) { page in
        #expect(page.columns.count == 8)
        keys += page.rows.map { [$0[0], $0[2], $0[3], $0[4]] }
        return true
      }
      #expect(keys.count == (hosts.count == 1 ? 120 : 240))
      #expect(Set(keys).count == keys.count)
      #expect(zip(keys, keys.dropFirst()).allSatisfy { "\($0[0])" <= "\($1[0])" })
    }
  }

  @Test func readerWhoPausesHoldsNoTransaction() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    _ = try fixture.store.commit([stream.lines(50)])
    var open: [String?] = []
    try reader(fixture).lines(LogFilter(), pageRows: 10) { _ in
      open.append(
        try fixture.store.connection.queryText(
          "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'signalbox' and backend_xmin is not null"
        ).text(0, 0))
      return true
    }
    #expect(open.count >= 5 && open.allSatisfy { $0 == "0" })
  }

  @Test(arguments: [
    ("CUDA out of memory", "CUDA out of memory"), ("loss: (nan|inf)", "loss: "), ("a+bcd?ef", "bc"),
    ("epoch [0-9]+ finished", " finished"), ("err(or)?s found", "s found"), ("x{2,3}failed to open", "failed to open"),
    ("\\d+ files\\.txt", " files.txt"), ("[]x]abc[^]]", "abc"), ("[[:alpha:]]end", "end"),
    ("^start.*finish$", "finish"),
  ]) func requiredTextOfAnExpressionIsInEveryMatch(_ pattern: String, _ expected: String) {
    #expect(RequiredLiteral.of(pattern) == (expected.count >= RequiredLiteral.scalarsMin ? expected : nil))
  }

  @Test(arguments: ["error|warning", "(?i)error", "***=a.b", "a.b", "", "(", "[abc", "abc\\", "\\x41bcd", "ab*c"])
  func expressionsWithoutARequiredTextAreMatchedAlone(_ pattern: String) {
    #expect(RequiredLiteral.of(pattern) == nil)
  }
}
