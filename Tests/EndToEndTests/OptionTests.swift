import FleetModel
import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEndTests {
  /// Every option of every command that answers is asked once, on a real database.
  @Suite(.timeLimit(.minutes(20))) struct Options {
    let database: TestDatabase

    init() throws {
      database = try TestDatabase()
      try FilledDatabase.fill(database)
    }

    private func run(_ words: [String]) throws -> Program.Result {
      try Program.run("signalbox", words, environment: ["SIGNALBOX_DATABASE_URL": database.url.text])
    }

    /// A command, its arguments, and its options with values: each is asked alone, and all together in each format.
    static let commands: [(words: [String], options: [[String]])] = [
      (["fleet", "status"], [["--all"]]),
      (["hosts", "list"], []),
      (["hosts", "show", "trainer-1"], [["--processes"]]),
      (["hosts", "invitations"], [["--all"]]),
      (["runs", "list"], [["--host", "trainer-1"], ["--state", "running"], ["--limit", "5"]]),
      (["runs", "latest"], [["--host", "trainer-1"]]),
      (["runs", "show", "run-a"], [["--host", "trainer-*"], ["--limit", "5"]]),
      (["runs", "why", "run-a"], [["--host", "trainer-1"]]),
      (["runs", "analyze", "run-a"], [["--host", "trainer-1"], ["--large-change", "0.5"]]),
      (["compare", "run-a"], [["--host", "trainer-1"], ["--metric", "reward"], ["--align", "relative"]]),
      (["episodes", "verify"], [["--host", "trainer-*"], ["--run", "run-a"]]),
      (
        ["episodes", "list"],
        [["--host", "trainer-1"], ["--run", "run-a"], ["--status", "running"], ["--limit", "5"]]
      ),
      (
        ["episodes", "check"],
        [["--host", "trainer-1"], ["--run", "run-a"], ["--stale-minutes", "30"], ["--limit", "5"]]
      ),
      (["episodes", "show", "run-a", "1"], [["--host", "trainer-1"]]),
      (
        ["logs"],
        [
          ["--host", "trainer-1"], ["--file", "*.log"], ["--file", "/srv/*.log"], ["--level", "info"],
          ["--since", "1h"], ["--since", "2026-01-01T00:00Z"], ["--until", "2200-01-01T00:00Z"], ["--text", "o"],
          ["--regex", "o.*"], ["--limit", "5"],
        ]
      ),
      (["logs", "--only-level", "info"], [["--limit", "5"]]),
      (["gaps"], [["--host", "trainer-1"], ["--since", "1h"], ["--since", "2026-01-01T00:00Z"]]),
      (
        ["incidents", "list"],
        [
          ["--state", "open"], ["--state", "all"], ["--host", "trainer-1"], ["--rule", "SITE-*"], ["--rule", "*-01"],
          ["--since", "5m"], ["--since", "2026-01-01T00:00Z"], ["--limit", "5"],
        ]
      ),
      (["incidents", "show", "1"], []),
      (["silences", "list"], [["--all"]]),
      (["oncall", "now"], []),
      (["oncall", "overrides"], [["--all"]]),
      (["tokens", "list"], [["--all"]]),
      (["audit"], [["--by", "ann"], ["--action", "access.*"], ["--since", "1h"], ["--limit", "5"]]),
      (["rules", "list", Outputs.root.appending(path: "deploy/rules").path], []),
      (["query", "select 1"], [["--timeout", "20"]]),
      (["query", "--views"], []),
      (["query", "--saved", "of-host", "--param", "host=trainer-1"], [["--timeout", "20"]]),
      (
        ["rules", "replay", Outputs.root.appending(path: "deploy/rules").path, "--since", "1h"],
        [["--until", "1s"], ["--host", "trainer-1"]]
      ),
    ]

    @Test(arguments: commands.indices)
    func everyOptionIsAnswered(_ place: Int) throws {
      let (words, options) = Self.commands[place]
      // A replay in which no rule fired, a fleet without invitations and a run that has not failed have nothing to print, and end with 3.
      // One host has never reported: what is made of reports ends with 5.
      let mayBeEmpty = words[0] == "rules" || ["invitations", "why"].contains(words[1...].first)
      let codes: Set<Int32> = mayBeEmpty ? [0, 3] : [0, 5]
      for option in options {
        let result = try run(words + option + ["--format", "json"])
        #expect(codes.contains(result.code), "\(words + option): \(result.errors)")
        let isEmpty = result.output.trimmingCharacters(in: .whitespacesAndNewlines) == "[]"
        #expect(!isEmpty || codes.contains(3), "\(words + option) finds nothing")
      }
      // Of an option that stands twice, the later one counts.
      for format in ["table", "json", "ndjson", "csv"] {
        let result = try run(words + options.joined() + ["--format", format])
        #expect(codes.contains(result.code), "\(words) \(format): \(result.errors)")
      }
    }

    // MARK: Completeness

    /// Those of every command; and those with which a command goes on until it is stopped.
    private static let shared: Set<String> = [
      "database", "state-dir", "format", "wide", "help", "version", "watch", "follow", "reader-database",
      "context", "allow-missing",
    ]
    /// They ask no database, or are tested where there is what they need.
    private static let others: Set<String> = [
      "paging test", "ca status", "rules metrics", "rules check", "rules test", "rules coverage",
      "rules runbooks", "config check", "login", "contexts list", "contexts use", "contexts remove", "wait", "open",
      "doctor",
    ]
    /// Their output is a text of its own, or none.
    private static let withoutFormat: Set<String> = [
      "demo", "mcp", "rules schema", "config schema", "help", "incidents reply",
    ]

    /// What the program itself says that it takes, so that a new option cannot be left out above.
    @Test func noOptionIsLeftOut() throws {
      let dump = try Outputs.json(run(["--experimental-dump-help"]).output) as? [String: Any]
      var commands: [String: Set<String>] = [:]
      Self.collect(try #require(dump?["command"] as? [String: Any]), [], &commands)
      #expect(commands.count > 15)
      for (name, options) in commands where !options.contains("format") {
        #expect(Self.withoutFormat.contains(name), "signalbox \(name) has no --format")
      }
      let others = Self.others.union(Formats.changes.map(\.name))
      for (name, options) in commands where options.contains("format") && !others.contains(name) {
        let asked = Self.commands.filter { $0.words.joined(separator: " ").hasPrefix(name) }
        #expect(!asked.isEmpty, "signalbox \(name) is not asked")
        let words = Set(asked.flatMap { $0.words + $0.options.joined() })
        for option in options.subtracting(Self.shared) {
          #expect(words.contains("--" + option), "signalbox \(name) --\(option) is not asked")
        }
      }
    }

    private static func collect(_ command: [String: Any], _ path: [String], _ all: inout [String: Set<String>]) {
      let children = command["subcommands"] as? [[String: Any]] ?? []
      for child in children { collect(child, path + [child["commandName"] as? String ?? ""], &all) }
      let arguments = command["arguments"] as? [[String: Any]] ?? []
      let names = arguments.filter { $0["kind"] as? String != "positional" }.flatMap { argument in
        (argument["names"] as? [[String: Any]] ?? []).filter { $0["kind"] as? String == "long" }
          .compactMap { $0["name"] as? String }
      }
      if children.isEmpty { all[path.joined(separator: " ")] = Set(names) }
    }
  }
}
