internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import RuleFiles
internal import Rules

extension RulesCommand {
  fileprivate static func pack(_ directory: String) throws -> RulePack {
    do {
      return try RulePack(directory)
    } catch {
      throw CommandFailure(.failed, Escaping.visible(error.description))
    }
  }

  struct Coverage: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "coverage",
      abstract: "Which rule and which cases cover each row of the catalogue.",
      discussion: "The catalogue is DIR/catalogue/rows.yaml. Ends with 1 where a cell is empty.")
    @Argument(help: "Directory of rules.") var directory: String
    @Flag(help: "The whole page in Markdown, with what each operations document asks for.") var page = false
    @OptionGroup var output: OutputOptions

    func run() throws {
      let pack = try RulesCommand.pack(directory)
      let coverage = RuleCoverage.of(pack.catalogue, pack.set, pack.cases)
      if page {
        try StandardStream.output.write(RuleCoverage.page(pack.catalogue, coverage))
      } else {
        try output.print(Self.answer(coverage))
      }
      let empty = coverage.filter { !$0.isComplete }
      let seeds = RuleCoverage.open(pack.catalogue, coverage).filter { !$0.missing.isEmpty }
      if let first = empty.first {
        throw CommandFailure(.failed, "\(empty.count) rows have an empty cell, the first is \(first.row) \(first.rule)")
      }
      if let first = seeds.first {
        throw CommandFailure(
          .failed, "\(first.seed) asks for \(first.missing.joined(separator: ", ")), which nothing covers")
      }
    }

    private static func answer(_ coverage: [RuleCoverage]) -> Answer {
      Answer(
        columns: [
          .init("row", "ROW", rank: 0), .init("symptom", "SYMPTOM", rank: 2, least: 16),
          .init("rule", "RULE", rank: 1, least: 12), .init("severity", "SEV", rank: 3),
          .init("observe", "OBSERVE", rank: 7), .init("file", "FILE", rank: 6),
          .init("fires", "FIRES", rank: 4, least: 14),
          .init("near_miss", "NEAR MISS", rank: 5, least: 14),
        ],
        rows: coverage.map {
          [
            .text($0.row), .text($0.symptom), .text($0.rule), .text($0.severity), .boolean($0.isObserved),
            .text($0.place), .text($0.fires), .text($0.nearMiss),
          ]
        })
    }
  }

  struct Runbooks: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "runbooks",
      abstract: "Writes a page for each rule.",
      discussion: "Pages of rules that are gone are left where they are, and named.")
    @Argument(help: "Directory of rules.") var directory: String
    @Option(help: "Directory of the pages.") var into: String
    @OptionGroup var output: OutputOptions

    func run() throws {
      let pack = try RulesCommand.pack(directory)
      var written: Set<String> = []
      do {
        try HostFiles.makeDirectory(into, mode: 0o755)
        for (name, text) in pack.pages {
          try HostFiles.replace(into + "/" + name, with: Array(text.utf8), mode: 0o644)
          written.insert(name)
        }
      } catch {
        throw CommandFailure(.failed, "\(into): \(error)")
      }
      let left = ((try? HostFiles.list(into)) ?? []).filter { $0.hasSuffix(".md") && !written.contains($0) }.sorted()
      if output.format != .table {
        return try output.print(
          Answer(
            columns: [.init("page"), .init("state")],
            rows: pack.pages.map { [.text($0.name), .text("written")] } + left.map { [.text($0), .text("of_no_rule")] })
        )
      }
      try StandardStream.output.write("\(written.count) pages in \(into)\n")
      if !left.isEmpty {
        try StandardStream.output.write("of no rule: \(left.map(Escaping.visible).joined(separator: ", "))\n")
      }
    }
  }
}
