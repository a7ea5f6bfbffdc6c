import FleetModel
import Postgres
import Store
import TestSupport
import Testing

/// Comparison of runs, what happened in a run's time, the search for runs, and what probes report of models.
@Suite(.timeLimit(.minutes(10))) struct RunQueryTests {
  private let fixture: StoreFixture
  private var store: Store { fixture.store }
  private static let start = "2026-11-21 00:00:00+00"

  init() throws {
    fixture = try StoreFixture()
    try store.connection.execute(
      """
      insert into signalbox.hosts (number, host_id, name) values
        (1, gen_random_uuid(), 'one'), (2, gen_random_uuid(), 'two'), (3, gen_random_uuid(), 'three');
      insert into signalbox.runs (number, host, run, state, detail, started, updated) overriding system value
      select n, n, case n when 3 then 'SAC_3' else 'ppo' end, 2,
        '{"learning_rate": 0.' || n || ', "detail": {"note": "50% off_' || n || '"}}', '\(Self.start)',
        '\(Self.start)'::timestamptz + interval '10 min' from generate_series(1, 3) n;
      do $$ begin
        if to_regproc('signalbox.ensure_partition') is not null then
          perform signalbox.ensure_partition('training_steps', '\(Self.start)');
          perform signalbox.ensure_partition('probe_results', now() + offs) from unnest(array['-3 days', '-1 day', '0']::interval[]) offs;
        end if;
      end $$;
      """)
  }

  private func read(_ query: ReadQuery) throws -> [[String: ReadValue]] {
    let reader = try FleetReader(fixture.database.url)
    defer { reader.close() }
    let table = try reader.read(query)
    return table.rows.map { Dictionary(zip(table.columns, $0)) { first, _ in first } }
  }

  private func real(_ value: ReadValue?) -> Double { if case .real(let number)? = value { number } else { .nan } }

  /// Run 1 has 100 steps, run 2 has 400: laid along their own lengths both reach from 0 to 1, and no peak is lost.
  @Test func curvesAreLaidAlongOneAxis() throws {
    try store.connection.execute(
      """
      insert into signalbox.training_steps (time, received, host, run, episode, step, reward, metrics)
      select '\(Self.start)'::timestamptz + s * interval '1 s', '\(Self.start)', r, r, 0, s, case s when 50 then 9 else r end,
        jsonb_build_object('loss', s::float8 / 10, 'name', 'text')
      from generate_series(1, 2) r cross join generate_series(0, case r when 1 then 100 else 400 end) s
      """)
    for (axis, last) in [(CurveAxis.step, 400.0), (.relative, 1), (.time, 400), (.clock, 1_795_219_600e9)] {
      let rows = try read(CompareQueries.curves([2, 1], metric: "reward", along: axis, points: 20))
      #expect(rows.first?["run"] == .integer(2) && rows.last?["run"] == .integer(1), "\(axis)")
      #expect(rows.count <= 40 && rows.allSatisfy { real($0["x"]) <= last }, "\(axis): \(rows.last ?? [:])")
      for run: Int64 in [1, 2] {
        let own = rows.filter { $0["run"] == .integer(run) }
        #expect(own.map { real($0["maximum"]) }.max() == 9 && own.map { real($0["minimum"]) }.min() == Double(run))
        #expect(total(own) == (run == 1 ? 101 : 401), "\(axis)")
      }
    }
    let relative = try read(CompareQueries.curves([1, 2], metric: "reward", along: .relative, points: 20))
    #expect(Set(relative.filter { $0["run"] == .integer(1) }.map { $0["bucket"] }).count == 20)
    // A part of the axis is divided alone; of a share, each run has as much as of its whole.
    for (axis, range, counts) in [
      (CurveAxis.step, CurveRange(from: 40, to: 60), [21, 21]),
      (.relative, CurveRange(from: 0.25, to: 0.75), [201, 51]),
      (.time, CurveRange(from: 380.5, to: 390), [10, 0]), (.step, CurveRange(from: -1e300, to: 1e300), [401, 101]),
    ] {
      let rows = try read(CompareQueries.curves([2, 1], metric: "reward", along: axis, points: 20, within: range))
      for (run, count) in zip([2, 1] as [Int64], counts) {
        let own = rows.filter { $0["run"] == .integer(run) }
        #expect(total(own) == Int64(count), "\(axis) of \(run)")
        #expect(own.allSatisfy { (range?.from ?? 0)...(range?.to ?? 0) ~= real($0["x"]) }, "\(axis) of \(run)")
      }
    }
    let part = CurveRange(from: 10, to: 20)
    let few = try read(CompareQueries.curves([1], metric: "loss", along: .step, points: 5, within: part))
    #expect(total(few) == 11 && real(few.first?["minimum"]) == 1 && real(few.last?["maximum"]) == 2)
    #expect(CurveRange(from: 2, to: 1) == nil && CurveRange(from: 0, to: .infinity) == nil)
    let loss = try read(CompareQueries.curves([1], metric: "loss", along: .step, points: 5))
    #expect(loss.count == 5 && real(loss.last?["maximum"]) == 10)
    // A text is no figure, and a name that is none has no points.
    for name in ["name", "none'; drop table runs"] {
      #expect(try read(CompareQueries.curves([1, 2], metric: name, along: .step, points: 5)).isEmpty)
    }
    #expect(try read(CompareQueries.reportedMetrics([1, 2])).map { $0["metric"] } == [.text("loss"), .text("name")])
  }

  /// The curve of a long run is the same from blocks of its steps, which are not taken for an episode to which steps were added since.
  @Test func aLongRunIsFolded() throws {
    try store.connection.execute(
      """
      insert into signalbox.training_steps (time, received, host, run, episode, step, reward, action)
      select '\(Self.start)'::timestamptz + s * interval '1 ms', '\(Self.start)', r, r, r, s, s % 100 + r,
        case s % 2 when 0 then 'nan'::float8 else 1 end
      from unnest(array[1, 2]) r cross join generate_series(0, case r when 1 then 9999 else 199 end) s;
      insert into signalbox.episodes (run, episode, updated, state, started, steps, first_step, last_step, reward_count, value_count,
        return_count, trades_closed, trades_won, final_steps)
      select r, r, '\(Self.start)', 1, '\(Self.start)', case r when 1 then 10000 else 200 end, 0,
        case r when 1 then 9999 else 199 end, 0, 0, 0, 0, 0, 0 from unnest(array[1, 2]) r;
      """)
    func curves(
      _ metric: String = "reward", _ axis: CurveAxis = .step, points: Int64 = 20, within range: CurveRange? = nil
    ) throws -> [[String: ReadValue]] {
      try read(CompareQueries.curves([1, 2], metric: metric, along: axis, points: points, within: range))
    }
    let axes: [CurveAxis] = [.step, .relative, .time, .clock]
    let before = try axes.map { try curves("reward", $0) }
    let actions = try curves("action")
    let keeper = try Store.open(fixture.database.url, options: Store.housekeepingOptions)
    defer { keeper.close() }
    let nowNs = try #require(Timestamp.parse("2026-11-21T02:00:00Z"))
    #expect(try keeper.housekeep(nowNs: nowNs)?.episodesRolledUp == 1)
    #expect(try keeper.housekeep(nowNs: nowNs)?.episodesRolledUp == 0)
    #expect(try fixture.value("select count(*) || ' ' || sum(reward_count) from signalbox.step_blocks") == "157 10000")
    // Of the blocks alone: what they have of a run is no longer in its steps.
    try store.connection.execute("update signalbox.training_steps set reward = -1 where run = 1")
    for (axis, old) in zip(axes, before) {
      let folded = try curves("reward", axis)
      #expect(folded.count == old.count, "\(axis)")
      for (one, other) in zip(folded, old) {
        #expect(one["run"] == other["run"] && one["bucket"] == other["bucket"], "\(axis)")
        // A block may lie over an edge of two buckets.
        #expect(abs(real(one["average"]) - real(other["average"])) < 5, "\(axis)")
        #expect(abs(real(one["x"]) / real(other["x"]) - 1) < 0.2, "\(axis)")
      }
      for figure in ["minimum", "maximum"] {
        #expect(folded.map { real($0[figure]) }.max() == old.map { real($0[figure]) }.max())
      }
      #expect(total(folded) == 10_200)
    }
    #expect(total(try curves("action")) == total(actions) && total(actions) == 5_100)
    // Where a bucket is narrower than two blocks its steps are read.
    #expect(try curves(points: 200).contains { real($0["minimum"]) == -1 })
    let (narrow, wide) = (CurveRange(from: 100, to: 299), CurveRange(from: 0, to: 5_000))
    #expect(try total(curves(within: narrow)) == 300 && curves(within: narrow).contains { real($0["minimum"]) == -1 })
    #expect(try !curves(within: wide).contains { real($0["minimum"]) == -1 })
    // A commit writes an episode's row anew.
    try store.connection.execute("update signalbox.episodes set rolled_up = null")
    #expect(try curves().contains { real($0["minimum"]) == -1 })
  }

  private func total(_ rows: [[String: ReadValue]]) -> Int64 {
    rows.reduce(0) { if case .integer(let count)? = $1["points"] { $0 + count } else { $0 } }
  }

  @Test func summariesAreOfEndedEpisodes() throws {
    try store.connection.execute(
      """
      insert into signalbox.episodes (run, episode, updated, state, started, steps, first_step, last_step, reward_count,
        reward_sum, value_count, value_first, value_last, drawdown_maximum_ratio, return_count, trades_closed, trades_won, final_steps)
      select 1, e, '\(Self.start)'::timestamptz + e * interval '1 s', case e when 5 then 0 else 1 end, '\(Self.start)', 10, 0, 9, 10,
        case e when 4 then 1e308 when 5 then 1e9 else e end, 10, 100, 100 + e, 0.1, 0, 0, 0, 0
      from generate_series(1, 5) e
      """)
    let rows = try read(CompareQueries.summaries([3, 1]))
    #expect(rows.map { $0["id"] } == [.integer(3), .integer(1)])
    let one = rows[1]
    #expect(one["episodes"] == .integer(5) && one["episodes_completed"] == .integer(4) && one["steps"] == .integer(50))
    // The one beyond measure and the one that goes on are left out of the mean.
    #expect(real(one["reward_mean"]) == 2 && real(one["reward_best"]) == 3 && real(one["pnl_mean"]) == 2.5)
    #expect(rows[0]["episodes"] == .integer(0) && rows[0]["reward_mean"] == .null)
    let curve = try read(CompareQueries.curves([1], metric: "pnl", along: .step, points: 100))
    #expect(curve.map { real($0["average"]) } == [1, 2, 3, 4, 5] && curve.map { real($0["x"]) } == [1, 2, 3, 4, 5])
  }

  @Test func whatHappenedInARunsTime() throws {
    try store.connection.execute(
      """
      insert into signalbox.incidents (rule, severity, host, host_name, identity, dedup_key, opened, detected, last_event, resolved, state)
      select 'R', 1, 1, h, i::text || h, i::text || h, t, t, t, t + interval '1 min', 'resolved' from (values
        (1, '\(Self.start)'::timestamptz - interval '30 s'), (2, '\(Self.start)'::timestamptz + interval '1 h'),
        (3, '\(Self.start)'::timestamptz + interval '1 min')) v (i, t), unnest(array['one', 'two']) h;
      insert into signalbox.loss_ledger (time, received, host, subject, from_offset, to_offset, reason, is_estimate) values
        ('\(Self.start)'::timestamptz + interval '1 min', now(), 1, '/a.log', 0, 10, 'spool', false),
        ('\(Self.start)'::timestamptz - interval '1 min', now(), 1, '/b.log', 0, 10, 'spool', false);
      """)
    let incidents = try read(RunQueries.incidents(run: 1, limit: 10))
    #expect(incidents.count == 2 && incidents.allSatisfy { $0["host"] == .text("one") })
    #expect(try read(RunQueries.gaps(run: 1, limit: 10)).map { $0["file"] } == [.text("/a.log")])
    #expect(try read(RunQueries.hosts(run: 1)).map { $0["host"] } == [.text("one"), .text("two")])
    let startNs = try #require(Timestamp.parse("2026-11-21T00:00:00Z"))
    let minuteNs: Int64 = 60_000_000_000
    try store.connection.execute(
      """
      insert into signalbox.log_counts select t, 1, 1, 2, 7, 7 from unnest(array['\(Self.start)', '2026-11-20 23:00+00']::timestamptz[]) t
      """)
    let overlapping = try read(
      RunQueries.overlapping(hosts: ["one"], sinceNs: startNs - 90 * minuteNs, untilNs: startNs + minuteNs, limit: 5))
    #expect(overlapping.map { $0["id"] } == [.integer(1)] && overlapping.first?["lines"] == .integer(7))
    #expect(
      try read(
        RunQueries.overlapping(hosts: [], sinceNs: startNs + 20 * minuteNs, untilNs: startNs + 30 * minuteNs, limit: 5)
      )
      .isEmpty)
  }

  /// Name, host and parameters; what stands for other characters in LIKE is a character of its own.
  @Test(
    arguments: [
      ("sac_", [3]), ("TWO", [2]), ("\"Learning_Rate\": 0.1", [1]), ("50%", [1, 2, 3]), ("off_", [1, 2, 3]),
      ("c_3", [3]), ("s%3", []), ("o__", []), ("\\", []), ("note", [1, 2, 3]),
    ] as [(String, [Int64])])
  func runsAreFound(_ text: String, _ numbers: [Int64]) throws {
    let rows = try read(TrainingQueries.runs(host: nil, state: nil, text: text, limit: 10))
    #expect(
      rows.compactMap { row in if case .integer(let number)? = row["id"] { number } else { nil } }.sorted() == numbers)
  }

  /// What few runs contain is found however old they are, what many contain gives the newest; a run that reports anew is found by it.
  @Test func runsOfAnyAgeAreFound() throws {
    try store.connection.execute(
      """
      insert into signalbox.runs (number, host, run, state, detail, started, updated) overriding system value
      select n + 3, 1, 'sweep-' || n, n % 2, case when n = 7 then '{"note": "Needle"}' else '{"note": "hay"}' end, '\(Self.start)',
        '\(Self.start)'::timestamptz + n * interval '1 s' from generate_series(1, 2500) n
      """)
    func found(_ text: String, state: String? = nil, limit: Int = 3) throws -> [String] {
      try read(TrainingQueries.runs(host: nil, state: state, text: text, limit: limit)).compactMap {
        if case .text(let run)? = $0["run"] { run } else { nil }
      }
    }
    #expect(try found("needle") == ["sweep-7"])
    #expect(try found("HAY") == ["sweep-2500", "sweep-2499", "sweep-2498"])
    #expect(try found("hay", state: "running") == ["sweep-2499", "sweep-2497", "sweep-2495"])
    #expect(try found("one", limit: 5000).count == 2501 && found("needle", state: "unknown") == [])
    // A word that many have, and none of the newest.
    try store.connection.execute(
      "update signalbox.runs set updated = '\(Self.start)'::timestamptz + interval '2 h' where number > 2500; "
        + "insert into signalbox.runs (number, host, run, state, detail, started, updated) overriding system value "
        + "select n + 3000, 1, 'later-' || n, 1, 'x', '\(Self.start)', '\(Self.start)'::timestamptz + interval '1 day' + n * interval '1 s' "
        + "from generate_series(1, 2000) n")
    #expect(try found("hay", limit: 4).count == 4 && found("hay", limit: 5000).count == 2499)
    #expect(
      try found("hay", limit: 5) == ["sweep-2500", "sweep-2499", "sweep-2498", "sweep-2497", "sweep-2496"])
    try store.connection.execute(
      "update signalbox.runs set detail = 'thimble' where run = 'sweep-7'; update signalbox.runs set updated = now() where run = 'sweep-8'"
    )
    #expect(try found("needle") == [] && found("thimble") == ["sweep-7"] && found("sweep-8", limit: 1) == ["sweep-8"])
    #expect(try fixture.value("select count(*) from signalbox.run_texts") == "4503")
  }

  /// Page by page a list has the rows that it has at once, also where their times are the same.
  @Test func listsComeInPages() throws {
    try store.connection.execute(
      """
      insert into signalbox.runs (number, host, run, state, started, updated) overriding system value
        select 100 + n, 1 + n % 2, 'page-' || n, 1, '\(Self.start)', '\(Self.start)'::timestamptz + n / 4 * interval '1 s' from generate_series(1, 9) n;
      insert into signalbox.episodes (run, episode, updated, state, started, steps, first_step, last_step, reward_count, value_count,
          return_count, trades_closed, trades_won, final_steps)
        select number, e, updated, 1, started, 1, 1, 1, 0, 0, 0, 0, 0, 0 from signalbox.runs, generate_series(1, 2) e where run like 'page-%';
      insert into signalbox.incidents (rule, severity, host, host_name, identity, dedup_key, opened, detected, last_event, summary, state)
        select 'RES-01', n % 3, 1, 'one', 'i' || n, 'd' || n, now(), now(), now(), 's', case when n % 4 = 0 then 'resolved' else 'open' end
        from generate_series(1, 11) n;
      insert into signalbox.audit_log (actor, action, subject) select 'test', 'test', n::text from generate_series(1, 7) n
      """)
    typealias Ask = (ListPosition?, Int) -> ReadQuery
    let lists: [(columns: [String], kinds: [ListPosition.Kind], least: Int, ask: Ask)] = [
      (
        ["updated", "id"], TrainingQueries.runPosition, 12,
        { TrainingQueries.runs(host: nil, state: nil, after: $0, limit: $1) }
      ),
      (
        ["updated", "id"], TrainingQueries.runPosition, 9,
        { TrainingQueries.runs(host: nil, state: nil, text: "page", after: $0, limit: $1) }
      ),
      (
        ["updated", "episode", "host", "run"], TrainingQueries.episodePosition, 18,
        { TrainingQueries.episodes(host: nil, run: nil, status: nil, after: $0, limit: $1) }
      ),
      (
        ["state", "severity", "id"], IncidentQueries.position, 11,
        { IncidentQueries.list(state: "all", host: nil, rule: nil, sinceNs: nil, after: $0, limit: $1) }
      ),
      (
        ["id"], AccessQueries.auditPosition, 7,
        { AccessQueries.audit(actor: "test", action: nil, sinceNs: nil, after: $0, limit: $1) }
      ),
    ]
    for list in lists {
      let whole = try read(list.ask(nil, 1000)).map { row in list.columns.map { row[$0] } }
      #expect(whole.count == list.least, "\(list.columns)")
      var (paged, after): ([[ReadValue?]], ListPosition?) = ([], nil)
      while true {
        let rows = try read(list.ask(after, 2)).map { row in list.columns.map { row[$0] } }
        paged += rows
        guard let last = rows.last, paged.count <= whole.count else { break }
        let values = last.compactMap { value -> String? in
          switch value {
          case .text(let text)?: text
          case .integer(let number)?: String(number)
          case .time(let ns)?: Timestamp.text(ns)
          default: nil
          }
        }
        after = ListPosition(cursor: ListPosition(values).cursor, list.kinds)
        #expect(after != nil, "\(values)")
      }
      #expect(paged == whole, "\(list.columns)")
    }
    for text in [
      "", "x", "WyIxMiJd", ListPosition(["12", "x"]).cursor, ListPosition(["2026-01-01T00:00:00Z"]).cursor,
      // Numbers that no row has, and the statement's type does not hold.
      ListPosition(["2026-01-01T00:00:00Z", "0"]).cursor, ListPosition(["2026-01-01T00:00:00Z", "2147483648"]).cursor,
    ] {
      #expect(ListPosition(cursor: text, TrainingQueries.runPosition) == nil, "\(text)")
    }
  }

  @Test func modelsAreShownByTheirNewestResult() throws {
    try store.connection.execute(
      """
      insert into signalbox.probe_results (time, received, host, name, state, value, detail)
      select now() - a * interval '1 min', now(), 1, n, s, v, d from (values
        (60, 'json/prod', 1, 0, ''), (20, 'json/prod', 2, 1, '/m/a.json: byte 17: no value'), (10, 'json/prod', 2, 2, '/m/a.json: byte 17: no value'),
        (10, 'json.checked/prod', 2, 7, ''), (10, 'json.checked/prod2', 2, 99, ''), (5, 'file/ckpt', 1, 30, '/c/9.pt'), (5, 'file.bytes/ckpt', 1, 4096, ''),
        (5, 'file.count/ckpt', 1, 3, ''), (5, 'http/api', 2, 0, 'down'), (6000, 'file/old', 2, 0, 'gone')) p (a, n, s, v, d)
      """)
    let rows = try read(ModelQueries.newest(host: nil))
    #expect(rows.map { $0["probe"] } == [.text("json/prod"), .text("file/ckpt")], "\(rows)")
    let broken = try #require(rows.first)
    #expect(broken["state"] == .text("failed") && real(broken["invalid"]) == 2 && real(broken["checked"]) == 7)
    #expect(broken["detail"] == .text("/m/a.json: byte 17: no value"))
    let minutes = try fixture.value(
      "select count(*) from signalbox.probe_results where name = 'json/prod' and state = 2")
    #expect(minutes == "2" && broken["failing_since"] != .null && rows[1]["failing_since"] == .null)
    #expect(real(rows[1]["age_seconds"]) == 30 && real(rows[1]["bytes"]) == 4096 && real(rows[1]["files"]) == 3)
    #expect(try read(ModelQueries.newest(host: "two")).isEmpty)
  }

  @Test func whatServesIsShownByItsNewestReading() throws {
    try store.connection.execute(
      """
      insert into signalbox.probe_results (time, received, host, name, state, value, detail)
      select now() - a * interval '1 min', now(), 1, n, s, v, d from (values
        (10, 'prometheus/llm', 1, 900, 'vLLM'), (10, 'prometheus.serving.generation_seconds.p95/llm', 1, 9, ''),
        (2, 'prometheus/llm', 1, 901, 'vLLM'), (2, 'prometheus.serving.waiting/llm', 1, 31, ''),
        (2, 'prometheus.serving.waiting/llm2', 1, 99, ''), (2, 'prometheus.left_out/llm', 1, 4, ''),
        (2, 'prometheus.vllm:x.rate/llm{model="a/b{c"}', 1, 2.5, ''), (2, 'prometheus.up/llm', 1, 1, ''),
        (1, 'prometheus/api', 2, 'nan'::float8, 'answered 503, not 200'), (90, 'prometheus/old', 1, 1, ''), (1, 'http/api', 2, 0, 'x')
      ) p (a, n, s, v, d)
      """)
    let rows = try read(ServingQueries.newest(host: nil))
    #expect(rows.map { $0["target"] } == [.text("api"), .text("llm")], "\(rows)")
    #expect(rows[0]["state"] == .text("failed") && rows[0]["waiting"] == .null)
    #expect(real(rows[1]["waiting"]) == 31 && real(rows[1]["left_out"]) == 4)
    // Nothing was asked between the last two readings: how slow it was before says nothing of now.
    #expect(rows[1]["p95_seconds"] == .null)
    #expect(try read(ServingQueries.newest(host: "two")).isEmpty)
    let host = try fixture.value("select name from signalbox.hosts where number = 1") ?? ""
    let figures = try read(ServingQueries.figures(host: host, target: "llm", limit: 10))
    #expect(
      figures.map { $0["figure"] } == ["serving.waiting", "left_out", "up", "vllm:x.rate"].map { .text($0) })
    #expect(figures[3]["labels"] == .text("{model=\"a/b{c\"}") && real(figures[3]["value"]) == 2.5)
    #expect(figures[0]["labels"] == .text(""))
    let seconds = try fixture.value("select extract(epoch from now())::bigint").flatMap { Int64($0) } ?? 0
    let nowNs = seconds * 1_000_000_000
    let history = try read(
      ServingQueries.history(
        host: host, target: "llm", sinceNs: nowNs - 3_600_000_000_000, untilNs: nowNs + 1_000_000_000, points: 60))
    #expect(history.map { $0["figure"] } == [.text("generation_seconds.p95"), .text("waiting")])
  }
}
