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
        // Of an option that stands twice, the later one counts.
        for (more, format) in [([], "table"), (options.flatMap(\.self), "json")] {
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
      let query = try site.byConsole(["query", "select 1"])
      #expect(query.code == 2 && query.errors.contains("--database URL"), "\(query)")
      for (words, sentence) in [
        (["runs", "list", "--host", "trainer-9"], "no host is called 'trainer-9'; did you mean"),
        (["gaps", "--host", "none"], "no host is called 'none'"), (["incidents", "show", "999"], "no incident"),
        (["hosts", "show", "none"], "no host is called 'none'"),
      ] {
        for result in [try site.byConsole(words), try site.byDatabase(words)] {
          #expect(result.code == 3 && result.errors.contains(sentence), "\(words): \(result)")
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
        (["login", site.url, "--ca", "/nonexistent"], viewer, 4, "trusted authorities"),
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
      #expect(try site.byConsole(words + ["--cron", "0 2 * * 0"]).errors.contains("a console takes no --cron"))
      let added = try site.byConsole(words)
      let silence = added.output.trimmingCharacters(in: .newlines)
      #expect(added.code == 0 && Int(silence) != nil && added.errors.contains("Silence \(silence) mutes"), "\(added)")
      #expect(try site.byConsole(["silences", "end", silence]).code == 0)
      #expect(try site.byConsole(["silences", "end", silence]).code == 3)
    }

    /// All lines over several pages are those of the database, in its order.
    @Test func logsComeInPages() throws {
      site.tearDown()
      let database = try TestDatabase()
      try Store.open(database.url, migrating: true).close()
      let connection = try database.connect()
      defer { connection.close() }
      try FilledTables.lines(12_000, nowUs: Int64(Date().timeIntervalSince1970) * 1_000_000, on: connection)
      let site = try ConsoleOnDatabase(database.url)
      defer { site.tearDown() }
      let viewer = try site.token("reads", "viewer")
      #expect(try site.login(viewer).code == 0)
      for more in [[], ["--limit", "7"], ["--host", "quiet", "--host", "node-00002", "--text", "7"]] {
        let words = ["logs", "--since", "2d", "--format", "ndjson", "--allow-missing"] + more
        let (console, direct) = (try site.byConsole(words), try site.byDatabase(words))
        #expect(console.code == 0 && (!more.isEmpty || direct.output.split(separator: "\n").count > 10_000), "\(console)")
        #expect(console.output == direct.output, "\(more)")
      }
      for cursor in ["x", "MjAyNg", "e30", "JyB8IHwgfCA"] {
        #expect(try site.ask("/api/v1/logs/pages?cursor=\(cursor)", token: viewer).status == 400, "\(cursor)")
      }
    }

    // MARK: Hosts that are missing

    /// The exit code says that an answer is not whole, over both ways, and only of the hosts that were asked about.
    @Test func anAnswerThatLacksHostsEndsWithFive() throws {
      defer { site.tearDown() }
      #expect(try site.login(site.token("reads", "viewer")).code == 0)
      let connection = try database.connect()
      defer { connection.close() }
      let hour = "update signalbox.epochs set last_seen = now() + interval '1 hour'"
      try connection.execute(hour)
      let commands = [
        ["fleet", "status"], ["runs", "list"], ["runs", "show", "run-a"], ["episodes", "list"], ["logs"], ["gaps"],
        ["hosts", "show", "trainer-1"], ["episodes", "check"],
      ]
      func codes(_ words: [String]) throws -> [Int32] {
        try [site.byConsole(words), site.byDatabase(words)].map { result in
          #expect((result.code == 5) == result.errors.contains("hosts are missing from this answer: "), "\(result)")
          return result.code
        }
      }
      for words in commands { #expect(try codes(words) == [0, 0], "\(words)") }
      try connection.execute(
        hour + "; update signalbox.epochs set last_seen = now() - interval '1 hour' where host = "
          + "(select number from signalbox.hosts where name = 'trainer-1')")
      for words in commands {
        #expect(try codes(words) == [5, 5], "\(words)")
        #expect(try codes(words + ["--allow-missing"]) == [0, 0], "\(words)")
      }
      let named = try site.byConsole(["fleet", "status", "--format", "json"])
      #expect(named.errors.contains("silent: trainer-1;") && named.output.hasPrefix("["), "\(named)")
      // "Nothing was found" of hosts that do not report is no finding.
      #expect(try codes(["logs", "--text", "there is no such line"]) == [5, 5])
      #expect(try codes(["logs", "--text", "there is no such line", "--allow-missing"]) == [3, 3])
      // What is kept by the collector is whole without the host.
      for words in [["incidents", "list"], ["silences", "list"], ["hosts", "list"], ["oncall", "now"]] {
        #expect(try codes(words) == [0, 0], "\(words)")
      }
      #expect(try codes(["wait", "hosts/trainer-1", "--for", "live", "--timeout", "1s"]).count == 2)
    }
  }
}
