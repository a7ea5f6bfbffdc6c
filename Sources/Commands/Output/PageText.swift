internal import Answers

/// Lines of a page for people: wrapped to the terminal, in sections below a title.
struct PageText {
  /// nil: lines are as long as they are.
  let width: Int?

  /// - Returns: nothing where there are no items.
  func section(_ title: String, _ items: [String], isNumbered: Bool = false) -> [String] {
    if items.isEmpty { return [] }
    return ["", title + ":"]
      + items.enumerated().flatMap { index, item in
        // Evidence of several lines, such as a traceback, keeps its lines and their indentation.
        item.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
          .flatMap { number, line in
            let mark = isNumbered && number == 0 ? "\(index + 1). " : number == 0 ? "" : "  "
            return wrapped(mark + Self.shown(String(Substring(line))), indent: 2)
          }
      }
  }

  /// Go and Java indent what belongs to a line with tabs.
  private static func shown(_ line: String) -> String {
    let start = line.utf8.prefix { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
    let indent = start.reduce(into: "") { $0 += $1 == UInt8(ascii: "\t") ? "    " : " " }
    return indent + Escaping.visible(String(line.dropFirst(start.count)))
  }

  func wrapped(_ text: String, indent: Int) -> [String] {
    let space = String(repeating: " ", count: indent)
    guard let width else { return [space + text] }
    return TableLayout.wrapped(text, to: max(20, width - indent)).map { space + $0 }
  }
}
