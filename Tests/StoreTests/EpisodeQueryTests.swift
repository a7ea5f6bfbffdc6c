import FleetModel
import Foundation
import Postgres
import Store
import TestSupport
import Testing

/// Steps, operations and decisions of stored episodes. The expected figures were computed from the file by a program of another
/// language that shares no code with this one.
@Suite(.timeLimit(.minutes(10))) struct EpisodeQueryTests {
  let fixture: StoreFixture
  var store: Store { fixture.store }
  static let start = "2026-11-21 00:00:00+00"

  init() throws {
    fixture = try StoreFixture()
    try store.connection.execute(
      """
      insert into signalbox.hosts (number, host_id, name) values (1, gen_random_uuid(), 'one');
      insert into signalbox.runs (number, host, run, started, updated) overriding system value
        values (5, 1, 'ppo', '\(Self.start)', '\(Self.start)');
      do $$ begin
        if to_regproc('signalbox.ensure_partition') is not null then
          perform signalbox.ensure_partition('training_steps', '\(Self.start)');
        end if;
      end $$;
      """)
  }

  /// The rows of a training log as its reader stores them.
  func store(_ log: String) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/training/\(log)")
    let lines = try String(contentsOf: file, encoding: .utf8).split(whereSeparator: \.isNewline).dropFirst()
    // A column each, in the order of the file.
    let columns = (0..<9).map { column in
      "{" + lines.map { $0.split(separator: ",")[column] }.joined(separator: ",") + "}"
    }
    _ = try store.connection.query(
      """
      insert into signalbox.training_steps
        (time, received, host, run, episode, step, action, reward, balance, shares_held, price, portfolio_value, position)
      select '\(Self.start)', '\(Self.start)', 1, 5, * from unnest($1::int8[], $2::int8[], $3::float8[], $4::float8[],
        $5::float8[], $6::float8[], $7::float8[], $8::float8[], $9::float8[])
      """, columns.map(Parameter.text))
  }

  func read(_ query: ReadQuery) throws -> [[String: ReadValue]] {
    let reader = try FleetReader(fixture.database.url)
    defer { reader.close() }
    let table = try reader.read(query)
    return table.rows.map { Dictionary(zip(table.columns, $0)) { first, _ in first } }
  }

  func number(_ value: ReadValue?) -> Double {
    switch value {
    case .real(let number): number
    case .integer(let number): Double(number)
    default: .nan
    }
  }

  /// Of the three episodes: sum, lowest and highest of the rewards, highest price, deepest drawdown, operations.
  static let figures:
    [(episode: Int64, sum: Double, low: Double, high: Double, price: Double, drawdown: Double, operations: Int)] =
      [
        (1, 0.1861943600232766, -0.051176019224560165, 0.06479510317663051, 283.2892788175456, 0.08775676003137681, 34),
        (
          2, -0.14542856051085196, -0.037183233486710265, 0.03726359470310414, 251.0253218614065, 0.17636817833525892,
          42
        ),
        (
          3, 0.27881262747209135, -0.048102686130176875, 0.07224396686333967, 789.7402659158046, 0.15485845501316056, 45
        ),
      ]

  /// However wide the buckets are, no lowest or highest value is lost, and every step is in one.
  @Test(arguments: [1, 7, 25, 60, 1000] as [Int64]) func bucketsLoseNothing(_ points: Int64) throws {
    try store("seed-format/training_log.csv")
    for expected in Self.figures {
      let rows = try read(EpisodeQueries.steps(run: 5, episode: expected.episode, points: points))
      #expect(rows.count == Int(min(points, 60)))
      #expect(rows.map { number($0["steps"]) }.reduce(0, +) == 60)
      #expect(rows.first?["step"] == .integer(1) && rows.last?["last_step"] == .integer(60))
      #expect(abs(number(rows.last?["reward_sum"]) - expected.sum) < 1e-12)
      #expect(rows.map { number($0["reward_minimum"]) }.min() == expected.low)
      #expect(rows.map { number($0["reward_maximum"]) }.max() == expected.high)
      #expect(rows.map { number($0["price_maximum"]) }.max() == expected.price)
      let deepest = rows.map { number($0["drawdown_ratio_maximum"]) }.max() ?? 0
      #expect(abs(deepest - expected.drawdown) < 1e-12)
      // Of a part, what is summed up is of the whole.
      let part = try read(EpisodeQueries.steps(run: 5, episode: expected.episode, points: points, within: 21...60))
      #expect(part.count == Int(min(points, 40)) && part.map { number($0["steps"]) }.reduce(0, +) == 40)
      #expect(part.first?["step"] == .integer(21) && abs(number(part.last?["reward_sum"]) - expected.sum) < 1e-12)
      let operations = try read(EpisodeQueries.operations(run: 5, episode: expected.episode, limit: 100))
      #expect(operations.count == expected.operations)
    }
  }

  @Test func decisionsAreCountedByWhatWasKnown() throws {
    try store("seed-format/training_log.csv")
    let rows = try read(EpisodeQueries.actions(run: 5, episode: 3))
    func count(_ conditions: (String, String)...) -> Double {
      rows.filter { row in conditions.allSatisfy { row[$0.0] == .text($0.1) } }.map { number($0["steps"]) }.reduce(0, +)
    }
    #expect([count(("action", "0")), count(("action", "1")), count(("action", "2"))] == [28, 21, 11])
    let transitions = ["0", "1", "2"].map { before in
      ["0", "1", "2"].map { count(("previous_action", before), ("action", $0)) }
    }
    #expect(transitions == [[9, 13, 6], [11, 5, 4], [8, 2, 1]])
    let patterns = ["down", "up"].flatMap { move in
      ["flat", "long", "short"].map { held in
        ["0", "1", "2"].map { count(("price_move", move), ("position", held), ("action", $0)) }
      }
    }
    #expect(patterns == [[6, 6, 2], [4, 2, 1], [2, 0, 1], [3, 7, 4], [7, 3, 3], [6, 2, 0]])
    // The first step has nothing before it.
    #expect(rows.count { $0["previous_action"] == .null } == 1)
  }

  @Test func aStepIsShownWithThoseBesideIt() throws {
    try store("seed-format/training_log.csv")
    let row = try #require(try read(EpisodeQueries.row(run: 5, episode: 1, step: 2)).first)
    #expect(row["portfolio_value"] == .real(9837.449672048633) && row["position"] == .real(-1))
    #expect(row["previous"] == .integer(1) && row["next"] == .integer(3))
    let first = try #require(try read(EpisodeQueries.row(run: 5, episode: 1, step: -4)).first)
    #expect(first["step"] == .integer(1) && first["previous"] == .null)
    let last = try #require(try read(EpisodeQueries.row(run: 5, episode: 1, step: 999)).first)
    #expect(last["step"] == .integer(60) && last["next"] == .null)
    #expect(try read(EpisodeQueries.row(run: 5, episode: 9, step: 1)).isEmpty)
  }

  /// What a writer reports may be anything: no figure makes the answer fail. Amounts as actions are counted in ten ranges.
  @Test func oddFiguresAreLeftOut() throws {
    try store.connection.execute(
      """
      insert into signalbox.training_steps (time, received, host, run, episode, step, reward, action, price, portfolio_value, position)
      select '\(Self.start)', '\(Self.start)', 1, 5, 1, s, case s % 5 when 0 then 'nan'::float8 when 1 then 1e308 when 2 then -1e308
        when 3 then 'infinity'::float8 else 1 end, s / 100.0, case s % 3 when 0 then 1e-320::float8 else 1e300 end,
        case s % 2 when 0 then 1e-310::float8 else -1e308 end, s % 3 - 1
      from generate_series(0, 100) s
      """)
    let rows = try read(EpisodeQueries.steps(run: 5, episode: 1, points: 10))
    #expect(rows.count == 10 && number(rows.last?["reward_sum"]) == 20)
    let actions = try read(EpisodeQueries.actions(run: 5, episode: 1))
    #expect(Set(actions.map { $0["action"] }).count == 10)
    #expect(actions.map { number($0["steps"]) }.reduce(0, +) == 101)
    #expect(actions.contains { $0["action"] == .text("0.900 to 1.000") })
    #expect(try !read(EpisodeQueries.operations(run: 5, episode: 1, limit: 5)).isEmpty)
  }
}
