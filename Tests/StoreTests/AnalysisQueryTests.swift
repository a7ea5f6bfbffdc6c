import FleetModel
import Foundation
import Postgres
import Store
import Testing

/// What a run's steps add up to, and whether they are whole. The figures of the sound log were computed from the file by a program of another
/// language that shares no code with this one.
extension EpisodeQueryTests {
  private func insertEpisodes(_ rows: String) throws {
    try store.connection.execute(
      """
      insert into signalbox.episodes (run, episode, updated, state, steps, first_step, last_step, reward_count, reward_sum,
        value_count, return_count, trades_closed, trades_won, final_steps)
      select 5, e, '\(Self.start)', 1, steps, 1, steps, greatest(steps, 1), reward, 0, 0, 0, 0, 0 from (values \(rows)) v (e, steps, reward)
      """)
  }

  private func items(_ value: ReadValue?) throws -> [[String: Any]] {
    guard case .json(let text)? = value else { return [] }
    return try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
  }

  private func sentences(_ value: ReadValue?) throws -> [String] {
    guard case .json(let text)? = value else { return [] }
    return try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String])
  }

  @Test func aRunIsAnalysed() throws {
    try store("seed-format/training_log.csv")
    try insertEpisodes("(1, 60, -0.5), (2, 60, 0.5), (3, 60, 1.5), (4, 0, -2.0)")
    let row = try #require(try read(AnalysisQueries.analysis(run: 5)).first)
    #expect(row["episodes"] == .integer(4) && row["episodes_examined"] == .integer(3))
    #expect(row["steps_examined"] == .integer(180) && row["episodes_negative"] == .integer(2))
    #expect(abs(number(row["operations_mean"]) - 121.0 / 3) < 1e-9 && row["large_changes"] == .integer(47))
    #expect(row["large_change_threshold"] == .real(10_000))
    let operations = try items(row["operations"]).reduce(into: [:]) { known, item in
      known[item["operation"] as? String ?? ""] = item["steps"] as? Int
    }
    #expect(
      operations == [
        "HOLD": 59, "ENTRY_LONG": 30, "EXIT_LONG": 28, "ENTRY_SHORT": 18, "EXIT_SHORT": 18, "LONG_TO_SHORT": 14,
        "SHORT_TO_LONG": 13,
      ])
    let trend = try items(row["trend"])
    #expect(trend.map { $0["part"] as? String } == ["first", "middle", "last"])
    #expect(trend.map { $0["operations_mean"] as? Int } == [34, 42, 45] && trend[2]["from_episode"] as? Int == 3)
    let transitions = try items(row["transitions"])
    #expect(transitions.map { $0["steps"] as? Int } == [23, 29, 17, 28, 22, 14, 18, 13, 13])
    #expect(transitions[5]["previous_action"] as? String == "1" && transitions[5]["action"] as? String == "2")
    let large = try items(row["large"])
    #expect(
      large.count == AnalysisQueries.listMax && large[0]["step"] as? Int == 44 && large[0]["after"] as? Int == -47)
    #expect(try items(row["negative_episodes"]).map { $0["episode"] as? Int } == [4, 1])
    let open = try sentences(row["not_examined"])
    #expect(open.contains { $0.hasPrefix("slow statements: no line has one") }, "\(open)")
    #expect(!open.contains { $0.contains("never arrived") || $0.contains("trend") }, "\(open)")
    #expect(try read(AnalysisQueries.analysis(run: 5, largeChange: 1e6)).first?["large_changes"] == .integer(0))
    #expect(try read(AnalysisQueries.analysis(run: 6)).isEmpty)
  }

  /// Errors are counted by host and hour, statements folded by their values; a run of which no step is stored is not called fine.
  @Test func whatHappenedBesideARunIsCounted() throws {
    try store.connection.execute(
      """
      insert into signalbox.hosts (number, host_id, name) values (2, gen_random_uuid(), 'two');
      insert into signalbox.runs (host, run, started, updated) values (2, 'ppo', '\(Self.start)', '\(Self.start)');
      insert into signalbox.log_counts (time, host, file, level, lines, bytes) values
        ('\(Self.start)', 1, 1, 4, 3, 1), ('\(Self.start)', 1, 2, 4, 4, 1), ('\(Self.start)', 2, 3, 4, 1, 1),
        ('\(Self.start)', 1, 1, 3, 9, 1), ('\(Self.start)'::timestamptz - interval '3 h', 1, 1, 4, 9, 1);
      do $$ begin
        if to_regproc('signalbox.ensure_partition') is not null then
          perform signalbox.ensure_partition('log_info', '\(Self.start)');
        end if;
      end $$;
      insert into signalbox.log_info (time, received, host, file, file_offset, level, flags, message)
      select '\(Self.start)', '\(Self.start)', 1, 1, n, 2, 0, 'LOG:  duration: ' || n || '00.5 ms  statement: select * from t where a = '
        || n || ' and b = ''secret''' from generate_series(1, 3) n;
      insert into signalbox.loss_ledger (time, received, host, subject, reason, from_offset, to_offset, is_estimate)
        values ('\(Self.start)', '\(Self.start)', 1, 'a.log', 'x', 0, 9, false);
      """)
    let row = try #require(try read(AnalysisQueries.analysis(run: 5)).first)
    let errors = try items(row["errors"])
    #expect(errors.map { $0["host"] as? String } == ["one", "two"] && errors.map { $0["lines"] as? Int } == [7, 1])
    #expect(errors[0]["hour"] as? String == "2026-11-21T00:00:00Z")
    let slow = try items(row["slow_statements"])
    #expect(slow.count == 1 && slow[0]["statement"] as? String == "select * from t where a = ? and b = ?")
    #expect(slow[0]["calls"] as? Int == 3 && slow[0]["max_ms"] as? Double == 300.5)
    #expect(row["large_changes"] == .null)
    let open = try sentences(row["not_examined"])
    #expect(open.contains("the run has no episodes") && open.contains { $0.contains("never arrived") }, "\(open)")
    #expect(try read(VerificationQueries.verification(host: nil, run: 5)).first?["state"] == .text("not examined"))
  }

  @Test func soundStepsAreFoundSound() throws {
    try store("seed-format/training_log.csv")
    try insertEpisodes("(1, 60, 1), (2, 60, 1), (3, 60, 1)")
    let rows = try read(VerificationQueries.verification(host: "o*", run: nil))
    #expect(rows.count == 1 && rows[0]["state"] == .text("ok") && rows[0]["steps_examined"] == .integer(180), "\(rows)")
    #expect(try read(VerificationQueries.verification(host: "x*", run: nil)).isEmpty)
    try insertEpisodes("(5, 0, 1)")
    let partly = try read(VerificationQueries.verification(host: nil, run: nil))
    #expect(partly[0]["state"] == .text("broken") && partly[1]["check"] == .text("episodes_missing"), "\(partly)")
    #expect(partly[0]["not_examined"] == .text("episodes without stored steps: 1"))
  }

  /// Each way in which steps can be broken, alone, is found at its step, and nothing else.
  @Test(arguments: [
    ("delete from signalbox.training_steps where episode = 2 and step in (10, 11)", "steps_missing", 2, 9),
    (
      """
      insert into signalbox.training_steps (time, received, host, run, episode, step, reward, action, price, portfolio_value, position,
        balance, shares_held)
      select time, received, host, run, episode, step, reward, action, price, portfolio_value, position, balance, shares_held
      from signalbox.training_steps where episode = 2 and step = 30
      """, "steps_repeated", 1, 30
    ),
    (
      "update signalbox.training_steps set time = time + interval '2 s' where episode = 2 and step = 7",
      "time_backwards",
      1, 8
    ),
    (
      """
      update signalbox.training_steps set shares_held = -5, portfolio_value = balance - 5 * price, position = 1
      where episode = 2 and step = 20
      """, "sell_before_buy", 1, 20
    ),
    (
      """
      update signalbox.training_steps set shares_held = 5, portfolio_value = balance + 5 * price, position = 0
      where episode = 2 and step = 21
      """, "units_contradict_position", 1, 21
    ),
    (
      "update signalbox.training_steps set portfolio_value = portfolio_value * 1.01 where episode = 2 and step = 40",
      "accounts_differ", 1, 40
    ),
  ]) func whatIsBrokenIsNamed(_ change: String, _ check: String, _ count: Int64, _ first: Int64) throws {
    try store("seed-format/training_log.csv")
    try insertEpisodes("(1, 60, 1), (2, 60, 1), (3, 60, 1)")
    try store.connection.execute(change)
    let rows = try read(VerificationQueries.verification(host: nil, run: 5))
    #expect(rows.count == 2 && rows[0]["state"] == .text("broken") && rows[0]["count"] == .integer(1), "\(rows)")
    let finding = try #require(rows.last)
    #expect(finding["check"] == .text(check) && finding["episode"] == .integer(2), "\(finding)")
    #expect(finding["count"] == .integer(count) && finding["first_step"] == .integer(first), "\(finding)")
  }

  /// What a writer reports may be anything, and no figure makes the answer fail.
  @Test func oddStepsAreAnalysed() throws {
    try store.connection.execute(
      """
      insert into signalbox.training_steps (time, received, host, run, episode, step, reward, action, price, position, shares_held, balance)
      select '\(Self.start)', '\(Self.start)', 1, 5, case s % 2 when 0 then \(Int64.max) else \(Int64.min) end,
        case s when 0 then \(Int64.min) when 2 then \(Int64.max) else s end, 'nan', s * 1e10, 1e99, s - 4, case s % 3 when 0 then 1e99
        when 1 then 'infinity'::float8 end, -1e99
      from generate_series(0, 20) s
      """)
    try insertEpisodes("(\(Int64.max), 10, 'nan'::float8), (\(Int64.min), 10, 1e308)")
    let row = try #require(try read(AnalysisQueries.analysis(run: 5)).first)
    #expect(row["steps_examined"] == .integer(21))
    #expect(try items(row["operations"]).compactMap { $0["steps"] as? Int }.reduce(0, +) == 21)
    let rows = try read(VerificationQueries.verification(host: nil, run: nil))
    #expect(rows.contains { $0["check"] == .text("steps_missing") } && rows[0]["state"] == .text("broken"), "\(rows)")
  }

  /// Of a run with more steps than one answer reads, the rest is named.
  @Test func whatIsBeyondTheLimitIsNamed() throws {
    try store("seed-format/training_log.csv")
    let most = AnalysisQueries.stepsMax
    try insertEpisodes("(1, \(most), 1), (2, \(most + 1), 1), (3, \(most), 1)")
    let row = try #require(try read(AnalysisQueries.analysis(run: 5)).first)
    #expect(row["steps_examined"] == .integer(120))
    let open = try sentences(row["not_examined"])
    #expect(open.contains { $0.contains("than each 2. from the first") }, "\(open)")
    #expect(open.contains("episodes of more than \(most) steps each: 1"), "\(open)")
    let verified = try #require(try read(VerificationQueries.verification(host: nil, run: nil)).first)
    guard case .text(let left)? = verified["not_examined"] else { throw ExpectedText() }
    #expect(verified["state"] == .text("partly") && left.contains("the newest of each run first: 2"), "\(left)")
  }

  private struct ExpectedText: Error {}
}
