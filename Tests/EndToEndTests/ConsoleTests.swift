import FleetModel
import Foundation
import HTTPTypes
import Postgres
import TestSupport
import Testing

@testable import Console

extension EndToEndTests {
  /// The console as a process, asked over TLS as a browser and a script would.
  @Suite(.timeLimit(.minutes(10))) struct Consoles {
    let fleet: TestFleet
    let console: Program
    let url: String

    init() throws {
      fleet = try TestFleet("console")
      try fleet.startCollector()
      console = try Program(
        "signalbox-console",
        ["--state-dir", fleet.collectorState, "--database", fleet.databaseURL, "--listen", "127.0.0.1:0"],
        errorPath: fleet.directory + "/console.err")
      url = String(try console.line(startingWith: "ready url=").dropFirst("ready url=".count))
    }

    func tearDown() {
      #expect(console.stop() == 0, "\(console.errors.suffix(2000))")
      fleet.tearDown()
    }

    struct Answer {
      var status: Int
      var headers: String
      var body: String

      func header(_ name: String) -> String? {
        headers.split(whereSeparator: \.isNewline).first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
          .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
      }

      var object: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:] }
      var detail: String { object["detail"] as? String ?? "" }
    }

    /// Certificates are checked against the fleet's authority.
    func ask(_ path: String, _ words: [String] = [], token: String? = nil) throws -> Answer {
      var words = ["-sS", "-m", "20", "--cacert", fleet.collectorState + "/ca/root.pem", "-D", "-"] + words
      if let token { words += ["-H", "Authorization: Bearer \(token)"] }
      let result = try Program.run("/usr/bin/curl", words + [url + path])
      guard let end = result.output.range(of: "\r\n\r\n") else {
        throw HarnessError("no answer of \(path): \(result.errors)")
      }
      let head = String(result.output[..<end.lowerBound])
      return Answer(
        status: Int(head.split(separator: " ")[1].prefix(3)) ?? 0, headers: head,
        body: String(result.output[end.upperBound...]))
    }

    func token(_ name: String, _ role: String, _ more: String...) throws -> String {
      let result = try Program.run(
        "signalbox", ["tokens", "create", name, "--role", role] + more,
        environment: ["SIGNALBOX_DATABASE_URL": fleet.databaseURL])
      #expect(result.code == 0, "\(result.errors)")
      return result.output.trimmingCharacters(in: .newlines)
    }

    /// Opens an incident through the whole way: a followed file, an agent, a rule.
    private func openIncident(_ text: String = "ERROR something broke") throws -> Int {
      try fleet.join()
      try fleet.startAgent()
      try fleet.write(
        "train.log", Array("Fatal Python error: Segmentation fault after CUDA out of memory. \(text)\n".utf8))
      try fleet.eventually("an incident") { try fleet.value("select count(*) from signalbox.incidents") > 0 }
      return Int(try fleet.value("select min(number) from signalbox.incidents"))
    }

    // MARK: Who may do what

    /// Every route, without a login, as each role, and with tokens that are not valid.
    @Test func eachRouteTakesItsRoleAndNoSmallerOne() throws {
      defer { tearDown() }
      let roles = ["viewer", "responder", "editor", "admin"]
      let tokens = try roles.map { try token($0, $0) }
      let revoked = try token("revoked", "admin")
      #expect(try fleet.signalbox("tokens", "revoke", "revoked").code == 0)
      let expired = try token("expired", "admin")
      try fleet.execute("update signalbox.credentials set expires = now() - interval '1 s' where name = 'expired'")
      let strangers = [revoked, expired, String(tokens[3].dropLast()) + "x", "sbk_", "x"]
      for route in RouteTable.all {
        var path = route.path.replacingOccurrences(of: "{number}", with: "999999")
        for name in ["{host}", "{link}", "{token}", "{rule}", "{name}"] {
          path = path.replacingOccurrences(of: name, with: "none")
        }
        if ["/api/v1/live", "/api/v1/logs/live"].contains(path) { path += "?frames=1" }
        let body =
          route.method != .get ? ["-X", route.method.rawValue, "-d", "", "-H", "Content-Type: application/json"] : []
        func status(_ token: String?) throws -> Int { try ask(path, body, token: token).status }
        guard let role = route.role else {
          #expect(
            try route.method == .post || status(nil) < 400 || path == "/login/none" || path == "/i/none"
              || path == "/api/v1/oncall.ics" || path.hasPrefix("/oidc/")
              || ChartLibrary.File.all.contains { $0.path == path },
            "\(route.path)")
          continue
        }
        let nobody = try status(nil)
        #expect(nobody == 401 || nobody == 303 && route.method == .get, "\(route.path): \(nobody)")
        // 429 after some twenty of them.
        for stranger in strangers {
          #expect([401, 429].contains(try status(stranger)), "\(route.path) with \(stranger.prefix(8))")
        }
        for (name, token) in zip(roles, tokens) {
          let isAllowed = try #require(roles.firstIndex(of: name)) >= #require(roles.firstIndex(of: role.rawValue))
          let got = try status(token)
          #expect(isAllowed ? got != 401 && got != 403 : got == 403, "\(route.path) as \(name): \(got)")
          // Also what the console's login may not read would be seen here.
          #expect(got < 500, "\(route.path) as \(name): \(got)")
        }
      }
    }

    /// A login link is opened by scanners of mails before people see it: only its button uses it up.
    @Test func aLoginLinkWorksOnceAndNoVisitUsesItUp() throws {
      defer { tearDown() }
      let result = try fleet.signalbox("console", "link", "--for", "ann", "--role", "responder")
      let link = result.output.trimmingCharacters(in: .newlines)
      #expect(result.code == 0 && link.hasPrefix(url + "/login/sbk_"), "\(result)")
      let path = String(link.dropFirst(url.count))
      for _ in 0..<20 { #expect(try ask(path).body.contains("You log in as ann, with the role responder.")) }
      for header in ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"] {
        #expect(try ask(path, ["-X", "POST", "-d", "", "-H", header]).status == 403, "\(header)")
      }
      #expect(try ask(path, ["-I"]).status == 200)
      let login = try ask(path, ["-X", "POST", "-d", ""])
      let cookie = try #require(login.header("set-cookie"))
      #expect(login.status == 303 && login.header("location") == "/")
      for part in ["__Host-signalbox=sbk_", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        #expect(cookie.contains(part), "\(cookie)")
      }
      #expect(try ask(path, ["-X", "POST", "-d", ""]).status == 401)
      let session = ["-H", "Cookie: " + cookie.prefix { $0 != ";" }]
      let page = try ask("/", session)
      #expect(page.status == 200 && page.body.contains("ann (responder)"))
      let nothing = try ask("/nope", session + ["-H", "Accept: text/html"])
      #expect(nothing.status == 404 && nothing.body.contains("href=\"/incidents\"") && nothing.body.contains("Log out"))
      #expect(try !ask("/nope", ["-H", "Accept: text/html"]).body.contains("href=\"/incidents\""))
      let form = try formToken(page.body)
      #expect(try ask("/logout", session + ["-d", ""]).status == 403)
      #expect(try ask("/logout", session + ["-d", "form_token=\(form)"]).status == 303)
      #expect(try ask("/incidents?done=x", session).header("location") == "/login?next=%2Fincidents%3Fdone%3Dx")
      let entries = try fleet.json("audit", "--action", "access.*", "--by", "ann")
      #expect(entries.map { $0["action"] as? String } == ["access.revoke", "access.login"], "\(entries)")
      #expect(try fleet.json("audit", "--action", "access.link").count == 1)
      #expect(try fleet.signalbox("audit", "--by", "nobody-else").code == 3)
    }

    private func formToken(_ html: String) throws -> String {
      let start = try #require(html.range(of: "name=\"form_token\" value=\""))
      return String(html[start.upperBound...].prefix { $0 != "\"" })
    }

    // MARK: What it says

    @Test func anIncidentIsReadAndTakenFromABrowserAndByAScript() throws {
      defer { tearDown() }
      let number = try openIncident("<script>alert(1)</script>")
      let responder = try token("night", "responder")
      let list = try ask("/api/v1/incidents", token: responder)
      let meta = try #require(list.object["meta"] as? [String: Any])
      let hosts = try #require(meta["hosts"] as? [String: Any])
      let items = list.object["items"] as? [[String: Any]] ?? []
      #expect(items.contains { $0["id"] as? Int == number })
      #expect(hosts["asked"] as? Int == 1 && hosts["answered"] as? Int == 1 && hosts["silent"] as? [String] == [])
      for (accept, part) in [
        ("text/csv", "id,rule,"), ("application/x-ndjson", #"{"end":true,"rows":"#), ("text/markdown", "| ID | RULE |"),
      ] {
        let answer = try ask("/api/v1/incidents", ["-H", "Accept: \(accept)"], token: responder)
        #expect(answer.status == 200 && answer.body.contains(part), "\(accept): \(answer.body.prefix(200))")
        #expect(answer.header("content-type")?.hasPrefix(accept) == true)
      }
      try fleet.eventually("a sample of memory") {
        let path = "/api/v1/hosts/host-1/series?metric=memory.used_percent&points=2"
        guard let bucket = (try ask(path, token: responder).object["items"] as? [[String: Any]])?.last else {
          return false
        }
        #expect(bucket["minimum"] as? Double ?? 0 > 0 && bucket["maximum"] as? Double ?? 999 <= 100, "\(bucket)")
        return true
      }
      let lines = try ask("/api/v1/logs?q=CUDA&level=debug&since=1h&limit=1", token: responder)
      #expect(((lines.object["items"] as? [[String: Any]])?.first?["message"] as? String)?.contains("<script>") == true)
      #expect(try #require(lines.object["meta"] as? [String: Any])["truncated"] as? Bool == false, "\(lines)")
      let link = try fleet.signalbox("console", "link", "--for", "ann").output.trimmingCharacters(in: .newlines)
      let login = try ask(String(link.dropFirst(url.count)), ["-X", "POST", "-d", ""])
      let session = ["-H", "Cookie: " + (login.header("set-cookie") ?? "").prefix { $0 != ";" }]
      let page = try ask("/incidents/\(number)", session)
      #expect(page.status == 200 && page.body.contains("I have it"), "\(page.body)")
      #expect(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.body.contains("<script>"))
      #expect(page.header("content-security-policy")?.contains("default-src 'none'") == true)
      let ack = "/api/v1/incidents/\(number)/ack"
      // Another site's form has the cookie at most, and not the token.
      #expect(try ask(ack, session + ["-d", "form_token=x"]).status == 403)
      let done = try ask(ack, session + ["-d", "form_token=\(formToken(page.body))"])
      let after = try #require(done.header("location"))
      #expect(done.status == 303 && after.hasPrefix("/incidents/\(number)?done="), "\(done)")
      #expect(try ask(after, session).body.contains("You have incident \(number)."))
      // Words in a link that this session has not signed are not shown.
      let forged = "/incidents/\(number)?done=Call%20me&by=" + (after.split(separator: "=").last ?? "")
      #expect(try !ask(forged, session).body.contains("Call me"))
      #expect(try fleet.json("incidents", "show", String(number)).first?["acked_by"] as? String == "ann")
      // A form that is refused comes back with what was typed.
      let refused = try ask(
        "/api/v1/silences",
        session + [
          "-H", "Accept: text/html", "-d",
          "form_token=\(formToken(page.body))&for=1h&reason=typed%20%3Cb%3E%20by%20hand",
        ])
      #expect(refused.status == 400 && refused.body.contains("value=\"typed &lt;b&gt; by hand\""), "\(refused.body)")
      #expect(refused.body.contains("give at least one of rule, host, entity, severity"))
      #expect(refused.body.contains("Send again"))
      let again = try ask(ack, ["-X", "POST"], token: responder)
      #expect((again.object["done"] as? String)?.hasPrefix("ann has had incident \(number) since ") == true, "\(again)")
      let note = ["-X", "POST", "-H", "Content-Type: application/json", "-d", #"{"text":"looked at it"}"#]
      #expect(try ask("/api/v1/incidents/\(number)/note", note, token: responder).status == 200)
      let silence = ["-X", "POST", "-H", "Content-Type: application/json", "-d"]
      let wrong = try ask("/api/v1/silences", silence + [#"{"for":"1h","reason":"x"}"#], token: responder)
      #expect(wrong.status == 400 && wrong.detail == "give at least one of rule, host, entity, severity")
      let made = try ask(
        "/api/v1/silences", silence + [#"{"host":"host-*","for":"2h","reason":"new disks"}"#], token: responder)
      #expect((made.object["done"] as? String)?.hasPrefix("Silence 1 lasts until ") == true, "\(made)")
      #expect(try fleet.json("silences", "list").first?["author"] as? String == "night")
      #expect(try ask("/silences", session).body.contains("new disks"))
      #expect(try ask("/incidents?host=host-*&state=all", session).body.contains("/incidents/\(number)"))
      #expect(try ask("/incidents?host=other-*", session).body.contains("No incident matches."))
      #expect(try ask("/api/v1/silences/1/end", ["-X", "POST"], token: responder).status == 200)
      #expect(try ask("/api/v1/silences/1/end", ["-X", "POST"], token: responder).status == 404)
      #expect(try ask("/incidents/\(number)", session).body.contains("looked at it"))
    }

    @Test func badRequestsGetASentenceThatSaysWhatToDo() throws {
      defer { tearDown() }
      let viewer = try token("script", "viewer")
      for (path, status, part) in [
        ("/api/v1/incidents?stat=open", 400, "no parameter is called 'stat'; there are: state"),
        ("/api/v1/incidents?state=closed", 400, "state takes"), ("/api/v1/incidents?limit=0", 400, "limit takes 1 to"),
        ("/api/v1/incidents?limit=1&limit=2", 400, "limit is given twice"),
        ("/api/v1/incidents?since=yesterday", 400, "since takes an age"), ("/api/v1/incidents/x", 400, "number takes"),
        ("/api/v1/hosts/none/series?metric=cpu.busy_percent", 404, "no host is called 'none'"),
        ("/api/v1/hosts/none/series", 400, "metric is needed, such as cpu.busy_percent"),
        ("/api/v1/hosts/none/series?metric=cpu", 400, "metric takes gpu.utilization_percent"),
        ("/api/v1/logs?regex=(", 400, "regex is no regular expression"),
        ("/api/v1/runs?host=none", 404, "no host is called 'none'"), ("/api/v1/gaps?host=none", 404, "no host"),
        ("/api/v1/logs?since=1h&until=2h", 400, "since must be before until"),
        ("/api/v1/logs?host=none", 404, "no host is called 'none'"), ("/api/v1/logs?q=", 400, "q takes 1 to"),
        ("/api/v1/incidents/7", 404, "no incident has the number 7"),
        ("/api/v1/hosts/none", 404, "no host is called 'none'"),
        ("/api/v1/hosts/a%00b", 400, "host takes"), ("/api/v1/nothing", 404, "/api/v1/openapi.json"),
      ] {
        let answer = try ask(path, token: viewer)
        #expect(answer.status == status && answer.detail.contains(part), "\(path): \(answer)")
        #expect(answer.header("content-type") == "application/problem+json")
      }
      // Of a host that there is none of, a page does not say that nothing was lost.
      #expect(try ask("/gaps?host=none", token: viewer).status == 404)
      #expect(try ask("/api/v1/hosts", ["-H", "Accept: image/png"], token: viewer).status == 406)
      let method = try ask("/api/v1/hosts", ["-X", "DELETE"], token: viewer)
      #expect(method.status == 405 && method.header("allow") == "GET, HEAD", "\(method)")
      #expect(try ask("/login", ["-d", String(repeating: "x", count: 100_000)]).status == 413)
      for (body, part) in [
        (#"{"sql":"select 1","sql":"select 2"}"#, "sql is given twice"), (#"{"sql":1}"#, "values are texts"),
        ("[]", "values are texts"), (#"{"sql":"select 1"} x"#, "values are texts"),
        (String(repeating: "[", count: 10_000), "values are texts"),
      ] {
        let answer = try ask(
          "/api/v1/query", ["-H", "Content-Type: application/json", "-d", body], token: viewer)
        #expect(answer.status == 400 && answer.detail.contains(part), "\(body.prefix(40)): \(answer)")
      }
      #expect(try ask("/login", ["-d", "secret=sbk_none"]).status == 401)
      #expect(try ask("/login/sbk_none").status == 401)
      #expect(try ask("/login/\(viewer)", ["-X", "POST", "-d", ""]).status == 401, "a token is no link")
      for (next, path) in [("%2Fruns", "/runs"), ("%2F%2Fevil.example", "/"), ("https%3A%2F%2Fevil.example", "/")] {
        let login = try ask("/login?next=\(next)", ["--data-urlencode", "secret= \(viewer) "])
        #expect(login.status == 303 && login.header("location") == path, "\(login)")
      }
      #expect(try ask("/healthz", ["-H", "Accept: text/plain"]).body == "ok\n")
      try connectionsEndWhereTheyShould(viewer)
    }

    /// Headers beyond the limit are answered, packed well by HTTP/2's compression or not; connections end that their client wants to end.
    private func connectionsEndWhereTheyShould(_ viewer: String) throws {
      for (version, count) in [("--http2", 17_000), ("--http2", 40_000), ("--http2", 60_000), ("--http1.1", 100_000)] {
        let field = "X-Long: " + String(repeating: "x", count: 1_000)
        let fields = (0..<count / 1_000).flatMap { ["-H", field.replacing("Long", with: "Long-\($0)")] }
        let answer = try ask("/healthz", [version] + fields)
        #expect(answer.status == 431, "\(version) with \(count): \(answer)")
        #expect(version != "--http2" || answer.detail.contains("at most 16 KiB"), "\(answer)")
      }
      let counted = #"signalbox_console_limits_hit_total{limit="header"} 3"#
      #expect(try ask("/metrics", token: viewer).body.contains(counted))
      let script = """
        import socket, ssl, sys
        context = ssl.create_default_context(cafile=sys.argv[3])
        context.check_hostname = False
        for head in sys.argv[4:]:
            plain = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
            with context.wrap_socket(plain, server_hostname=sys.argv[1]) as peer:
                peer.sendall(head.encode().decode("unicode_escape").encode())
                got = b""
                while part := peer.recv(65536):
                    got += part
                print(got.decode().replace("\\r\\n", "|").replace("\\n", "|"))
        """
      let address = url.dropFirst("https://".count).split(separator: ":").map(String.init)
      let heads = [
        #"GET /healthz HTTP/1.0\r\nAccept: text/plain\r\n\r\n"#, #"GET /client/signalbox.py HTTP/1.0\r\n\r\n"#,
        #"GET /healthz HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\nConnection: Close\r\n\r\n"#,
        #"GET /healthz HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n"#,
      ]
      let result = try Program.run(
        "/usr/bin/python3", ["-c", script] + address + [fleet.collectorState + "/ca/root.pem"] + heads)
      let answers = result.output.split(separator: "\n")
      #expect(result.code == 0 && answers.count == 4, "\(result)")
      for (answer, start) in zip(answers, ["HTTP/1.0 200", "HTTP/1.0 200", "HTTP/1.1 200", "HTTP/1.1 400"]) {
        #expect(answer.hasPrefix(start) && answer.lowercased().contains("|connection: close|"), "\(answer.prefix(400))")
      }
      #expect(answers.first?.hasSuffix("||ok|") == true)
    }

    /// Guessing is answered with 429 after a while and noted; a right secret from the same address is taken all the same.
    @Test func guessingIsLimitedAndNoted() throws {
      defer { tearDown() }
      let viewer = try token("script", "viewer")
      let guesses = try (0..<24).map { _ in try ask("/login", ["-d", "secret=sbk_guess"]) }
      #expect(guesses.first?.status == 401 && guesses.last?.status == 429, "\(guesses.map(\.status))")
      #expect(guesses.last?.header("retry-after") == "60")
      #expect(try ask("/api/v1/hosts", token: String(viewer.dropLast()) + "x").status == 429)
      #expect(try ask("/api/v1/hosts", token: viewer).status == 200)
      #expect(try ask("/login", ["--data-urlencode", "secret=\(viewer)"]).status == 303)
      let noted = try fleet.json("audit", "--action", "access.refused")
      #expect(
        noted.count > 10 && (noted.first?["detail"] as? String)?.hasPrefix("from 127.0.0.1: ") == true,
        "\(noted.first ?? [:])")
    }

    /// The database ends the connections of all programs, and refuses new ones for a while.
    @Test func aDatabaseThatIsAwayIsSaidAndComesBack() throws {
      defer { tearDown() }
      let viewer = try token("script", "viewer")
      #expect(try ask("/api/v1/hosts", token: viewer).status == 200)
      let url = try DatabaseURL(parsing: fleet.databaseURL)
      let name = Connection.quoted(url["dbname"] ?? "")
      let server = try Connection(url.with(["dbname": "postgres"]))
      defer { server.close() }
      try server.execute("alter database \(name) with allow_connections false")
      _ = try server.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [.text(url["dbname"] ?? "")])
      let away = try ask("/api/v1/incidents", token: viewer)
      #expect(away.status == 503 && away.header("retry-after") == "5", "\(away)")
      #expect(try ask("/healthz").status == 503)
      try server.execute("alter database \(name) with allow_connections true")
      try fleet.eventually("the console's answer") { try ask("/api/v1/hosts", token: viewer).status == 200 }
    }

    /// A foreign program asks every address what the document allows, and what it does not, as a responder and without a login.
    @Test func theInterfaceIsWhatItsDocumentSays() throws {
      defer { tearDown() }
      _ = try openIncident()
      let responder = try token("script", "responder")
      let python = ProcessInfo.processInfo.environment["SIGNALBOX_PYTHON"] ?? "/usr/bin/python3"
      let words = [
        "run", url + "/api/v1/openapi.json", "--url", url, "--tls-verify", "false", "--max-examples", "6", "--seed",
        "7",
        "--workers", "1", "--no-color",
        // A stream does not end by itself, and its events have no schema in OpenAPI 3.1.
        "--exclude-path", "/api/v1/live", "--exclude-path", "/api/v1/logs/live",
        // Its wrong keys count as refused logins, of which an address has only so many.
        "--exclude-path", "/api/v1/oncall.ics",
        // Wrong credentials for every address are more than an address may have refused in a minute; another test asks with each of them.
        "--exclude-checks", "ignored_auth,positive_data_acceptance",
        // Of positive_data_acceptance: that a time is in the calendar and `since` before `until` is checked, and cannot be expressed in the document.
      ]
      // Without a login every address answers alike, whatever it is asked.
      for login in [["-H", "Authorization: Bearer \(responder)"], ["--phases", "examples,coverage"]] {
        let result = try Program.run(
          URL(fileURLWithPath: python).deletingLastPathComponent().appendingPathComponent("st").path, words + login,
          within: 200)
        #expect(result.code == 0, "\(result.output.suffix(4000))")
      }
      #expect(console.isRunning)
    }

    /// Idle connections are closed, also where there are more of them than the process may have open files.
    @Test func connectionsThatSayNothingEnd() throws {
      defer { tearDown() }
      let few = try Program(
        "/bin/bash",
        [
          "-c", "ulimit -n 80; exec \"$@\"", "-", Program.path("signalbox-console"), "--state-dir",
          fleet.collectorState,
          "--database", fleet.databaseURL, "--listen", "127.0.0.1:0",
        ], errorPath: fleet.directory + "/few.err")
      let address = String(try few.line(startingWith: "ready url=").dropFirst("ready url=https://".count))
      let script = """
        import socket, sys, time
        host, port = sys.argv[1].split(":")
        held = []
        for _ in range(200):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((host, int(port)))
            held.append(one)
        began, open_ones = time.time(), len(held)
        while open_ones > 150 and time.time() - began < 60:
            time.sleep(0.5)
            open_ones = 0
            for one in held:
                try:
                    if one.recv(1) != b"":
                        open_ones += 1
                except BlockingIOError:
                    open_ones += 1
                except OSError:
                    pass
        print("closed", 200 - open_ones)
        """
      let result = try Program.run("/usr/bin/python3", ["-c", script, address])
      let closed = Int(result.output.split(separator: " ").last?.trimmingCharacters(in: .newlines) ?? "") ?? 0
      #expect(closed >= 50, "\(result)")
      try fleet.eventually("an answer of the console") {
        try Program.run("/usr/bin/curl", ["-sk", "-m", "5", "https://\(address)/healthz"]).output == "ok\n"
      }
      #expect(few.stop() == 0, "\(few.errors.suffix(2000))")
    }

    /// A real browser sees each page at three widths, light and dark: words, size, contrast and labels, nothing that the policy forbids;
    /// with scripts switched off it acknowledges.
    @Test func aBrowserShowsEachPage() throws {
      defer { tearDown() }
      let number = try openIncident("<b>bold</b> " + String(repeating: "/a/very/long/path", count: 12))
      let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      let job = [
        root.appendingPathComponent("deploy/demo/train.py").path, "--directory", fleet.logs, "--episodes", "3",
        "--steps",
        "100", "--delay", "0", "--seed", "7",
      ]
      #expect(try Program.run("/usr/bin/python3", job).code == 0)
      try fleet.eventually("an episode") { try fleet.json("episodes", "list", "--status", "completed").count > 1 }
      let run = try fleet.json("runs", "list").first?["id"] as? Int ?? 0
      let links = try ["ann", "ben"].map { name in
        try fleet.signalbox("console", "link", "--for", name, "--role", "admin").output.trimmingCharacters(
          in: .newlines)
      }
      let environment = ProcessInfo.processInfo.environment
      let result = try Program.run(
        environment["SIGNALBOX_PYTHON"] ?? "/usr/bin/python3",
        [root.appendingPathComponent("Tests/console_pages.py").path] + links + [
          "host-1", String(number), String(run), environment["SIGNALBOX_PICTURES"] ?? fleet.directory + "/pictures",
          try messageLink(to: number),
        ], within: 300)
      #expect(result.code == 0, "\(result.output)\n\(result.errors.suffix(3000))")
      #expect(try fleet.json("incidents", "show", String(number)).first?["acked_by"] as? String == "ben")
    }
  }
}
