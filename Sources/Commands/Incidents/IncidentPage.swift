internal import Answers
internal import FleetModel
internal import Store

/// One incident for people: what and where in the first line, then since when, why, and what to do, each on lines of its own.
struct IncidentPage {
  private let details: IncidentDetails
  /// nil: lines are as long as they are.
  private let width: Int?

  init(_ details: IncidentDetails, width: Int?) {
    self.details = details
    self.width = width
  }

  var text: String {
    var head = [[text("severity"), text("rule"), text("state"), place].filter { !$0.isEmpty }.joined(separator: "  ")]
    head.append(text("summary"))
    head += ["", "Incident \(text("id")), opened \(details.moment("opened"))" + flapping]
    if !text("acked_by").isEmpty { head.append("Acknowledged by \(text("acked_by"))") }
    if !text("resolved").isEmpty { head.append("Resolved \(details.moment("resolved"))") }
    if !text("muted_by").isEmpty { head.append("Muted by \(text("muted_by"))") }
    if !text("part_of").isEmpty { head.append("Part of incident \(text("part_of"))") }
    if details.values["is_observed"] == .boolean(true) { head.append("Only observed: it is not paged") }
    var lines = head.flatMap { wrapped($0, indent: 0) }
    lines += section("Evidence", details.evidence, isNumbered: false)
    lines += section("Likely causes", details.causes, isNumbered: false)
    lines += section("Steps", details.steps, isNumbered: true)
    if !text("runbook").isEmpty { lines += [""] + wrapped("Runbook: \(text("runbook"))", indent: 0) }
    return lines.map { $0 + "\n" }.joined()
  }

  private var place: String {
    [text("host"), text("entity")].filter { !$0.isEmpty }.joined(separator: "  ")
  }

  private var flapping: String {
    guard case .integer(let count)? = details.values["flaps"], count > 0 else { return "" }
    return ", came back \(count) time\(count == 1 ? "" : "s")"
  }

  private func text(_ name: String) -> String { Escaping.visible(details.text(name)) }

  private func section(_ title: String, _ items: [String], isNumbered: Bool) -> [String] {
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

  private func wrapped(_ text: String, indent: Int) -> [String] {
    let space = String(repeating: " ", count: indent)
    guard let width else { return [space + text] }
    return TableLayout.wrapped(text, to: max(20, width - indent)).map { space + $0 }
  }
}
