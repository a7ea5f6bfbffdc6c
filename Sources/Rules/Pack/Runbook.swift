package import FleetModel

/// A rule as a page for the person who is paged by it.
package enum Runbook {
  /// - Parameters:
  ///   - set: in which the rule stands: who mutes it, what it asks about.
  ///   - cases: of all rules.
  ///   - symptom: of its row of the catalogue; empty where it has none.
  package static func page(_ rule: Rule, in set: RuleSet, cases: [RuleCase], symptom: String) -> String {
    var text = "# \(rule.id): \(rule.title)\n\n"
    text += "\(rule.severity.word): \(answerTime(rule.severity))"
    text += rule.observe ? " It only observes: its incidents are shown and page nobody.\n" : "\n"
    text += "\n## What it means\n\n"
    text += (symptom.isEmpty ? rule.title : symptom.prefix(1).uppercased() + symptom.dropFirst()) + ". "
    text += about(rule) + "\n"
    text += list("Likely causes", rule.causes, numbered: false)
    text += list("What to do", rule.steps.map(filled), numbered: true)
    text += list("What is attached", rule.evidence.map(words), numbered: false)
    text += "\n## How it is measured\n\n"
    if !rule.needs.isEmpty { text += "Needs: \(rule.needs)\n\n" }
    text += "```yaml\n\(rule.definition)```\n"
    text += metrics(rule)
    text += mutes(rule, set)
    text += list("Cases", cases.filter { $0.rule == rule.id }.map(words), numbered: false)
    text += "\n## Where it comes from\n\n\(rule.source). Defined in `\(rule.file):\(rule.line)`.\n"
    return text
  }

  /// A page of what a collector finds about itself.
  package static func page(_ own: OwnRule.Runbook) -> String {
    "# \(own.id): \(own.title)\n\n\(own.severity.word): \(answerTime(own.severity))\n\n## What it means\n\n\(own.meaning)\n"
      + list("Likely causes", own.causes, numbered: false) + list("What to do", own.steps, numbered: true)
      + "\n## How it is measured\n\n\(own.measured) No rule of a file: it cannot be changed, and a silence mutes it.\n"
  }

  /// The list of all pages.
  package static func index(_ set: RuleSet) -> String {
    var text = """
      # Runbooks

      One page a rule, made from the rules by `signalbox rules runbooks deploy/rules --into docs/runbooks`; do not edit. `\(OwnRule.prefix)…` is
      what a collector finds about itself.

      | rule | severity | title |
      |---|---|---|

      """
    for rule in set.rules.sorted(by: { $0.id < $1.id }) {
      text +=
        "| [\(rule.id)](\(rule.id).md) | \(rule.severity.word)\(rule.observe ? ", observed" : "") | \(rule.title) |\n"
    }
    for own in OwnRule.runbooks { text += "| [\(own.id)](\(own.id).md) | \(own.severity.word) | \(own.title) |\n" }
    return text
  }

  private static func answerTime(_ severity: Severity) -> String {
    switch severity {
    case .p0: "answer within 15 minutes, at any hour; the site's paging policy names who is paged after that."
    case .p1: "answer within 1 hour, at any hour; the site's paging policy names who is paged after that."
    case .p2: "answer within 4 hours; it becomes a ticket."
    case .p3: "answer on the next business day; it is in that day's digest."
    }
  }

  private static func about(_ rule: Rule) -> String {
    let each =
      switch rule.scope {
      case .fleet: "One incident for the whole fleet."
      case .host: "One incident for each host."
      default: "One incident for each \(rule.scope.word) of a host."
      }
    if rule.match.isEmpty { return each }
    let labels = rule.match.sorted { $0.key < $1.key }.map { "`\($0.key)=\($0.value)`" }.joined(separator: ", ")
    return each + " Only on hosts with \(labels)."
  }

  /// Steps name the host and the entity; a page does not know them.
  private static func filled(_ step: String) -> String {
    step.replacing("{{host}}", with: "HOST").replacing("{{entity}}", with: "THING")
  }

  private static func list(_ title: String, _ items: [String], numbered: Bool) -> String {
    if items.isEmpty { return "" }
    let lines = items.enumerated().map { numbered ? "\($0.offset + 1). \($0.element)" : "- \($0.element)" }
    return "\n## \(title)\n\n" + lines.joined(separator: "\n") + "\n"
  }

  private static func words(_ request: EvidenceRequest) -> String {
    switch request {
    case .topProcesses: "the processes that use most CPU and memory"
    case .kernelMessages: "the last kernel messages"
    case .gpuState: "the GPUs' figures"
    case .recentSteps: "the run's last steps"
    case .log(let file, let lines): "the last \(lines) lines of `\(file)`"
    case .metric(let name, let overNs): "`\(name)` over the last \(TimeSpan.text(overNs))"
    }
  }

  private static func words(_ test: RuleCase) -> String {
    "\(test.expected.isEmpty ? "must not fire" : "fires"): \(test.name) (`\(test.file):\(test.line)`)"
  }

  private static func metrics(_ rule: Rule) -> String {
    let named = (rule.when.metrics + (rule.until?.metrics ?? [])).reduce(into: [RuleMetric]()) { all, metric in
      if !all.contains(where: { $0.name == metric.name }) { all.append(metric) }
    }
    if named.isEmpty { return "" }
    return "\n" + named.map { "- `\($0.name)` (\($0.unit.rawValue)): \($0.doc)" }.joined(separator: "\n") + "\n"
  }

  private static func mutes(_ rule: Rule, _ set: RuleSet) -> String {
    let by = set.rules.filter { other in
      other.id != rule.id && other.mutes.contains { StarPattern.matches(rule.id, $0) }
    }
    var lines: [String] = []
    if !rule.mutes.isEmpty {
      let ids = rule.mutes.map { $0 == "*" ? "every other rule" : $0 }.joined(separator: ", ")
      lines.append("While it is open, these are muted on the same host: \(ids).")
    }
    if !by.isEmpty { lines.append("It is muted by \(by.map(\.id).joined(separator: ", ")).") }
    return lines.isEmpty ? "" : "\n## What mutes what\n\n" + lines.joined(separator: "\n") + "\n"
  }
}

extension Condition {
  fileprivate var metrics: [RuleMetric] {
    switch self {
    case .all(let parts, _, _), .any(let parts, _): parts.flatMap(\.metrics)
    case .not(let part, _): part.metrics
    case .measure(let measurement, _, _):
      if case .ratio(let other) = measurement.kind { [measurement.metric, other] } else { [measurement.metric] }
    case .absent(let metric, _, _): [metric]
    default: []
    }
  }
}
