internal import Answers
internal import FleetModel
internal import Incidents
internal import Store

/// One incident for the person who was woken: what and where, since when, who has it, what to do, and only then the rest.
struct IncidentView {
  private let incident: IncidentDetails

  init(_ incident: IncidentDetails) { self.incident = incident }

  var title: String { "\(text("severity")) \(text("title").isEmpty ? text("rule") : text("title"))" }

  /// What the first screen of a phone shows.
  func head(for caller: Caller?) -> [Page.Block] {
    let number = text("id")
    var blocks: [Page.Block] = text("summary").isEmpty ? [] : [.text(PlainText.line(text("summary")))]
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
    if !incident.steps.isEmpty { blocks += [.heading("Steps"), .items(incident.steps, isNumbered: true)] }
    if !text("runbook").isEmpty {
      let isAddress = text("runbook").contains("://")
      blocks.append(
        isAddress
          ? .text("Runbook: \(text("runbook"))")
          : .links([("Runbook of \(text("rule"))", path: "/rules/\(PercentEncoding.pathPart(text("rule")))")]))
    }
    if !incident.evidence.isEmpty { blocks += [.heading("Evidence"), .quoted(incident.evidence)] }
    if !incident.causes.isEmpty { blocks += [.heading("Likely causes"), .items(incident.causes, isNumbered: false)] }
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
    case IncidentState.acked.rawValue: "\(text("acked_by")) has it, open since \(incident.moment("opened"))"
    case IncidentState.resolved.rawValue:
      "resolved \(incident.moment("resolved")), was open since \(incident.moment("opened"))"
    case IncidentState.muted.rawValue: "muted, open since \(incident.moment("opened"))"
    case let word: "\(word) since \(incident.moment("opened"))"
    }
  }

  private var place: String { [text("host"), text("entity")].filter { !$0.isEmpty }.joined(separator: " ") }

  private func text(_ name: String) -> String { incident.text(name) }
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
