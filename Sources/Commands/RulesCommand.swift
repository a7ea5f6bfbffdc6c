internal import Answers
internal import FleetModel
internal import ArgumentParser
internal import Files
internal import RuleFiles
internal import Rules

struct RulesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules",
    abstract: "Troubleshooting rules: check, test, replay and list them. Only replay needs a database.",
    subcommands: [
      Check.self, Test.self, Replay.self, List.self, Metrics.self, Schema.self, Coverage.self, Runbooks.self,
    ])

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check",
      abstract: "Prints what is wrong in rule files.",
      discussion: """
        Ends with 0 where all is right, else with 1. Rules may name the shipped ones; signalbox config check knows whether these run \
        beside them.
        """)
    @Argument(help: "Rule files, or directories of them.") var files: [String]
    @OptionGroup var output: OutputOptions

    func run() throws {
      let (set, mistakes) = RuleDirectory.rules(files, beside: RuleDirectory.shippedIDs())
      try output.print(mistakes, orSay: "\(set.rules.count) rules, no mistakes")
    }
  }

  struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "test",
      abstract: "Runs the cases in DIR/tests through the rules in DIR.",
      discussion: "Each case gives series and log lines over time and says which incidents must come of them.")
    @Argument(help: "Directory of rules.") var directory: String
    @OptionGroup var output: OutputOptions

    func run() throws {
      let (set, wrongRules) = RuleDirectory.rules([directory], beside: RuleDirectory.shippedIDs())
      let (cases, wrongCases) = RuleDirectory.cases(directory)
      let mistakes = wrongRules + wrongCases + RuleCase.unknownRules(cases, in: set)
      if !mistakes.isEmpty { try output.print(mistakes.inOrderOfLines, orSay: "") }
      let results = cases.map { ($0, $0.run(set)) }
      let failed = results.count { !$0.1.isEmpty }
      if output.format == .table {
        for (test, wrong) in results where !wrong.isEmpty {
          let place = "\(test.file):\(test.line): \(test.name)"
          for sentence in wrong {
            try StandardStream.output.write(Escaping.visible("FAIL \(place): \(sentence)") + "\n")
          }
        }
        try StandardStream.output.write("\(results.count - failed) passed, \(failed) failed\n")
      } else {
        try output.print(Self.answer(results))
      }
      if failed > 0 { throw CommandFailure(.failed, "\(failed) of \(results.count) cases failed") }
    }

    private static func answer(_ results: [(RuleCase, [String])]) -> Answer {
      Answer(
        columns: [.init("case"), .init("rule"), .init("file"), .init("line"), .init("passed"), .init("mistakes")],
        rows: results.map { test, wrong in
          [
            .text(test.name), .text(test.rule), .text(test.file), .integer(Int64(test.line)), .boolean(wrong.isEmpty),
            .list(wrong.map { .text($0) }),
          ]
        })
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "One row a rule: of files, or of what the collectors run.")
    @Argument(help: "Rule files, or directories of them; without, the rules that run.") var files: [String] = []
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      if files.isEmpty {
        return try output.print(
          database.source(output).answer(.rules, ShownColumns.rules),
          orSay: "no collector has published its rules yet")
      }
      let set = try RuleSource.rules(files)
      let answer = Answer(
        columns: [
          .init("id", "ID", rank: 0, least: 12), .init("severity", "SEV", rank: 1),
          .init("observe", "OBSERVE", rank: 3), .init("scope", "SCOPE", rank: 4),
          .init("title", "TITLE", rank: 2, least: 20), .init("causes"), .init("steps"), .init("mutes"), .init("source"),
          .init("file"),
          .init("line"),
        ],
        rows: set.rules.map { rule in
          [
            .text(rule.id), .text(rule.severity.word), .boolean(rule.observe), .text(rule.scope.word),
            .text(rule.title), .list(rule.causes.map { .text($0) }), .list(rule.steps.map { .text($0) }),
            .list(rule.mutes.map { .text($0) }), .text(rule.source), .text(rule.file), .integer(Int64(rule.line)),
          ]
        })
      try output.print(answer, orSay: "no rules")
    }
  }

  struct Metrics: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "metrics", abstract: "The numbers that conditions can ask for.")
    @OptionGroup var output: OutputOptions

    func run() throws {
      try output.print(
        Answer(
          columns: [
            .init("name", "NAME", rank: 0, least: 18), .init("of", "OF", rank: 3), .init("unit", "UNIT", rank: 2),
            .init("doc", "WHAT IT IS", rank: 1, least: 20),
          ],
          rows: MetricCatalogue.all.map {
            [.text($0.name), .text($0.kind.word), .text($0.unit.rawValue), .text($0.doc)]
          }))
    }
  }

  struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "schema",
      abstract: "The JSON Schema of rule files, for editors.",
      discussion: "In an editor with a YAML language server: # yaml-language-server: $schema=rules.schema.json")

    func run() throws { try StandardStream.output.write(RuleSchema.text()) }
  }
}
