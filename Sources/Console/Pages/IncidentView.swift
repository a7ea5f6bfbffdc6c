internal import Answers
internal import FleetModel
internal import Incidents
internal import Store

/// One incident for the person who was woken: what and where, since when, who has it, what to do, and only then the rest.
struct IncidentView {
  private let values: [String: Cell]
  private let texts: Answer
  private let nowNs: Int64

  init(columns: [Answer.Column], row: [Cell], texts: Answer, nowNs: Int64) {
    values = Dictionary(zip(columns.map(\.name), row)) { first, _ in first }
    self.texts = texts
    self.nowNs = nowNs
  }

  var title: String { "\(text("severity")) \(text("title").isEmpty ? text("rule") : text("title"))" }

  /// What the first screen of a phone shows.
  func head(for caller: Caller?) -> [Page.Block] {
    let number = text("id")
    var blocks: [Page.Block] = text("summary").isEmpty ? [] : [.text(text("summary"))]
    blocks += [
      .text([state, place, "rule \(text("rule")), incident \(number)"].filter { !$0.isEmpty }.joined(separator: " · "))
    ]
    if !text("muted_by").isEmpty { blocks.append(.text("Muted by \(text("muted_by")).")) }
    if !text("part_of").isEmpty { blocks.append(.text("Part of incident \(text("part_of")).")) }
    guard let caller, text("state") != IncidentState.resolved.rawValue else { return blocks }
    guard caller.role >= .responder else {
      return blocks + [.text("Your role, \(caller.role.rawValue), reads only: a responder can take it.")]
    }
    if text("state") != IncidentState.acked.rawValue {
      blocks.append(.form(.init(path: "/api/v1/incidents/\(number)/ack", button: "I have it", isMain: true)))
    }
    return blocks + [.form(.init(path: "/api/v1/incidents/\(number)/resolve", button: "Resolve"))]
  }

  /// Evidence, causes, steps.
  var details: [Page.Block] {
    var blocks: [Page.Block] = []
    let steps = lines("step")
    if !steps.isEmpty { blocks += [.heading("Steps"), .items(steps, isNumbered: true)] }
    if !text("runbook").isEmpty { blocks.append(.text("Runbook: \(text("runbook"))")) }
    let evidence = lines("evidence")
    if !evidence.isEmpty { blocks += [.heading("Evidence"), .quoted(evidence)] }
    let causes = lines("cause")
    if !causes.isEmpty { blocks += [.heading("Likely causes"), .items(causes, isNumbered: false)] }
    return blocks
  }

  /// What a responder does besides taking it.
  var forms: [Page.Block] {
    let number = text("id")
    var blocks: [Page.Block] = [
      .heading("Note or silence it"),
      .form(
        .init(
          path: "/api/v1/incidents/\(number)/note", button: "Note",
          inputs: [.init(name: "text", label: "A line for the timeline")])),
    ]
    if text("state") != IncidentState.resolved.rawValue {
      let silenced = ["rule", "host", "entity"].filter { !text($0).isEmpty }.map { name in
        Page.Form.Input(name: name, label: "", value: text(name), isHidden: true)
      }
      blocks.append(
        .form(
          .init(
            path: "/api/v1/silences", button: "Silence this rule here",
            inputs: silenced + [.init(name: "for", label: "For", value: "1h"), .init(name: "reason", label: "Why")])))
    }
    return blocks
  }

  private var state: String {
    switch text("state") {
    case IncidentState.acked.rawValue: "\(text("acked_by")) has it, open since \(moment("opened"))"
    case IncidentState.resolved.rawValue: "resolved \(moment("resolved")), was open since \(moment("opened"))"
    case let word: "\(word) since \(moment("opened"))"
    }
  }

  private var place: String { [text("host"), text("entity")].filter { !$0.isEmpty }.joined(separator: " ") }

  private func text(_ name: String) -> String {
    switch values[name] {
    case .text(let text): text
    case .integer(let number): String(number)
    default: ""
    }
  }

  private func moment(_ name: String) -> String {
    guard case .time(let ns)? = values[name] else { return "" }
    return "\(Timestamp.text(ns, digits: 0)) (\(TimeSpan.age(nowNs.subtractingClamped(ns))) ago)"
  }

  private func lines(_ kind: String) -> [String] {
    texts.rows.compactMap { row in
      if row.first == .text(kind), case .text(let text)? = row.last { text } else { nil }
    }
  }
}

/// A word of a command that is shown to be copied.
enum ShellWord {
  static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty
      && word.utf8.allSatisfy { byte in
        byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") || byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
          || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") || "-._/:".utf8.contains(byte)
      }
    return isPlain
      ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
