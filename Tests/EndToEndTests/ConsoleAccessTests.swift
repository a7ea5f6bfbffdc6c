import FleetModel
import Foundation
import Incidents
import Postgres
import Store
import TLS
import TestSupport
import Testing

extension EndToEndTests {
  /// Ways in by services outside the fleet, with services of the test's own that also misbehave.
  @Suite(.timeLimit(.minutes(5))) struct ConsolesFromOutside {
    private static let python = ProcessInfo.processInfo.environment["SIGNALBOX_PYTHON"] ?? "/usr/bin/python3"

    private static func script(_ name: String) -> String {
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent(name).path
    }

    /// Starts a server of the tests. - Returns: it, with the address that it prints.
    private static func serve(_ name: String, _ directory: String) throws -> (Program, String) {
      let program = try Program(python, [script(name), "serve", directory], errorPath: "\(directory)/\(name).err")
      return (program, String(try program.line(startingWith: "ready ").dropFirst("ready ".count)))
    }

    /// What each login ends with; what is not here is refused with 401 and the sentence beside it.
    private static let refused: [(login: String, status: Int, sentence: String)] = [
      ("no-group", 403, "ann-no-group is in no group that has a role here"),
      ("no-name", 403, "has no preferred_username that can be a name"),
      ("wrong-nonce", 401, "it belongs to another login (nonce)"),
      ("wrong-aud", 401, "issued for another client (aud)"), ("two-aud", 401, "issued to another client (azp)"),
      ("other-azp", 401, "issued to another client (azp)"), ("expired", 401, "it has expired (exp)"),
      ("old", 401, "its time of issue is not now (iat)"), ("future", 401, "its time of issue is not now (iat)"),
      ("wrong-iss", 401, "it comes from"), ("alg-none", 401, "only RS256 and ES256 are taken"),
      ("hs256-public-key", 401, "only RS256 and ES256 are taken"), ("crit", 401, "demands an extension"),
      ("unknown-kid", 401, "signed with no key of the provider"),
      ("bad-signature", 401, "signed with no key of the provider"),
      ("es256-broken", 401, "signed with no key of the provider"), ("html", 502, "answers no JSON object"),
      ("huge", 502, "longer than 256 KiB"), ("slow", 503, "does not answer (no answer in time)"),
      ("no-token", 502, "holds no id_token"), ("denied", 401, "did not log you in (access_denied)"),
      ("wrong-state", 401, "belongs to another login (state)"),
      ("reused-code", 502, "HTTP 400: invalid_grant"), ("no-cookie", 401, "was not begun in this browser"),
    ]

    @Test func peopleLogInByAnIdentityProvider() throws {
      let database = try TestDatabase()
      try Store.open(database.url, migrating: true).close()
      var started: (program: Program, url: String)?
      defer { started?.program.stop() }
      let site = try ConsoleOnDatabase(database.url) { directory in
        let provider = try Self.serve("login_provider.py", directory)
        started = provider
        try Data("s3cret/+&=\r\n".utf8).write(to: URL(fileURLWithPath: directory + "/secret"))
        return [
          "--oidc-issuer", provider.1, "--oidc-client-id", "signalbox console", "--oidc-label", "Example",
          "--oidc-client-secret-file", directory + "/secret", "--oidc-ca", directory + "/cert.pem",
          "--oidc-role", "viewer=staff", "--oidc-role", "responder=sre", "--oidc-session", "2h",
        ]
      }
      defer { site.tearDown() }
      let provider = try #require(started)
      let page = try site.ask("/login?next=/incidents/7", ["-H", "Accept: text/html"]).body
      #expect(page.contains("Log in with Example") && page.contains("/oidc/start?next=%2Fincidents%2F7"), "\(page)")
      let result = try Program.run(
        Self.python, [Self.script("login_provider.py"), "browse", site.url, provider.url, site.certificate])
      let logins = try #require(
        try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: [String: Any]],
        "\(result.errors.suffix(3000))")
      for (login, status, sentence) in Self.refused {
        let outcome = try #require(logins[login])
        let text = try #require(outcome["text"] as? String)
        #expect(outcome["status"] as? Int == status && text.contains(sentence), "\(login): \(outcome)")
        #expect((outcome["cookies"] as? [String])?.contains("__Host-signalbox") == false, "\(login): \(outcome)")
      }
      for (login, next) in [
        ("rs256", "/incidents?state=open"), ("es256", "/incidents?state=open"),
        ("public-groups", "/incidents?state=open"), ("evil-next", "/"),
      ] {
        let outcome = try #require(logins[login])
        #expect(outcome["status"] as? Int == 303 && outcome["location"] as? String == next, "\(login): \(outcome)")
        #expect(outcome["cookies"] as? [String] == ["__Host-signalbox"] && outcome["page"] as? Int == 200, "\(outcome)")
      }
      #expect(logins.count == Self.refused.count + 5)
      // An unknown key's id does not make the console ask again.
      let counts = try #require(logins["counts"] as? [String: Int])
      #expect(counts["keys"] == 1 && counts["description"] == 1, "\(counts)")
      try sessions(database)
      // Nothing secret is in the console's log.
      #expect(!site.console.errors.contains("s3cret"))
      provider.program.kill()
      let away = try site.ask("/login", ["-H", "Accept: text/html"])
      #expect(away.status == 200 && away.body.contains("name=\"secret\""))
    }

    // MARK: Ways back

    /// An incident that `team` was paged about, and the token of that page.
    private static func page(_ number: Int, _ rule: String, _ store: Store) throws -> String {
      let nowNs = Int64(Date().timeIntervalSince1970 * 1e9)
      try store.apply(
        [IncidentChange(.opened, rule: rule, severity: .p0, hostName: "gpu-1", eventNs: nowNs, detectedNs: nowNs)],
        policy: .none, nowNs: nowNs)
      let id = "msg_" + String(repeating: "\(number)", count: 32)
      _ = try store.connection.query(
        """
        insert into signalbox.outbox (incident, change_number, receiver, event, message_id, due, next_try, created, state, settled)
        values (\(number), 1, 'team', 'trigger', '\(id)', now(), now(), now(), 'delivered', now())
        """)
      return try #require(PageToken(messageID: id, expiresNs: nowNs + 3_600_000_000_000)).text(key: store.pageLinkKey())
    }

    private static func states(_ store: Store) throws -> String? {
      try store.connection.query(
        "select string_agg(state || ' ' || coalesce(acked_by, '-'), ', ' order by number) from signalbox.incidents"
      ).text(0, 0)
    }

    /// A button pressed in Slack acts as the link of the message does, with no public address, whatever Slack does meanwhile.
    @Test func pagesAreAnsweredInSlack() throws {
      let database = try TestDatabase()
      let store = try Store.open(database.url, migrating: true)
      defer { store.close() }
      try store.publishReceiverSecrets([ReceiverSecret("team", .slackApp, "xapp-1-A111-222-secret")])
      let pages = try (1...4).map { try Self.page($0, "RES-0\($0)", store) }
      var started: (program: Program, url: String)?
      defer { started?.program.kill() }
      func ask(_ path: String, _ body: String, _ url: String, _ authorities: String) throws -> String {
        try Program.run("/usr/bin/curl", ["-sS", "-m", "90", "--cacert", authorities, "-d", body, url + path]).output
      }
      let site = try ConsoleOnDatabase(database.url) { directory in
        let slack = try Self.serve("slack_server.py", directory)
        started = slack
        _ = try ask("/plan", #"["huge"]"#, slack.1, directory + "/cert.pem")
        return ["--slack-api", slack.1 + "/api/", "--slack-ca", directory + "/cert.pem"]
      }
      defer { site.tearDown() }
      let slack = try #require(started)
      func press(_ id: String, _ value: String, _ more: String = "") throws -> Bool {
        let envelope = """
          {"type":"interactive","envelope_id":"\(id)",\(more)"payload":{"type":"block_actions","user":{"id":"U1","username":"ann"},\
          "actions":[{"action_id":"acknowledge","value":"\(value)"}]}}
          """
        return try ask("/press", envelope, slack.url, site.certificate).contains("true")
      }
      #expect(try press("e1", pages[0]) && press("e2", pages[1] + "x"))
      #expect(try Self.states(store) == "acked ann, open -, open -, open -")
      // Slack asks for another connection: presses on the one that it will end count until then.
      _ = try ask("/refresh", #"{"wait":false}"#, slack.url, site.certificate)
      #expect(try press("e3", pages[1]) && press("e4", pages[2], #""older":true,"#))
      for text in ["{", #"{"type":"interactive","envelope_id":7}"#, #"["hello"]"#] {
        _ = try ask("/raw", text, slack.url, site.certificate)
      }
      #expect(try press("e5", pages[3]) && press("e5", pages[3]))
      #expect(try Self.states(store) == "acked ann, acked ann, acked ann, acked ann")
      let figures = try site.ask("/metrics", token: site.token("figures", "viewer")).body
      for (name, value) in [
        ("presses_total{outcome=\"done\"}", 4), ("presses_total{outcome=\"unchanged\"}", 1),
        ("presses_total{outcome=\"unknown alert\"}", 1), ("messages_unread_total", 3), ("failures_total", 1),
        ("refreshes_total", 1), ("presses_refused_total", 0), ("apps", 1), ("apps_connected", 1),
      ] { #expect(figures.contains("signalbox_console_slack_\(name) \(value)\n"), "\(name): \(figures)") }
      let admin = try site.ask("/admin", ["-H", "Accept: text/markdown"], token: site.token("root", "admin")).body
      #expect(admin.contains("| team | connected | "), "\(admin)")
      let details = try store.connection.query(
        "select detail from signalbox.audit_log where action = 'incidents.ack' and actor = 'ann' limit 1")
      #expect(details.text(0, 0)?.contains("in Slack (team)") == true, "\(details.text(0, 0) ?? "")")
      #expect(!site.console.errors.contains("xapp") && !site.console.errors.contains(pages[0]))
      #expect(!site.console.errors.contains("ticket"), "\(site.console.errors)")
    }

    /// A reply by mail acts as the link of the message does, without a login.
    @Test func pagesAreAnsweredByMail() throws {
      let database = try TestDatabase()
      let store = try Store.open(database.url, migrating: true)
      defer { store.close() }
      let mailed = try Self.page(1, "RES-01", store)
      let site = try ConsoleOnDatabase(database.url)
      defer { site.tearDown() }
      func reply(_ body: String, _ head: String = "", token: String = mailed, url: String? = nil) throws
        -> Program.Result
      {
        let message = "From: ann@example.org\nReply-To: x@example.org\n\(head)\n\(body)\n> ack\n"
        return try site.byConsole(
          [
            "incidents", "reply", "--console", url ?? site.url, "--ca", site.certificate, "--recipient",
            "signalbox+\(token)@example.org",
          ], input: message)
      }
      let away = try reply("ack", "Auto-Submitted: auto-replied\n")
      #expect(away.code == 0 && away.output.isEmpty && away.errors.isEmpty, "\(away)")
      for (result, code, sentence) in [
        (try reply("thank you"), 65, "write ack, resolve, or note"),
        (try reply("ack", token: String(mailed.reversed())), 65, "was not made here"),
        (try reply("ack", url: "https://127.0.0.1:1"), 75, "cannot connect"),
        (try reply("ack", url: "http://127.0.0.1"), 75, "begins with https://"),
      ] as [(Program.Result, Int32, String)] {
        #expect(result.code == code && result.errors.contains(sentence), "\(result)")
      }
      #expect(try Self.states(store) == "open -")
      for body in ["note 3 of 8 fans", "note again", "note again", "Ack.", "resolve", "resolve"] {
        let result = try reply(body)
        #expect(result.code == 0 && result.errors.isEmpty, "\(body): \(result)")
      }
      #expect(try Self.states(store) == "resolved team")
      let details = try store.connection.query(
        "select string_agg(kind || ' ' || actor || ' ' || detail, ', ' order by number) from signalbox.incident_timeline where incident = 1 and kind in ('note', 'acked')"
      ).text(0, 0)
      #expect(
        details
          == "note team 3 of 8 fans (by a reply to a mail), note team again (by a reply to a mail), acked team by a reply to a mail"
      )
    }

    private func sessions(_ database: TestDatabase) throws {
      let connection = try database.connect()
      defer { connection.close() }
      let rows = try connection.query(
        """
        select name, role, expires between now() + interval '110 minutes' and now() + interval '2 hours', created_by
        from signalbox.credentials where kind = 'session' order by name
        """)
      let sessions = (0..<rows.count).map { (rows.text($0, 0), rows.text($0, 1), rows.bool($0, 2), rows.text($0, 3)) }
      #expect(sessions.map(\.0) == ["ann-es256", "ann-evil-next", "ann-public-groups", "ann-reused-code", "ann-rs256"])
      #expect(sessions.map(\.1) == ["responder", "responder", "viewer", "responder", "responder"])
      #expect(
        sessions.allSatisfy { $0.2 == true && $0.3?.hasPrefix("OIDC 248289761001 of https://127.0.0.1:") == true })
      let audit = try connection.query(
        "select actor, detail from signalbox.audit_log where action = 'access.login' and actor = 'ann-es256'")
      #expect(audit.text(0, 1)?.hasPrefix("logged in by OIDC 248289761001 of https://") == true)
      let refused = try connection.query(
        "select count(*) from signalbox.audit_log where action = 'access.refused' and subject = 'ann-no-group'")
      #expect(refused.int(0, 0) == 1)
    }
  }
}
