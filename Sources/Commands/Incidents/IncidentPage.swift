internal import Answers
internal import FleetModel
internal import Store

/// One incident for people: what and where in the first line, then since when, why, and what to do, each on lines of its own.
struct IncidentPage {
  private let details: IncidentDetails
  private let page: PageText

  init(_ details: IncidentDetails, width: Int?) {
    self.details = details
    page = PageText(width: width)
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
    var lines = head.flatMap { page.wrapped($0, indent: 0) }
    lines += page.section("Evidence", details.evidence)
    lines += page.section("Likely causes", details.causes)
    lines += page.section("Steps", details.steps, isNumbered: true)
    if !text("runbook").isEmpty { lines += [""] + page.wrapped("Runbook: \(text("runbook"))", indent: 0) }
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
}
