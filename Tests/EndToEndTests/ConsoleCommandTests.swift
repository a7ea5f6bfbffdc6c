import Files
import FleetModel
import Foundation
import Postgres
import Store
import TestSupport
import Testing

extension EndToEndTests {
  /// The command line over a console: the same answers, changes in the name of the token, and what is stored of a login.
  @Suite(.timeLimit(.minutes(10))) struct ConsolesByCommand {
    let database: TestDatabase
    let site: ConsoleOnDatabase

    init() throws {
      database = try TestDatabase()
      try FilledDatabase.fill(database)
      site = try ConsoleOnDatabase(database.url)
    }

    /// Ages go on between two commands, and with them the widths of their columns.
    private static func withoutAges(_ text: String) -> String {
      text.replacing(/\d+(\.\d+)? ?(ns|us|ms|s|m|min|h|d|w) ago/, with: "AGE").replacing(#/ +/#, with: " ")
    }

    private static func json(_ text: String) throws -> NSArray {
      try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSArray)
    }

    @Test func everyReadIsTheSameOverTheConsole() throws {
      defer { site.tearDown() }
      #expect(try site.login(site.token("everything", "admin")).code == 0)
      let readers = Options.commands.filter { !["query", "rules"].contains($0.words[0]) }
      #expect(readers.count > 15)
      for (words, options) in readers {
        // Kinds of values show in tables. Of an option that stands twice, the later one counts.
        let forms =
          [(options.flatMap(\.self), "json")]
          + (["fleet", "runs", "episodes"].contains(words[0]) ? [([], "table")] : [])
        for (more, format) in forms {
          let asked = words + more + ["--format", format]
          let (console, direct) = (try site.byConsole(asked), try site.byDatabase(asked))
          #expect(console.code == direct.code, "\(asked): \(console.errors)")
          if format == "json" {
            #expect(try Self.json(console.output) == Self.json(direct.output), "\(asked)")
          } else {
            #expect(Self.withoutAges(console.output) == Self.withoutAges(direct.output), "\(asked)")
          }
        }
      }
      // What only the database answers says so.
      let link = try site.byConsole(["console", "link"])
      #expect(link.code == 2 && link.errors.contains("--database URL"), "\(link)")
      for (words, sentence) in [
        (["runs", "list", "--host", "trainer-9"], "no host is called 'trainer-9'; did you mean"),
        (["gaps", "--host", "none"], "no host is called 'none'"), (["incidents", "show", "999"], "no incident"),
        (["hosts", "show", "none"], "no host is called 'none'"),
      ] {
        for result in [try site.byConsole(words), try site.byDatabase(words)] {
          #expect(result.code == 3 && result.errors.contains(sentence), "\(words): \(result)")
        }
      }
      for result in [try site.byConsole(["rules", "list"]), try site.byDatabase(["rules", "list"])] {
        #expect(result.code == 3 && result.errors.contains("no collector has published its rules"), "\(result)")
      }
      try whatALimitLeavesOutIsNamed()
    }

    /// Beside a format of scripts as well, and over both ways.
    private func whatALimitLeavesOutIsNamed() throws {
      let connection = try database.connect()
      defer { connection.close() }
      try connection.execute(
        """
        insert into signalbox.runs (host, run, started, updated)
          select (select min(number) from signalbox.hosts), 'more-' || n, now(), now() from generate_series(1, 3) n;
        insert into signalbox.audit_log (actor, action, subject) select 'test', 'test', n::text from generate_series(1, 3) n
        """)
      let sentence = "there are more than these 2: --limit gives more"
      for words in [["runs", "list"], ["audit"]] {
        for format in ["table", "csv"] {
          for (limit, isCut) in [("2", true), ("10000", false)] {
            let asked = words + ["--limit", limit, "--format", format]
            for result in [try site.byConsole(asked), try site.byDatabase(asked)] {
              #expect(result.errors.contains(sentence) == isCut, "\(asked): \(result)")
            }
          }
        }
      }
    }

    @Test func aLoginIsCheckedAndStoredForItsOwnerAlone() throws {
      defer { site.tearDown() }
      let viewer = try site.token("reads", "viewer")
      for (words, input, code, sentence) in [
        (["login", site.url, "--ca", site.certificate], "sbk_none", 2, "that is no token"),
        (["login", site.url, "--ca", site.certificate], String(viewer.dropLast()) + "x", 2, "that is no token"),
        (["login", site.url], viewer, 4, "--ca FILE takes the authority's certificate"),
        (["login", "http://127.0.0.1"], viewer, 2, "begins with https://"),
        (["login", site.url + "/x", "--ca", site.certificate], viewer, 2, "begins with https://"),
        (["login", "https://127.0.0.1:1"], viewer, 4, "cannot connect"),
        (["login", site.url, "--ca", "/nonexistent"], viewer, 2, "--ca: cannot "),
        (["login", site.url, "--ca", site.certificate, "--name", "../x"], viewer, 2, "--name takes letters"),
      ] as [([String], String, Int32, String)] {
        let result = try site.byConsole(words, input: input)
        #expect(result.code == code && result.errors.contains(sentence), "\(words): \(result)")
      }
      let file = site.directory + "/.config/signalbox/contexts.json"
      #expect(!FileManager.default.fileExists(atPath: file))
      #expect(try site.byConsole(["runs", "list"]).errors.contains("signalbox login URL"))

      let done = try site.login(viewer)
      #expect(done.code == 0 && done.output.contains("reads at \(site.url), with the role viewer"), "\(done)")
      #expect(try FileStatus.of(path: file).mode & 0o777 == 0o600)
      #expect(try FileStatus.of(path: site.directory + "/.config/signalbox").mode & 0o777 == 0o700)
      #expect(try site.login(viewer, ["--name", "second"]).code == 0)
      let list = try site.byConsole(["contexts", "list", "--format", "json"])
      #expect(!list.output.contains("sbk_") && list.output.contains(#""name":"second""#), "\(list)")
      #expect(try site.byConsole(["contexts", "use", "127.0.0.1"]).code == 0)
      #expect(try site.byConsole(["contexts", "remove", "second"]).code == 0)
      #expect(try site.byConsole(["contexts", "remove", "second"]).code == 3)
      #expect(try site.byConsole(["runs", "list", "--context", "second"]).code == 2)
      // The authority's file was copied.
      try HostFiles.rename(site.certificate, to: site.certificate + ".moved")
      #expect(try site.byConsole(["runs", "list", "--allow-missing"]).code == 0)
      try HostFiles.rename(site.certificate + ".moved", to: site.certificate)

      #expect(try site.byConsole(["audit"]).errors.contains("the role admin"), "a viewer sees no audit")
      #expect(try site.byConsole(["incidents", "ack", "1"]).errors.contains("the role responder"))
      #expect(try site.byDatabase(["tokens", "revoke", "reads"]).code == 0)
      let revoked = try site.byConsole(["runs", "list"])
      #expect(revoked.code == 1 && revoked.errors.contains("signalbox login stores a new one"), "\(revoked)")
      try HostFiles.setMode(file, 0o644)
      #expect(try site.byConsole(["runs", "list"]).errors.contains("chmod 600"))
    }

    @Test func changesAreMadeInTheNameOfTheToken() throws {
      defer { site.tearDown() }
      #expect(try site.login(site.token("night", "responder")).code == 0)
      let open = try Self.json(site.byConsole(["incidents", "list", "--state", "open", "--format", "json"]).output)
      let number = try #require((open.firstObject as? [String: Any])?["id"] as? Int)
      let by = try site.byConsole(["incidents", "ack", "\(number)", "--by", "ann"])
      #expect(by.code == 2 && by.errors.contains("leave --by out"), "\(by)")
      let acked = try site.byConsole(["incidents", "ack", "\(number)", "999"])
      #expect(acked.code == 3 && acked.output.contains("You have incident \(number).") && acked.errors.contains("999"))
      #expect(try site.byConsole(["incidents", "note", "\(number)", "a fan is loud"]).code == 0)
      let shown = try site.byDatabase(["incidents", "show", "\(number)", "--format", "json"])
      #expect(shown.output.contains(#""acked_by":"night""#) && shown.output.contains("a fan is loud"), "\(shown)")
      let resolved = try site.byConsole(["incidents", "resolve", "\(number)", "--format", "json"])
      #expect(((try Self.json(resolved.output)).firstObject as? [String: Any])?["state"] as? String == "resolved")

      let words = ["silences", "add", "--host", "trainer-*", "--for", "2h", "--reason", "new disks"]
      for (more, sentence) in [
        (["--cron", "0 2 * *"], "--cron: "), (["--severity", "P9"], "--severity takes P0 to P3"),
        (["--zone", "UTC"], "--zone goes with --cron"), (["--from", "yesterday"], "--from takes a time"),
        (["--cron", "0 2 * * 0", "--from", "2200-01-01T00:00Z"], "--from does not go with --cron"),
        (["--cron", "0 2 * * 0", "--zone", "Mars/Olympus"], "Mars/Olympus"),
        (["--from", "2001-01-01T00:00Z"], "was over at"),
        // A variable of a script that is not set makes no silence wider.
        (["--rule", ""], "rule takes 1 to 200 characters"), (["--severity", ""], "--severity takes P0 to P3"),
        (["--entity", ""], "entity takes 1 to"), (["--cron", ""], "--cron: "),
      ] {
        let refused = try site.byConsole(words + more)
        #expect(refused.code == 2 && refused.errors.contains(sentence), "\(more): \(refused)")
      }
      let weekly = ["--severity", "p2", "--cron", "0 2 * * 0", "--zone", "Europe/Berlin"]
      let window = try site.byConsole(words + weekly)
      #expect(window.errors.contains("comes back at '0 2 * * 0' of Europe/Berlin, for 2h"), "\(window)")
      let planned = try site.byDatabase(["silences", "list", "--format", "json"])
      #expect(planned.output.contains("Europe/Berlin") && planned.output.contains(#""severity":"P2""#), "\(planned)")
      let added = try site.byConsole(words)
      let silence = added.output.trimmingCharacters(in: .newlines)
      #expect(
        added.code == 0 && Int(silence) != nil && added.errors.contains("Silence \(silence) lasts until"), "\(added)")
      #expect(try site.byConsole(["silences", "end", silence]).code == 0)
      #expect(try site.byConsole(["silences", "end", silence]).code == 3)

      let turn = ["oncall", "override", "primary", "--to", "duty", "--for", "2h", "--reason", "swapped"]
      let taken = try site.byConsole(turn)
      let override = taken.output.trimmingCharacters(in: .newlines)
      #expect(taken.code == 0 && taken.errors.contains("duty takes the turn of 'primary' until"), "\(taken)")
      let listed = try site.byDatabase(["oncall", "overrides", "--format", "ndjson"])
      #expect(
        listed.output.contains(#""id":\#(override),"#) && listed.output.contains(#""author":"night""#), "\(listed)")
      #expect(try site.byConsole(["oncall", "end", override]).errors.isEmpty)
      #expect(try site.byConsole(["oncall", "end", override]).code == 3)
      let nobody = try site.byConsole(["oncall", "override", "primary", "--to", "nobody", "--for", "2h"])
      #expect(nobody.code != 0 && nobody.errors.contains("nobody"), "\(nobody)")

      let long = try site.byConsole(["query", "select 1", "--timeout", "600"])
      #expect(long.code == 2 && long.errors.contains("timeout takes 1 to 300, not 600"), "\(long)")
    }

    /// What gives access, and what hosts are called, is changed over a console as well.
    @Test func accessAndHostsAreChangedOverTheConsole() throws {
      defer { site.tearDown() }
      let store = try Store.open(database.url)
      try store.announceCollector(
        CollectorID(high: 1, low: 2), addresses: ["collector.example:7443"], names: ["collector.example"],
        caPin: String(repeating: "ab", count: 32), version: "test")
      store.close()
      #expect(try site.login(site.token("root", "admin")).code == 0)
      for (words, code, part) in [
        (["tokens", "create", "ci", "--role", "viewer", "--expires", "9y"], 2, "--expires takes a time of up to 366d"),
        (["tokens", "create", "ci", "--role", "viewer", "--expires", ""], 2, "--expires takes a time of up to 366d"),
        (["oncall", "calendar", "ann", "--url", "foo"], 2, "--url takes https://HOST:PORT"),
        (["tokens", "create", "ci", "--role", "viewer"], 0, "oken 'ci' is good for what the role viewer may, until "),
        (["tokens", "create", "ci", "--role", "viewer"], 1, "in use"),
        (["tokens", "revoke", "ci"], 0, "'ci' has 1 way in less"), (["tokens", "revoke", "ci"], 3, "ci"),
        (["oncall", "calendar", "ann"], 0, "he calendar of 'ann' shows who is on call until "),
        (["hosts", "label", "trainer-1", "rack=7", "old-"], 0, "has the labels rack=7"),
        (["hosts", "label", "trainer-1", "rack"], 2, "is no label"),
        (["hosts", "label", "trainer-1", "a=x\nb=y"], 2, "holds control characters"),
        (["hosts", "label", "trainer-1", "a=x", "a-"], 2, "is both set and removed"),
        (["hosts", "label", "..", "a=x"], 3, "nothing is called '..'"),
        (["hosts", "revoke", ""], 3, "nothing is called ''"),
        (["hosts", "rename", "trainer-1", ".."], 2, "is no host name"),
        (["hosts", "label", "trainer-1", "rack-"], 0, "has no labels"),
        (["hosts", "label", "none", "rack=7"], 3, "no active host is called 'none'"),
        (["hosts", "rename", "trainer-2", "a/b"], 2, "is no host name"),
        (["hosts", "rename", "trainer-2", "trainer-1"], 1, "is in the fleet"),
        (["hosts", "rename", "trainer-2", "eval-2"], 0, "is called 'eval-2' now"),
        (["hosts", "invite", "gpu-9", "--label", "role=eval", "--expires", "2h"], 0, "nvited 'gpu-9'"),
        (["hosts", "invite", "gpu-9", "--label", "role-"], 2, "no label to remove"),
        (["hosts", "invite", "gpu-9", "--address", "0.0.0.0:1"], 2, "--address takes HOST:PORT"),
        (["hosts", "invite", "gpu-9", "--count", "3"], 2, "needs a *"),
        (["hosts", "revoke", "eval-2"], 0, "is revoked"), (["hosts", "revoke", "eval-2"], 3, "eval-2"),
        (["hosts", "remove", "eval-2"], 0, "is removed"), (["hosts", "remove", "eval-2"], 3, "no active host"),
      ] as [([String], Int32, String)] {
        let result = try site.byConsole(words)
        #expect(result.code == code && (result.errors + result.output).contains(part), "\(words): \(result)")
        let secret = result.output.trimmingCharacters(in: .newlines)
        switch (words[1], code) {
        case ("create", 0): #expect(try site.ask("/api/v1/runs", token: secret).status == 200)
        case ("calendar", 0):
          #expect(secret.hasPrefix(site.url + "/api/v1/oncall.ics?key=sbk_"), "\(secret)")
          #expect(try site.ask(String(secret.dropFirst(site.url.count))).body.contains("BEGIN:VCALENDAR"))
        default: break
        }
      }
      let open = try site.byDatabase(["hosts", "invitations", "--format", "json"])
      #expect(open.output.contains(#""host":"gpu-9""#) && open.output.contains("root"), "\(open)")
      let id = try #require((Self.json(open.output).firstObject as? [String: Any])?["id"] as? String)
      #expect(try site.byConsole(["hosts", "uninvite", id]).code == 0)
      #expect(try site.byConsole(["hosts", "uninvite", id]).code == 3)
      let audit = try site.byDatabase(["audit", "--by", "root", "--format", "csv"])
      for action in ["hosts.label", "hosts.rename", "hosts.revoke", "hosts.remove", "access.token", "access.revoke"] {
        #expect(audit.output.contains(action), "\(action): \(audit.output)")
      }
    }

    // MARK: Names

    /// A run is named by its id or its name, a host by its name or a pattern, over both ways.
    @Test func runsAndHostsAreNamedAlike() throws {
      defer { site.tearDown() }
      #expect(try site.login(site.token("reads", "viewer")).code == 0)
      let connection = try database.connect()
      defer { connection.close() }
      let number = try #require(
        try connection.query("select number::text from signalbox.runs where run = 'run-a'").text(0, 0))
      try connection.execute(
        """
        insert into signalbox.runs (host, run, started, updated, state)
        select number, run, now(), now(), 2 from signalbox.hosts cross join (values ('run-a'), ('run-b')) r (run) where name = 'trainer-2'
        """)
      // A run that has another one's id as its name.
      let otherNumber = try #require(
        try connection.query("select number::text from signalbox.runs where run = 'run-b' limit 1").text(0, 0))
      try connection.execute(
        "insert into signalbox.runs (host, run, started, updated, state) select number, '\(otherNumber)', now(), now(), 2 "
          + "from signalbox.hosts where name = 'trainer-2'")
      let wait = ["--for", "running", "--timeout", "1s"]
      for (words, code, sentence) in [
        (["runs", "show", "run-a"], 2, "2 runs are called 'run-a': "),
        (["runs", "analyze", "run-a"], 2, "\(number) on trainer-1"),
        (["wait", "runs/run-a"] + wait, 2, "2 runs are called 'run-a'"),
        (["compare", "run-a", "run-b"], 2, "name one by its id"),
        (["runs", "show", number], 0, ""), (["runs", "show", "run-a", "--host", "*-1"], 0, ""),
        (["wait", "runs/\(number)"] + wait, 0, ""), (["runs", "show", "99999"], 3, "no run is called '99999'"),
        (["runs", "show", number, "--host", "trainer-2"], 3, "no run is called"),
        (["episodes", "list", "--run", number], 0, ""), (["episodes", "show", number, "1"], 0, ""),
        (["episodes", "list", "--run", number, "--host", "trainer-2"], 3, "no episode matches"),
        (["episodes", "list", "--run", "99999"], 3, "no episode matches"),
        (["episodes", "list", "--run", "\(otherNumber)"], 2, "2 runs are called"),
        (["compare", number, number], 2, "give each run once"), (["compare", number, "run-b"], 0, ""),
        (["runs", "list", "--host", "x-*"], 3, "no host's name matches 'x-*'; hosts: "),
        (["logs", "--host", "*r-1", "--host", "x*"], 3, "no host's name matches 'x*'"),
        (["episodes", "verify", "--host", "trainer-2"], 3, "no step of these runs is stored"),
      ] as [(words: [String], Int32, String)] {
        let more = words[0] == "wait" ? [] : ["--allow-missing"]
        for result in [try site.byConsole(words + more), try site.byDatabase(words + more)] {
          #expect(result.code == code && (sentence.isEmpty || result.errors.contains(sentence)), "\(words): \(result)")
        }
      }
      // A pattern never stands for the one host of an address.
      let viewer = try site.token("names", "viewer")
      var (ids, cursor): ([Int], String?) = ([], "")
      while let next = cursor, ids.count < 20 {
        let page = try site.ask("/api/v1/runs?limit=1" + (next.isEmpty ? "" : "&cursor=\(next)"), token: viewer).body
        let answer = try #require(JSONSerialization.jsonObject(with: Data(page.utf8)) as? [String: Any])
        ids += (answer["items"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? Int }
        cursor = answer["next"] as? String
      }
      let all = try connection.query("select count(*) from signalbox.runs").int(0, 0)
      #expect(ids.count == Set(ids).count && Int64(ids.count) == all, "\(ids)")
      #expect(try site.ask("/api/v1/hosts/trainer-*/processes", token: viewer).status == 404)
      #expect(try site.ask("/api/v1/runs?host=trainer-*", token: viewer).status == 200)
      try connection.execute(
        "update signalbox.training_steps set shares_held = -1, position = 0 where run = \(number) and step = 2")
      for result in [try site.byConsole(["episodes", "verify"]), try site.byDatabase(["episodes", "verify"])] {
        #expect(result.code == 1 && result.output.contains("sell_before_buy"), "\(result)")
        #expect(result.errors.contains("1 finding: ") && result.errors.contains("hosts are missing"), "\(result)")
      }
    }

