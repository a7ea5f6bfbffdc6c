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
  private let page: PageText

  init(_ answer: Answer, width: Int?) {
    self.answer = answer
    page = PageText(width: width)
  }

  var text: String {
    let rank = text("rank").isEmpty ? "" : ", rank \(text("rank"))"
    var head = [
      "\(text("title")) (\(text("class")))",
      "\(text("severity")), incident \(text("incident")), on \(text("host"))\(rank), \(text("opened"))",
    ]
    if text("kind") == "cascade" {
      head.append("This follows from another failure, which was not found: look at the other ranks and hosts.")
    }
    var lines = head.flatMap { page.wrapped($0, indent: 0) }
    lines += page.section("Line", [raw("file"), raw("line")].filter { !$0.isEmpty })
    lines += page.section("Evidence", Answer.texts(list: answer.value("evidence")))
    if let more = Int(raw("cascade")), more > 0 {
      lines += page.section(
        "Beside it", ["\(more) further raised \(more == 1 ? "line" : "lines") of the same crash"])
    }
    let progress = [("last step", "last_step"), ("last checkpoint", "last_checkpoint")].compactMap { label, column in
      raw(column).isEmpty ? nil : "\(label): \(raw(column))"
    }
    lines += page.section("How far it had come", progress.isEmpty ? ["not known"] : progress)
    lines += page.section("Likely causes", Answer.texts(list: answer.value("causes")))
    lines += page.section("Steps", Answer.texts(list: answer.value("steps")), isNumbered: true)
    return lines.map { $0 + "\n" }.joined()
  }

  /// As it is stored: a section escapes it line by line.
  private func raw(_ column: String) -> String { answer.value(column)?.words ?? "" }

  private func text(_ column: String) -> String { Escaping.visible(raw(column)) }
}
