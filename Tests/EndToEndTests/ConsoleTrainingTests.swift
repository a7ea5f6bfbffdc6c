import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEndTests.Consoles {
  /// Two jobs write what such programs write; their episodes, comparison, lines and templates are what is in the files. The figures of the
  /// job with 972 steps were computed from its file by a program that shares no code with this one.
  @Test func aResearcherSeesWhatIsInTheFiles() throws {
    defer { tearDown() }
    try fleet.join()
    try fleet.startAgent()
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    for (name, episodes, steps) in [("long", "1", "972"), ("short", "3", "60")] {
      let directory = fleet.logs + "/" + name
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      let words = [
        root.appendingPathComponent("deploy/demo/train.py").path, "--directory", directory, "--episodes", episodes,
        "--steps", steps, "--delay", "0", "--seed", "7",
      ]
      #expect(try Program.run("/usr/bin/python3", words).code == 0)
    }
    let viewer = try token("researcher", "viewer")
    func items(_ path: String) throws -> [[String: Any]] {
      let answer = try ask(path, token: viewer)
      #expect(answer.status == 200, "\(path): \(answer.body.prefix(400))")
      return answer.object["items"] as? [[String: Any]] ?? []
    }
    try fleet.eventually("both runs with their steps") {
      try fleet.value("select count(*) from signalbox.training_steps") == 972 + 180
    }
    let runs = try items("/api/v1/runs")
    let long = try #require(runs.first { $0["steps"] as? Int == 972 }?["id"] as? Int)
    let short = try #require(runs.first { $0["steps"] as? Int == 180 }?["id"] as? Int)
    try checkEpisode(long, items)
    try checkPages(long, short, viewer)
    try checkComparison(long, short, viewer)
    try checkLines(viewer, items)
    // As many operations as its page draws, and nothing in its steps is broken.
    let analysis = try ask("/api/v1/runs/\(long)/analysis", token: viewer).object["item"] as? [String: Any]
    #expect(
      number(analysis?["operations_mean"]) == 632 && analysis?["steps_examined"] as? Int == 972, "\(analysis ?? [:])")
    let verified = try items("/api/v1/episodes/verification?host=host-*")
    #expect(verified.count == 2 && !verified.contains { $0["state"] as? String == "broken" }, "\(verified)")
    #expect(try ask("/api/v1/runs/\(long)/analysis?large_change=-1", token: viewer).status == 400)
    #expect(try ask("/api/v1/runs/99999/analysis", token: viewer).status == 404)
  }

  private func number(_ value: Any?) -> Double { (value as? NSNumber)?.doubleValue ?? .nan }

  private func checkEpisode(_ run: Int, _ items: (String) throws -> [[String: Any]]) throws {
    let path = "/api/v1/runs/\(run)/episodes"
    #expect(try items(path).first?["episode"] as? Int == 1)
    let steps = try items(path + "/1/steps?points=50")
    #expect(steps.count == 50 && steps.map { number($0["steps"]) }.reduce(0, +) == 972)
    #expect(abs(number(steps.last?["reward_sum"]) - 0.22582160110973903) < 1e-9)
    #expect(steps.map { number($0["price_minimum"]) }.min() == 65.93933336158736)
    #expect(steps.map { number($0["price_maximum"]) }.max() == 1423.658859346465)
    #expect(steps.map { number($0["reward_minimum"]) }.min() == -0.11059085781471167)
    #expect(abs((steps.map { number($0["drawdown_ratio_maximum"]) }.max() ?? 0) - 0.6171246391901358) < 1e-9)
    let part = try items(path + "/1/steps?points=10&from=101&to=200")
    #expect(part.count == 10 && part.map { number($0["steps"]) }.reduce(0, +) == 100)
    #expect(number(part.first?["step"]) == 101 && number(part.last?["last_step"]) == 200)
    let actions = try items(path + "/1/actions")
    func count(_ conditions: [String: String]) -> Int {
      actions.filter { row in conditions.allSatisfy { row[$0.key] as? String == $0.value } }
        .compactMap { $0["steps"] as? Int }.reduce(0, +)
    }
    #expect(["0", "1", "2"].map { count(["action": $0]) } == [309, 355, 308])
    #expect(count(["previous_action": "2", "action": "1"]) == 114)
    #expect(count(["price_move": "up", "position": "long", "action": "1"]) == 83)
  }

  private func checkPages(_ long: Int, _ short: Int, _ viewer: String) throws {
    let html = ["-H", "Accept: text/html"]
    let page = try ask("/runs/\(long)/episodes/1?step=500", html, token: viewer).body
    // 632 operations; two steps beside the one that is shown; a transition with its share of the row.
    let raised = try #require(page.firstMatch(of: /position raised ([0-9]+) times .* lowered ([0-9]+) times/))
    #expect((Int(raised.1) ?? 0) + (Int(raised.2) ?? 0) == 632)
    #expect(
      page.contains("step=499") && page.contains("step=501") && page.contains(">114 (37 %)<"), "\(page.suffix(4000))")
    #expect(page.contains("mean / std (ddof 0) of step returns"))
    // The range that a pointer drags is the server's as well: in each form, and in the links of the page.
    let part = "/runs/\(long)/episodes/1?from=101&to=200"
    let ranged = try ask(part, html, token: viewer).body
    #expect(ranged.contains("The whole episode") && ranged.contains("name=\"from\" value=\"101\""), "\(ranged)")
    let some = try #require(ranged.firstMatch(of: /position raised ([0-9]+) times .* lowered ([0-9]+) times/))
    #expect((Int(some.1) ?? 0) + (Int(some.2) ?? 0) < 101)
    #expect(
      try ask(part, ["-H", "Accept: text/markdown"], token: viewer).body
        != ask(
          "/runs/\(long)/episodes/1", ["-H", "Accept: text/markdown"], token: viewer
        ).body)
    for (query, sentence) in [("from=5", "give from and to"), ("from=5&to=5", "from must be less than to")] {
      let refused = try ask("/runs/\(long)/episodes/1?\(query)", token: viewer)
      #expect(refused.status == 400 && refused.body.contains(sentence), "\(refused)")
    }
    let over = try ask("/runs/\(short)/episodes/2?with=3", html, token: viewer).body
    #expect(over.contains("episode 3: last 789.74") && over.contains("/runs/\(short)/episodes/1"))
    #expect(try ask("/runs/\(short)/episodes/4", html, token: viewer).status == 404)
    #expect(try ask("/runs/\(short)/episodes/1?with=9", html, token: viewer).status == 404)
    let run = try ask("/runs/\(short)", html, token: viewer).body
    #expect(run.contains("total_reward: episodes: last") && run.contains("/runs/\(short)/episodes/3"), "\(run)")
    #expect(run.contains("PATCH: Exception in"), "its errors, folded")
    let own = try ask("/logs?run=\(short)", html, token: viewer).body
    #expect(own.contains("✕ run: \(short)") && own.contains("SAMPLE: called with"))
    #expect(try ask("/runs?q=SHORT", html, token: viewer).body.contains("/runs/\(short)\""))
    #expect(try !ask("/runs?q=SHORT", html, token: viewer).body.contains("/runs/\(long)\""))
    #expect(try ask("/models", html, token: viewer).body.contains("No probe of model files has reported"))
    #expect(try ask("/serving", html, token: viewer).body.contains("No metrics of a service were read"))
    #expect(try ask("/serving?target=llm", html, token: viewer).status == 400)
  }

  private func checkComparison(_ long: Int, _ short: Int, _ viewer: String) throws {
    let path = "/api/v1/compare?runs=\(long),\(short)&metric=portfolio_value&align=relative"
    let whole = try #require(try ask(path, token: viewer).object["item"] as? [String: Any])
    let curves = try #require(whole["curves"] as? [[String: Any]])
    for run in [long, short] {
      let xs = curves.filter { $0["run"] as? Int == run }.map { number($0["x"]) }
      #expect(xs.min() ?? 1 < 0.01 && xs.max() ?? 0 > 0.99 && xs.count > 50, "\(run): \(xs.count)")
    }
    #expect((whole["mean"] as? [Any])?.count ?? 0 > 40)
    let part = try ask(path + "&from=0.25&to=0.5", token: viewer).object["item"] as? [String: Any]
    let xs = (part?["curves"] as? [[String: Any]] ?? []).map { number($0["x"]) }
    #expect(xs.count > 20 && xs.allSatisfy { (0.25...0.5).contains($0) } && number(part?["from"]) == 0.25, "\(xs)")
    let page = try ask(
      "/compare?runs=\(long),\(short)&metric=price&align=step&from=100&to=150", ["-H", "Accept: text/html"],
      token: viewer
    ).body
    #expect(page.contains("name=\"from\" value=\"100\""), "\(page.prefix(3000))")
    #expect(try ask(path + "&from=a&to=1", token: viewer).detail.contains("from takes a number"))
    let runs = try #require(whole["runs"] as? [[String: Any]])
    #expect(runs.map { $0["id"] as? Int } == [long, short] && runs.map { $0["steps"] as? Int } == [972, 180])
    #expect(
      try ask("/compare?runs=\(long),\(short)", ["-H", "Accept: text/html"], token: viewer).body.contains(
        "run \(short): last"))
    let found = try ask("/api/v1/compare?q=h", token: viewer).object["item"] as? [String: Any]
    #expect((found?["coordinates"] as? [[String: Any]])?.count == 2, "\(found ?? [:])")
    #expect(try ask("/api/v1/compare?q=h&runs=1", token: viewer).detail == "give runs or q, not both")
    #expect(try ask("/api/v1/compare", token: viewer).detail.contains("runs is needed"))
    let connection = try fleet.connect()
    defer { connection.close() }
    try connection.execute(
      "update signalbox.runs set detail = jsonb_build_object('seed', number, 'batch', number * 2)::text")
    #expect(
      try ask("/compare?q=batch", ["-H", "Accept: text/html"], token: viewer).body.contains("class=\"parallel\""))
    for (runs, part) in [
      ("1,1", "different numbers"), ("x", "numbers of runs"), ("99999", "no run has the number 99999"),
    ] {
      #expect(try ask("/api/v1/compare?runs=\(runs)", token: viewer).detail.contains(part))
    }
  }

  /// What arrives comes within a second or so, behind what the page had; a quiet stream says why, and one that ends says that.
  private func checkTail(_ viewer: String, _ total: Int64) throws {
    let words = ["-H", "Accept: application/x-ndjson"]
    let past = try ask("/api/v1/logs/live?from=1h&frames=1", words, token: viewer).body.split(separator: "\n")
    let joined = Int(min(total, 200))
    #expect(past.count == joined + 2 && past[joined].hasPrefix("{\"state\":\""), "\(past.suffix(3))")
    #expect(past.last == #"{"end":true,"reason":"as many frames as were asked for","rows":\#(joined)}"#)
    let tail = try Program(
      "/usr/bin/curl",
      [
        "-sN", "--cacert", fleet.collectorState + "/ca/root.pem", "-H", "Authorization: Bearer \(viewer)",
        url + "/api/v1/logs/live?level=error&q=that+is%20followed&frames=60",
      ], errorPath: fleet.directory + "/tail.err")
    defer { tail.kill() }
    #expect(try tail.line(startingWith: "data: ").contains("quiet: no line of the last hour matches"))
    try fleet.write("followed.log", Array("2026-01-01 00:00:00 ERROR a line that is followed\n".utf8))
    #expect(try tail.line(startingWith: "data: {\"items\"").contains("a line that is followed"))
    #expect(try ask("/api/v1/logs/live?q=x&until=1h", token: viewer).detail.contains("no parameter is called 'until'"))
  }

  private func checkLines(_ viewer: String, _ items: (String) throws -> [[String: Any]]) throws {
    let total = try fleet.value("select count(*) from log_lines")
    for query in ["since=1h", "since=30d", "since=30d&limit=2"] {
      let templates = try items("/api/v1/logs/templates?" + query)
      #expect(templates.compactMap { $0["lines"] as? Int }.reduce(0, +) == Int(total), "\(query)")
      #expect(templates.first?["first_host"] as? String == "host-1" && templates.count > 1)
    }
    let counts = try items("/api/v1/logs/counts?since=30d")
    for facet in ["histogram", "level", "host"] {
      let sum = counts.filter { $0["facet"] as? String == facet }.compactMap { $0["lines"] as? Int }.reduce(0, +)
      #expect(sum == Int(total), "\(facet)")
    }
    // The fleet is young: whether its lines are new since yesterday is not known, and not called so.
    #expect(try items("/api/v1/logs/templates?since=24h").allSatisfy { $0["new"] is NSNull })
    let levels = try items("/api/v1/logs?since=30d&limit=5000").map { $0["level"] as? String }
    for level in ["error", "warn", "info"] {
      let alone = try items("/api/v1/logs?since=30d&limit=5000&only_level=\(level)").map { $0["level"] as? String }
      #expect(alone == levels.filter { $0 == level.uppercased() }, "\(level)")
    }
    #expect(try ask("/api/v1/logs?level=warn&only_level=error", token: viewer).detail.contains("not both"))
    // What a search leaves out is left out wherever it is asked.
    for path in ["/api/v1/logs?limit=5000&", "/api/v1/logs/pages?"] {
      let some = try items(path + "since=30d&without=SAMPLE&without_template=none")
      #expect(!some.isEmpty && !some.contains { ($0["message"] as? String ?? "").contains("SAMPLE") }, "\(path)")
    }
    let html = ["-H", "Accept: text/html"]
    let page = try ask("/logs?since=1h&view=templates", html, token: viewer).body
    #expect(page.contains("\(Int(total)) lines: ") && page.contains("without_template="), "\(page.prefix(3000))")
    let lines = try ask("/logs?since=1h", html, token: viewer).body
    let link = try #require(lines.firstMatch(of: /href="(\/logs\/context\?[^"]+)"/)).1.replacing("&amp;", with: "&")
    let context = try ask(String(link), html, token: viewer).body
    #expect(
      context.contains("Around a line of host-1") && context.contains("<td data-h=\"Place\">line</td>"), "\(context)")
    // It writes a line of its own.
    try checkTail(viewer, total)
    try checkNews(items)
  }

  /// Lines of INFO that reach back 40 minutes: of a quarter of an hour, what stood in the one before is not new, and all else is.
  private func checkNews(_ items: (String) throws -> [[String: Any]]) throws {
    try fleet.execute(
      """
      select signalbox.ensure_partition('log_info', now() - interval '40 min')
      where to_regproc('signalbox.ensure_partition') is not null;
      insert into signalbox.log_info (time, received, host, file, file_offset, level, flags, message)
      select now() - make_interval(mins => m), now(), host, file, -m, 2, 0, message from (
        select * from signalbox.log_info where level = 2 and time > now() - interval '10 min' order by time desc limit 1
      ) l cross join unnest(array[20, 40]) m
      """)
    let path = "/api/v1/logs/templates?since=15m&only_level=info"
    let templates = try items(path)
    #expect(templates.count { $0["new"] as? Bool == false } == 1 && templates.count > 1, "\(templates)")
    #expect(templates.count { $0["new"] as? Bool == true } == templates.count - 1, "\(templates)")
  }
}
