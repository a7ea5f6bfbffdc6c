internal import Answers
internal import FleetModel

/// Text as Markdown: for terminals, and for assistants.
enum Markdown {
  static func text(_ page: Page, nowNs: Int64) -> String {
    var parts = ["# \(line(page.title))"]
    for block in page.blocks {
      switch block {
      case .heading(let text): parts.append("## \(line(text))")
      case .text(let text): parts.append(line(text))
      case .done(let text), .notice(let text): parts.append("**\(line(text))**")
      case .table(_, let answer, _, let empty):
        parts.append(answer.rows.isEmpty ? line(empty) : table(answer, page.agesNs(nowNs)))
      case .items(let items, let isNumbered):
        parts.append(
          items.enumerated().map { (isNumbered ? "\($0 + 1). " : "- ") + line($1) }.joined(separator: "\n"))
      case .quoted(let texts): parts += texts.map(fenced)
      case .charts(let charts), .stack(let charts):
        parts.append(charts.map { "- \(line($0.title)): \(line($0.sentence))" }.joined(separator: "\n"))
      case .links(let links):
        parts.append(links.map { "- \(line($0.name)): \(line($0.path))" }.joined(separator: "\n"))
      // What changes something is done with a command, not by a text.
      case .form, .search, .choices: break
      case .map(let map): parts.append(line(map.sentence))
      case .parallel(let chart): parts.append(line(chart.sentence))
      }
    }
    parts.append("As of \(Timestamp.text(nowNs, digits: 0)).")
    if let command = page.command { parts.append("In a terminal: `\(command)`") }
    return parts.joined(separator: "\n\n") + "\n"
  }

  static func table(_ answer: Answer, _ nowNs: Int64) -> String {
    let shown = answer.columns.indices.filter { answer.columns[$0].title != nil }
    let renderer = Renderer(format: .table, nowNs: nowNs)
    let row = { (cells: [String]) in "| " + cells.joined(separator: " | ") + " |" }
    return
      ([row(shown.map { line(answer.columns[$0].title ?? "") }), row(shown.map { _ in "---" })]
      + answer.rows.map { values in row(shown.map { line(renderer.shortText(values[$0], answer.columns[$0].unit)) }) })
      .joined(separator: "\n")
  }

  /// One line in which no character is markup.
  private static func line(_ text: String) -> String {
    var shown = ""
    for scalar in PlainText.visible(PlainText.line(text)).unicodeScalars {
      if "\\`*_[]<>|#".unicodeScalars.contains(scalar) { shown += "\\" }
      shown.unicodeScalars.append(scalar)
    }
    return shown
  }

  /// Text of logs between fences that are longer than any in it.
  private static func fenced(_ text: String) -> String {
    let longest = text.split { $0 != "`" }.map(\.count).max() ?? 0
    let fence = String(repeating: "`", count: max(3, longest + 1))
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { PlainText.visible(String($0)) }
    return ([fence + "text"] + lines + [fence]).joined(separator: "\n")
  }
}
