internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store

extension RouteTable {
  static let rules: [Route] = [
    Route(
      method: .get, path: "/rules", role: .viewer, summary: "The rules that run, with their runbooks.", shape: .page
    ) { question in
      let rules = try await question.database.answer(RuleQueries.list(), ShownColumns.rules)
      return .page(
        Page(
          title: "Rules",
          blocks: [
            .table(
              name: "rules", rules, links: [.init(column: "rule", path: "/rules/")],
              empty: "No collector has published its rules yet.")
          ], command: "signalbox rules list"))
    },
    Route(
      method: .get, path: "/api/v1/rules", role: .viewer, summary: "The rules that run, with their open incidents.",
      shape: .list
    ) { question in .list(try await question.database.answer(RuleQueries.list(), ShownColumns.rules)) },
    Route(
      method: .get, path: "/rules/{rule}", role: .viewer, summary: "The runbook of a rule.",
      parameters: [.init("rule", .path, .text, "Its id.", example: "GPU-07")], shape: .page
    ) { question in
      let rule = question["rule"] ?? ""
      let answers = try await question.database.answers([
        (RuleQueries.page(of: rule), []),
        (
          IncidentQueries.list(state: nil, host: nil, rule: rule, sinceNs: nil, limit: openShownMax),
          ShownColumns.incidents
        ),
      ])
      guard case .text(let text)? = answers[0].value("page"), case .text(let title)? = answers[0].value("title") else {
        throw Problem(.notFound, "no collector runs a rule called '\(rule)'; /rules lists those that run")
      }
      return .page(
        Page(
          title: "\(rule): \(title)",
          blocks: [.table(name: "incidents", answers[1], links: [toIncident], empty: "No incident of it is open.")]
            + RunbookText.blocks(text), command: "signalbox incidents list --rule \(ShellWord.quoted(rule))"))
    },
  ]

  private static let openShownMax = 20
}

/// A runbook's Markdown as blocks of a page: the forms that `Runbook` writes, every other line is text.
enum RunbookText {
  static func blocks(_ text: String) -> [Page.Block] {
    var reader = Reader()
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) { reader.read(line) }
    reader.endParagraph()
    return reader.blocks
  }

  private struct Reader {
    var blocks: [Page.Block] = []
    private var items: [String] = []
    private var isNumbered = false
    private var words: [Substring] = []
    /// Lines between fences; nil outside of them.
    private var code: [Substring]?

    mutating func read(_ line: Substring) {
      if line.hasPrefix("```") { return fence() }
      if code != nil {
        code?.append(line)
      } else if let item = Self.item(line) {
        if item.isNumbered != isNumbered || items.isEmpty { endParagraph() }
        isNumbered = item.isNumbered
        items.append(Self.plain(item.text))
      } else if line.hasPrefix("## ") {
        endParagraph()
        blocks.append(.heading(Self.plain(line.dropFirst(3))))
      } else if line.isEmpty || line.hasPrefix("# ") {
        // The first heading is the page's title.
        endParagraph()
      } else {
        if !items.isEmpty { endParagraph() }
        words.append(line)
      }
    }

    mutating func endParagraph() {
      if !items.isEmpty { blocks.append(.items(items, isNumbered: isNumbered)) }
      if !words.isEmpty { blocks.append(.text(Self.plain(Substring(words.joined(separator: " "))))) }
      if let code, !code.isEmpty { blocks.append(.quoted([code.joined(separator: "\n")])) }
      (items, words, code) = ([], [], nil)
    }

    private mutating func fence() {
      let isEnd = code != nil
      endParagraph()
      if !isEnd { code = [] }
    }

    /// A line that begins with `- `, or with a number and `. `.
    private static func item(_ line: Substring) -> (isNumbered: Bool, text: Substring)? {
      if line.hasPrefix("- ") { return (false, line.dropFirst(2)) }
      let rest = line.drop { ("0"..."9").contains($0) }
      return rest.count < line.count && rest.hasPrefix(". ") ? (true, rest.dropFirst(2)) : nil
    }

    /// Without the marks of code within a line.
    private static func plain(_ text: Substring) -> String { text.filter { $0 != "`" } }
  }
}