    /// What goes into a pipe is whole; a terminal's width, its characters and colour count only there.
    @Test func aPipeGetsWholeTables() throws {
      defer { site.tearDown() }
      let whole = try site.byDatabase(["runs", "list", "--allow-missing"], columns: "")
      #expect(whole.output.hasPrefix("ID  HOST       RUN") && whole.output.contains("UPDATED"), "\(whole)")
      #expect(!whole.errors.contains("not shown at this width") && !whole.output.contains("\u{1b}"), "\(whole)")
      let narrow = try site.byDatabase(["runs", "list", "--allow-missing"], columns: "40")
      #expect(narrow.errors.contains("not shown at this width"), "\(narrow)")
    }

    /// Ctrl-C ends the statement on the server, and the program with the code that shells give it.
    @Test(arguments: [["query", "select count(*) from log_lines"], ["logs"]])
    func aQuestionThatIsGivenUpEndsOnTheServer(_ words: [String]) throws {
      site.tearDown()
      let connection = try database.connect()
      defer { connection.close() }
      try connection.execute("begin; lock table signalbox.log_info in access exclusive mode")
      let asked = try Program(
        "signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": database.url.text],
        errorPath: "/tmp/signalbox-interrupted-\(UUID().uuidString)")
      defer { for suffix in ["", ".out"] { try? FileManager.default.removeItem(atPath: asked.errorPath + suffix) } }
      let waiting =
        "select count(*) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())"
      func isWaiting() throws -> Bool { try connection.query(waiting).int(0, 0) ?? 0 > 0 }
      for _ in 0..<3000 where try !isWaiting() { usleep(10_000) }
      #expect(try isWaiting())
      asked.signal(SIGINT)
      #expect(asked.wait(within: 60) == 130 && asked.errors.isEmpty, "\(asked.errors)")
      for _ in 0..<3000 where try isWaiting() { usleep(10_000) }
      #expect(try !isWaiting())
    }

    /// All lines over several pages are those of the database, in its order.
    @Test func logsComeInPages() throws {
      site.tearDown()
      let database = try TestDatabase()
      try Store.open(database.url, migrating: true).close()
      let connection = try database.connect()
      defer { connection.close() }
      try FilledTables.lines(6_000, nowUs: Int64(Date().timeIntervalSince1970) * 1_000_000, on: connection)
      let site = try ConsoleOnDatabase(database.url)
      defer { site.tearDown() }
      let viewer = try site.token("reads", "viewer")
      #expect(try site.login(viewer).code == 0)
      for more in [[], ["--limit", "7", "--host", "quiet", "--host", "node-00002", "--text", "7"]] {
        let words = ["logs", "--since", "2d", "--format", "ndjson", "--allow-missing"] + more
        let (console, direct) = (try site.byConsole(words), try site.byDatabase(words))
        #expect(
          console.code == 0 && (!more.isEmpty || direct.output.split(separator: "\n").count > 5_500), "\(console)")
        #expect(console.output == direct.output, "\(more)")
      }
      for cursor in ["x", "MjAyNg", "e30", "JyB8IHwgfCA"] {
        for list in ["logs/pages", "runs", "episodes", "incidents"] {
          #expect(try site.ask("/api/v1/\(list)?cursor=\(cursor)", token: viewer).status == 400, "\(list) \(cursor)")
        }
      }
    }

    // MARK: Hosts that are missing

    /// The exit code says that an answer is not whole, over both ways, and only of the hosts that were asked about.
    @Test func anAnswerThatLacksHostsEndsWithFive() throws {
      defer { site.tearDown() }
      #expect(try site.login(site.token("reads", "viewer")).code == 0)
      let connection = try database.connect()
      defer { connection.close() }
      try connection.execute(
        "insert into signalbox.epochs (host, epoch) select number, 1 from signalbox.hosts on conflict do nothing")
      let hour = "update signalbox.epochs set last_seen = now() + interval '1 hour'"
      try connection.execute(hour)
      let commands = [
        ["fleet", "status"], ["runs", "list"], ["runs", "show", "run-a"], ["episodes", "list"], ["logs"], ["gaps"],
        ["episodes", "check"],
      ]
      // A console keeps what it knows of the fleet for a second.
      func settle(_ code: Int32) throws {
        for _ in 0..<100 where try site.byConsole(["fleet", "status"]).code != code { usleep(100_000) }
      }
      func codes(_ words: [String]) throws -> [Int32] {
        try [site.byConsole(words), site.byDatabase(words)].map { result in
          #expect((result.code == 5) == result.errors.contains("hosts are missing from this answer: "), "\(result)")
          return result.code
        }
      }
      try settle(0)
      for words in commands.prefix(2) { #expect(try codes(words) == [0, 0], "\(words)") }
      try connection.execute(
        hour + "; update signalbox.epochs set last_seen = now() - interval '1 hour' where host = "
          + "(select number from signalbox.hosts where name = 'trainer-1')")
      try settle(5)
      for words in commands { #expect(try codes(words) == [5, 5], "\(words)") }
      for words in commands.prefix(2) { #expect(try codes(words + ["--allow-missing"]) == [0, 0], "\(words)") }
      let named = try site.byConsole(["fleet", "status", "--format", "json"])
      #expect(named.errors.contains("silent: trainer-1;") && named.output.hasPrefix("["), "\(named)")
      // "Nothing was found" of hosts that do not report is no finding.
      #expect(try codes(["logs", "--text", "there is no such line"]) == [5, 5])
      #expect(try codes(["logs", "--text", "there is no such line", "--allow-missing"]) == [3, 3])
      // What is kept by the collector is whole without the host.
      for words in [
        ["incidents", "list"], ["silences", "list"], ["hosts", "list"], ["hosts", "show", "trainer-1"],
        ["oncall", "now"],
      ] {
        #expect(try codes(words) == [0, 0], "\(words)")
      }
      let wait = ["wait", "hosts/trainer-1", "--for", "live", "--timeout", "1s"]
      let overdue = try site.byConsole(wait)
      #expect(overdue.code == 5 && overdue.errors.contains("'trainer-1' is silent, not live"), "\(overdue)")
      try connection.execute(hour)
      #expect(try site.byConsole(wait).code == 0)
    }

    // MARK: Assistants

    /// PyPI's client calls every tool, in both ages of the protocol, over HTTPS and over `signalbox mcp`.
    @Test func assistantsCallEveryTool() throws {
      defer { site.tearDown() }
      let viewer = try site.token("assistant", "viewer")
      #expect(try site.login(viewer).code == 0)
      let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      let result = try Program.run(
        ProcessInfo.processInfo.environment["SIGNALBOX_PYTHON"] ?? "/usr/bin/python3",
        [
          root.appendingPathComponent("mcp_client.py").path, site.url, site.certificate, viewer,
          try site.token("helper", "responder"), Program.path("signalbox"), site.directory, "1",
        ])
      #expect(result.code == 0 && result.output.contains("every tool answers"), "\(result.errors.suffix(3000))")
      let audited = try site.byDatabase(["audit", "--action", "mcp", "--by", "helper", "--format", "json"])
      #expect(audited.output.contains(#""subject":"act_on_incident""#), "\(audited)")
      for (words, status) in [
        (["-X", "POST", "-d", "{}"], 400), (["-X", "POST", "-d", "["], 400), ([], 405),
        (["-X", "POST", "-d", #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#], 202),
        (["-X", "POST", "-H", "Origin: https://evil.example", "-d", "{}"], 403),
      ] {
        #expect(try site.ask("/mcp", words, token: viewer).status == status, "\(words)")
      }
      #expect(try site.ask("/mcp", ["-X", "POST", "-d", "{}"]).status == 401)
      let index = try site.ask("/llms.txt")
      #expect(index.status == 200 && index.body.contains("/api/v1/incidents") && !index.body.contains("/api/v1/audit"))
    }

    // MARK: Calendars, Prometheus, Python

    /// PyPI's `icalendar` reads the feed; its secret opens nothing else, and ends when it is revoked.
    @Test func aCalendarShowsWhoIsOnCall() throws {
      defer { site.tearDown() }
      let connection = try database.connect()
      defer { connection.close() }
      let hostile = "duty, \u{202e}BEGIN:VEVENT;\\n" + String(repeating: "ü", count: 80)
      _ = try connection.query(
        "insert into signalbox.on_call_turns values ('primary', now() - interval '1 h', now() + interval '1 h', $1)",
        [.text(hostile)])
      let made = try site.byDatabase(["oncall", "calendar", "ann"])
      let address = made.output.trimmingCharacters(in: .newlines)
      #expect(made.code == 0 && address.hasPrefix(site.url + "/api/v1/oncall.ics?key=sbk_"), "\(made)")
      let path = String(address.dropFirst(site.url.count))
      let feeds = try [site.ask(path).body, site.ask(path).body]
      let script = """
        import sys, icalendar
        feeds = sys.stdin.buffer.read().split(b"\\0")
        for line in feeds[0].split(b"\\r\\n"):
            assert len(line) <= 75 and b"\\n" not in line, line
        calendars = [icalendar.Calendar.from_ical(feed) for feed in feeds]
        events = [[event for event in calendar.walk("VEVENT")] for calendar in calendars]
        assert len(events[0]) == 2, events
        assert [str(e["UID"]) for e in events[0]] == [str(e["UID"]) for e in events[1]]
        for event in events[0]:
            assert event["DTSTART"].dt < event["DTEND"].dt and event["DTSTAMP"].dt.tzinfo is not None
        assert "is on call for primary" in str(events[0][0]["SUMMARY"]) and "BEGIN:VEVENT;" in str(events[0][0]["SUMMARY"])
        assert str(events[0][1]["SUMMARY"]) == "duty takes the turn of primary", events[0][1]
        print("read", *(str(e["UID"]) for e in events[0]))
        """
      let python = ProcessInfo.processInfo.environment["SIGNALBOX_PYTHON"] ?? "/usr/bin/python3"
      let read = try Program.run(python, ["-c", script], input: feeds.joined(separator: "\0"))
      #expect(read.code == 0 && read.output.contains("override-1@signalbox"), "\(read)")
      let key = String(address.split(separator: "=").last ?? "")
      #expect(try site.ask("/api/v1/hosts", token: key).status == 401, "a calendar's secret is no token")
      #expect(try site.ask("/login", ["-d", "secret=\(key)"]).status == 401)
      #expect(try site.ask("/api/v1/oncall.ics?key=\(site.token("t", "viewer"))").status == 401)
      #expect(try site.byDatabase(["tokens", "revoke", "ann"]).code == 0)
      #expect(try site.ask(path).status == 401)
    }

    /// The client in one file, with Python's own library alone; and the fleet's figures, in which each state has a series.
    @Test func pythonAndPrometheusReadTheConsole() throws {
      defer { site.tearDown() }
      let responder = try site.token("notebook", "responder")
      #expect(try site.login(responder).code == 0)
      let client = try site.ask("/client/signalbox.py")
      try HostFiles.replace(site.directory + "/signalbox.py", with: Array(client.body.utf8))
      let script = """
        import sys, warnings
        sys.path.insert(0, sys.argv[1])
        from signalbox import Signalbox, SignalboxError
        box = Signalbox.from_context(warn=False)
        hosts = box.hosts()
        assert {host["host"] for host in hosts} >= {"trainer-1", "trainer-2"}, hosts
        assert hosts.missing and hosts.meta["as_of"] and not hosts.truncated
        assert box.runs()[0]["run"] and box.episodes(run="run-a") and len(box.logs(since="2d")) > 0
        assert box.note(1, "from a notebook").startswith("Noted")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Signalbox(sys.argv[2], sys.argv[3], ca=sys.argv[4]).runs()
        assert "trainer-2" in str(caught[0].message), caught
        for ask, status in [(lambda: box.runs(host="none"), 404), (lambda: box.rows("/api/v1/audit"), 403),
                            (lambda: Signalbox("https://127.0.0.1:1", "x").hosts(), 0)]:
            try:
                ask()
            except SignalboxError as error:
                assert error.status == status, error
            else:
                raise AssertionError(status)
        print("read")
        """
      let read = try Program.run(
        "/usr/bin/python3", ["-I", "-c", script, site.directory, site.url, responder, site.certificate],
        environment: ["HOME": site.directory, "XDG_CONFIG_HOME": site.directory + "/.config"])
      #expect(read.code == 0 && read.output == "read\n", "\(read)")
      #expect(try site.ask("/metrics").status == 401)
      let metrics = try site.ask("/metrics", token: responder).body
      for line in [
        #"signalbox_fleet_hosts{state="waiting"} 1"#, #"signalbox_fleet_hosts{state="silent"} 0"#,
        #"signalbox_fleet_incidents_open{severity="P1"} 1"#, #"signalbox_fleet_incidents_open{severity="P0"} 0"#,
      ] {
        #expect(metrics.contains(line.replacing(" 1", with: " 1.0").replacing(" 0", with: " 0.0") + "\n"), "\(metrics)")
      }
    }
  }
}
