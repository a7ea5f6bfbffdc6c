internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Store

extension RunsCommand {
  struct Why: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "why",
      abstract: "Why a run failed, and what to do.",
      discussion: """
        The class of the failure, the line that shows it, how its process ended, what the kernel and the devices said, and how far the run had
        come. A class is what the evidence fits best; 'unknown' is said where none does.
        """)
    @Argument(help: "The run: its id or its name.") var name: String
    @OptionGroup var host: HostFilter
    @OptionGroup var database: DatabaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var completeness: CompletenessOptions

    func run() throws {
      let source = try database.source(output)
      try source.requireHosts([host.pattern])
      let run = try source.run(name, host: host.pattern)
      try completeness.check(source, run.hosts) {
        guard let number = run.ids.first else { return try output.print(run, orSay: RunName.nothing(name)) }
        let answer = try source.answer(.why(number))
        guard output.format == .table, !answer.rows.isEmpty else {
          return try output.print(answer, orSay: "no failure of '\(name)' is known")
        }
        try StandardStream.output.write(FailurePage(answer, width: output.width).text)
      }
    }
  }
}

/// A failure for people: what, where and how in the first lines, then the evidence and the steps.
struct FailurePage {
  private let answer: Answer
  private let width: Int?

  init(_ answer: Answer, width: Int?) {
    self.answer = answer
    self.width = width
  }

  var text: String {
    var lines = wrapped("\(text("title")) (\(text("class")))", indent: 0)
    let rank = text("rank").isEmpty ? "" : ", rank \(text("rank"))"
    lines += wrapped(
      "\(text("severity")), incident \(text("incident")), on \(text("host"))\(rank), \(text("opened"))", indent: 0)
    if text("kind") == "cascade" {
      lines += wrapped(
        "This follows from another failure, which was not found: look at the other ranks and hosts.", indent: 0)
    }
    lines += section("Line", [text("file"), text("line")].filter { !$0.isEmpty })
    lines += section("Evidence", Answer.texts(list: answer.value("evidence")))
    if let more = Int(text("cascade")), more > 0 {
      lines += section("Beside it", ["\(more) further raised \(more == 1 ? "line" : "lines") of the same crash"])
    }
    let progress = [("last step", "last_step"), ("last checkpoint", "last_checkpoint")].compactMap { label, column in
      text(column).isEmpty ? nil : "\(label): \(text(column))"
    }
    lines += section("How far it had come", progress.isEmpty ? ["not known"] : progress)
    lines += section("Likely causes", Answer.texts(list: answer.value("causes")))
    let steps = Answer.texts(list: answer.value("steps")).enumerated().map { "\($0.offset + 1). \($0.element)" }
    lines += section("Steps", steps)
    return lines.map { $0 + "\n" }.joined()
  }

  private func text(_ column: String) -> String {
    Escaping.visible(answer.value(column)?.words ?? "")
  }

  private func section(_ title: String, _ items: [String]) -> [String] {
    if items.isEmpty { return [] }
    return ["", title + ":"]
      + items.flatMap { item in
        item.split(separator: "\n", omittingEmptySubsequences: false).flatMap {
          wrapped(Escaping.visible(String($0)), indent: 2)
        }
      }
  }

  private func wrapped(_ text: String, indent: Int) -> [String] {
    let space = String(repeating: " ", count: indent)
    guard let width else { return [space + text] }
    return TableLayout.wrapped(text, to: max(20, width - indent)).map { space + $0 }
  }
}
