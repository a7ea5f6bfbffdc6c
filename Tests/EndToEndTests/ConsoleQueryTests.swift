import FleetModel
import Foundation
import TestSupport
import Testing

@testable import Console

extension EndToEndTests.Consoles {
  /// People's SQL: what is refused, what an answer says of itself, that it ends with its client, and its page. One console for all of it.
  @Test func statementsOfPeople() throws {
    defer { tearDown() }
    try fleet.join()
    let token = try self.token("asker", "viewer")
    try answersAndRefusals(token)
    try endWithTheClient(token)
    try oneConnectionKeepsNothing(token)
    try queryPage(token)
    try savedStatements(token)
  }

  /// A statement under a name: its values are bound and never pasted, and what it may read is what any statement may.
  private func savedStatements(_ viewer: String) throws {
    let editor = try token("author", "editor")
    func save(_ fields: [String: String], by token: String) throws -> Answer {
      let body = String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self)
      return try ask(
        "/api/v1/queries", ["-X", "POST", "-H", "Content-Type: application/json", "-d", body], token: token)
    }
    let fields = [
      "name": "host-by-name", "parameters": "host, most",
      "sql": "select host, $1 as asked from hosts where host like $1 limit $2::bigint", "description": "One host.",
    ]
    #expect(try save(fields, by: viewer).status == 403)
    for (key, value, part) in [
      ("name", "Host", "lower-case letters"), ("name", "-x", "lower-case letters"),
      ("parameters", "host,host", "different"),
      ("parameters", "host", "it has 1 parameters"), ("parameters", "", "takes 1 to 400 characters"),
      ("sql", "select pg_sleep($1::float8), $2", "the function pg_sleep"), ("sql", "drop view hosts", "only SELECT"),
    ] {
      let answer = try save(fields.merging([key: value]) { $1 }, by: editor)
      #expect(answer.status == 400 && answer.detail.contains(part), "\(key) \(value): \(answer.body)")
    }
    #expect(try save(fields, by: editor).object["done"] as? String != nil)
    let items = try ask("/api/v1/queries", token: viewer).object["items"] as? [[String: Any]]
    #expect(
      items?.map { $0["parameters"] as? String } == ["host,most"] && items?.first?["author"] as? String == "author")
    let path = "/api/v1/queries/host-by-name"
    func rows(_ host: String) throws -> [[String: Any]]? {
      try ask("\(path)?most=5&host=\(host)", token: viewer).object["items"] as? [[String: Any]]
    }
    #expect(try rows("host-1")?.map { $0["asked"] as? String } == ["host-1"])
    #expect(try rows("x%27%20or%20true%20--%20")?.count == 0, "a value is no part of the statement")
    for (query, part) in [
      ("?host=a", "most is needed"), ("?host=a&most=1&x=1", "has no parameter 'x'; there are: host, most"),
      ("?host=a&host=b&most=1", "host is given twice"), ("?host=a&most=many", "invalid input syntax"),
    ] {
      let answer = try ask(path + query, token: viewer)
      #expect(answer.status == 400 && answer.detail.contains(part), "\(query): \(answer.body)")
    }
    #expect(try ask("/api/v1/queries/none", token: viewer).status == 404)
    let html = ["-H", "Accept: text/html"]
    let page = try ask("/queries/host-by-name?host=host-1&most=3", html, token: viewer).body
    #expect(
      page.contains("1 row.") && page.contains("name=\"most\" value=\"3\"") && !page.contains("Delete it"), "\(page)")
    #expect(try ask("/queries/host-by-name", html, token: editor).body.contains("Delete it"))
    #expect(try ask("/query", html, token: viewer).body.contains("/queries/host-by-name"))
    #expect(try fleet.json("audit", "--action", "queries.save").count == 1)
    try savedByCommand(viewer)
    #expect(try ask(path, ["-X", "DELETE"], token: viewer).status == 403)
    #expect(try ask(path, ["-X", "DELETE"], token: editor).status == 200)
    #expect(try ask(path, ["-X", "DELETE"], token: editor).status == 404)
    try pastPages(viewer)
  }

  /// The command line answers it of the console and of the database, and refuses the same.
  private func savedByCommand(_ viewer: String) throws {
    let home = fleet.directory + "/saved"
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    try Data(viewer.utf8).write(to: URL(fileURLWithPath: home + "/token"))
    let words = [
      "login", url, "--ca", fleet.collectorState + "/ca/root.pem", "--token-file", home + "/token",
    ]
    #expect(try Program.run("signalbox", words, environment: ["XDG_CONFIG_HOME": home]).code == 0)
    for environment in [["XDG_CONFIG_HOME": home], ["SIGNALBOX_DATABASE_URL": fleet.databaseURL]] {
      func query(_ words: String...) throws -> Program.Result {
        try Program.run("signalbox", ["query", "--saved"] + words, environment: environment)
      }
      let found = try query("host-by-name", "--param", "host=host-1", "--param", "most=5", "--format", "csv")
      #expect(found.output == "host,asked\nhost-1,host-1\n", "\(found)")
      let bound = try query("host-by-name", "--param", "host=x' or true -- ", "--param", "most=5")
      #expect(bound.code == 3, "a value is no part of the statement: \(bound)")
      for (words, code, part) in [
        (["host-by-name", "--param", "host=a"], Int32(2), "most is needed"),
        (["host-by-name", "--param", "host=a", "--param", "x=1"], 2, "has no parameter 'x'; there are: host, most"),
        (["none"], 3, "no saved statement is called 'none'"),
      ] {
        let result = try Program.run("signalbox", ["query", "--saved"] + words, environment: environment)
        #expect(result.code == code && result.errors.contains(part), "\(words): \(result)")
      }
    }
  }

  /// The fleet before it had a host, and what the pages of the past do not take.
  private func pastPages(_ viewer: String) throws {
    let html = ["-H", "Accept: text/html"]
    for (path, words) in [
      ("/?at=1h", ["As it was at", "Not known of then", "No host had joined."]),
      ("/incidents?at=1h", ["No incident was open then."]), ("/hosts/host-1?at=1h", ["host-1 then", "Processes"]),
    ] {
      let page = try ask(path, html, token: viewer)
      #expect(page.status == 200 && words.allSatisfy { page.body.contains($0) }, "\(path): \(page.body)")
    }
    for (path, part) in [
      ("/?at=2200-01-01T00:00:00Z", "yet to come"), ("/incidents?at=1h&state=open", "leave state out"),
      ("/hosts/host-1?at=1h&until=2h", "leave until out"), ("/hosts/none?at=1h", "no host is called"),
    ] {
      let answer = try ask(path, ["-H", "Accept: application/json"], token: viewer)
      #expect(answer.detail.contains(part), "\(path): \(answer.body)")
    }
    #expect(try (ask("/api/v1/gpus/idle", token: viewer).object["items"] as? [Any])?.isEmpty == true)
  }

  private func answersAndRefusals(_ token: String) throws {
    func query(_ sql: String, _ more: [String: String] = [:], accept: String = "application/json") throws -> Answer {
      let body = String(
        decoding: try JSONSerialization.data(withJSONObject: more.merging(["sql": sql]) { $1 }), as: UTF8.self)
      return try ask(
        "/api/v1/query",
        ["-X", "POST", "-H", "Content-Type: application/json", "-H", "Accept: \(accept)", "-d", body], token: token)
    }

    // The probes that walk out of a read-only session, or disturb the server.
    for sql in [
      "select set_config('role','none',false), query_to_xml('select pg_read_file(''/etc/passwd'')', true, false, '')",
      "select lo_from_bytea(0, 'x')", "select pg_notify('hosts', '')", "select pg_try_advisory_lock(1)",
      "set statement_timeout = 0", "select set_config('work_mem', '10GB', false)", "select dblink('', 'select 1')",
      "select pg_sleep(1)", "copy (select 1) to program 'id'", "select * from signalbox.credentials",
      "select 1; drop view hosts", "with gone as (delete from hosts returning *) select * from gone",
    ] {
      let answer = try query(sql)
      #expect(answer.status == 400 && !answer.detail.isEmpty, "\(sql): \(answer.status) \(answer.body)")
    }
    #expect(try query("select nothing from hosts").detail.contains("column \"nothing\" does not exist"))
    #expect(try query("select 1 / 0 from hosts").detail == "division by zero")

    let all = try query("select host from hosts")
    #expect(all.status == 200 && (all.object["items"] as? [Any])?.count == 1, "\(all.body)")
    let meta = try #require(all.object["meta"] as? [String: Any])
    #expect((meta["question"] as? [String: Any])?["views"] as? [String] == ["hosts"])
    let one = try query("select * from log_lines where host = 'nowhere' and time > now() - interval '1 hour'")
    let hosts = try #require((one.object["meta"] as? [String: Any])?["hosts"] as? [String: Any])
    #expect(hosts["asked"] as? Int == 0 && hosts["unknown"] as? [String] == ["nowhere"], "\(one.body)")

    // Each form, and where it is cut off.
    let lines = try query("select i from generate_series(1, 2500) i", accept: "application/x-ndjson").body
      .split(separator: "\n")
    #expect(lines.count == 2501 && lines[0] == #"{"i":1}"# && lines[2499] == #"{"i":2500}"#)
    #expect(lines[2500].hasPrefix(#"{"end":true,"rows":2500,"meta":"#) && lines[2500].contains(#""truncated":false"#))
    let csv = try query("select i, 'x' as t from generate_series(1, 2500) i", accept: "text/csv").body
    #expect(csv.hasPrefix("i,t\n1,x\n2,x\n") && csv.hasSuffix("\n2500,x\n"))
    let cut = try query("select i from generate_series(1, 10) i", ["limit": "3"])
    #expect((cut.object["items"] as? [Any])?.count == 3 && cut.body.contains(#""truncated":true"#))
    let many = try query("select i from generate_series(1, 20000) i")
    #expect((many.object["items"] as? [Any])?.count == 10_000 && many.body.contains(#""truncated":true"#))
    #expect(try query("select 1 where false", accept: "application/x-ndjson").body.hasPrefix(#"{"end":true,"rows":0"#))

    // What would cost too much is not begun.
    let costly = try query("select count(*) from generate_series(1, 1000000000) a")
    #expect(costly.status == 400 && costly.detail.contains("units, and the limit is"), "\(costly.body)")
    let slow = try query("select count(*) from generate_series(1, (select 100000000000))", ["timeout": "1"])
    #expect(slow.status == 504 && slow.detail.contains("took more than 1 s"), "\(slow.body)")

    // An error in the middle ends the stream in its middle.
    let broken = try Program.run(
      "/usr/bin/curl",
      [
        "-sS", "-m", "20", "--cacert", fleet.collectorState + "/ca/root.pem", "-H", "Authorization: Bearer \(token)",
        "-H", "Accept: application/x-ndjson", "-H", "Content-Type: application/json", "-d",
        #"{"sql":"select 1 / (5000 - i) as x from generate_series(1, 6000) i"}"#, url + "/api/v1/query",
      ])
    #expect(broken.code != 0 && !broken.output.contains(#""end":true"#), "\(broken.code) \(broken.output.suffix(300))")

    // Everything that was asked stands in the audit, but what was refused before it reached the database does not.
    let entries = try fleet.value("select count(*) from signalbox.audit_log where action = 'query' and actor = 'asker'")
    #expect(entries >= 10)
    #expect(
      try fleet.value(
        "select count(*) from signalbox.audit_log where action = 'query' and detail = 'select host from hosts'") == 1)
  }

  private func endWithTheClient(_ token: String) throws {
    let running =
      "select count(*) from pg_stat_activity where application_name = 'signalbox-query' and state = 'active'"
    for version in ["--http2", "--http1.1"] {
      let client = Process()
      client.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
      client.arguments = [
        "-s", version, "-m", "60", "--cacert", fleet.collectorState + "/ca/root.pem", "-H",
        "Authorization: Bearer \(token)", "-H", "Content-Type: application/json", "-d",
        #"{"sql":"select count(*) from generate_series(1, (select 100000000000))"}"#, url + "/api/v1/query",
      ]
      client.standardOutput = FileHandle.nullDevice
      try client.run()
      try fleet.eventually("a statement that runs") { try fleet.value(running) == 1 }
      kill(client.processIdentifier, SIGKILL)
      let gone = Date()
      try fleet.eventually("its end") { try fleet.value(running) == 0 }
      // The figure is measured by Benchmarks; here only that it is not its own time limit that ends it.
      #expect(Date().timeIntervalSince(gone) < 10, "\(version)")
      client.waitUntilExit()
    }
  }

  /// Many statements over one connection, which is still open at the last of them.
  private func oneConnectionKeepsNothing(_ token: String) throws {
    func descriptors() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/\(console.pid)/fd").count
    }
    let common = [
      "-s", "--http1.1", "-m", "60", "--cacert", fleet.collectorState + "/ca/root.pem", "-H",
      "Authorization: Bearer \(token)", "-H", "Content-Type: application/json", "-o", "/dev/null", "-d",
    ]
    let quick = common + [#"{"sql":"select 1"}"#, url + "/api/v1/query", "--next"]
    let slow =
      common + [
        #"{"sql":"select count(*) from generate_series(1, (select 100000000000))","timeout":"2"}"#,
        url + "/api/v1/query",
      ]
    let before = try descriptors()
    let client = Process()
    client.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
    client.arguments = Array(repeating: quick, count: 60).flatMap { $0 } + slow
    try client.run()
    try fleet.eventually("the last statement") {
      try fleet.value(
        "select count(*) from pg_stat_activity where application_name = 'signalbox-query' and query like '%100000000000%' and state = 'active'"
      ) == 1
    }
    #expect(try descriptors() < before + 30)
    client.waitUntilExit()
  }

  private func queryPage(_ token: String) throws {
    let page = try ask("/query?view=log_lines", ["-H", "Accept: text/html"], token: token)
    #expect(page.status == 200 && page.body.contains("<textarea") && page.body.contains("Columns of log_lines"))
    #expect(page.body.contains("its text, without secrets"))
    let form = ["-H", "Accept: text/html", "--data-urlencode"]
    let answer = try ask("/query", form + ["sql=select 1 as one, '<b>' as two"], token: token)
    #expect(answer.status == 200 && answer.body.contains("&lt;b&gt;") && answer.body.contains("1 row."))
    let refused = try ask("/query", form + ["sql=select pg_sleep(1)"], token: token)
    #expect(refused.body.contains("the function pg_sleep is not among those"), "\(refused.body.prefix(500))")
    #expect(refused.body.contains(">\nselect pg_sleep(1)</textarea>"))
    // Line breaks and tabs come back as they were typed, so that the statement can be asked again.
    let typed = try ask("/query", form + ["sql=select 1 as a,\r\n\t'<' as b -- \u{202e}"], token: token)
    #expect(
      typed.body.contains(">\nselect 1 as a,\n\t&#39;&lt;&#39; as b -- \\u{202e}</textarea>"),
      "\(typed.body.suffix(3000))")
    let views = try ask("/api/v1/views/runs", token: token)
    #expect((views.object["items"] as? [[String: Any]])?.first?["column"] as? String == "host")
    #expect(try ask("/api/v1/views/nothing", token: token).status == 404)
    try overTheConsole(token)
  }

  /// The command line asks the same over the console.
  private func overTheConsole(_ token: String) throws {
    let home = fleet.directory + "/home"
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    try Data(token.utf8).write(to: URL(fileURLWithPath: home + "/token"))
    func signalbox(_ words: String...) throws -> Program.Result {
      try Program.run("signalbox", words, environment: ["XDG_CONFIG_HOME": home])
    }
    let login = try signalbox(
      "login", url, "--ca", fleet.collectorState + "/ca/root.pem", "--token-file", home + "/token")
    #expect(login.code == 0, "\(login)")
    let rows = try signalbox(
      "query", "select i, now() > '2026-01-01' as t from generate_series(1, 3) i", "--format", "csv")
    #expect(rows.output == "i,t\n1,true\n2,true\n3,true\n", "\(rows)")
    #expect(
      try signalbox("query", "select host from hosts", "--format", "csv").output
        == fleet.signalbox("query", "select host from hosts", "--format", "csv").output)
    let refused = try signalbox("query", "select pg_sleep(1)")
    #expect(refused.code == 2 && refused.errors.contains("the function pg_sleep is not among those"), "\(refused)")
    for format in ["ndjson", "csv"] {
      let many = try signalbox("query", "select i from generate_series(1, 20000) i", "--format", format)
      let names = format == "csv" ? 1 : 0
      #expect(many.code == 0 && many.output.split(separator: "\n").count == 20_000 + names, "\(many.errors)")
      let none = try signalbox("query", "select host from hosts where false", "--format", format)
      #expect(none.code == 3 && none.output == (format == "csv" ? "host\n" : ""), "\(none)")
    }
    let cut = try signalbox("query", "select i from generate_series(1, 20000) i", "--format", "json")
    #expect(cut.code == 1 && cut.errors.contains("add LIMIT"), "\(cut.errors)")
    for view in [[], ["runs"]] {
      let words = ["query", "--views"] + view
      let here = try Program.run("signalbox", words, environment: ["XDG_CONFIG_HOME": home])
      let there = try Program.run("signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": fleet.databaseURL])
      #expect(here.code == 0 && !here.output.isEmpty && here.output == there.output, "\(here) \(there)")
    }
  }
}
