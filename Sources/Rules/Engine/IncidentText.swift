package import FleetModel

extension IncidentChange {
  /// What the engine has found, as incidents are made of it.
  ///
  /// - Parameters:
  ///   - transition: its `timeNs` is the change's `eventNs`, its `arrivedNs` the change's `detectedNs`.
  ///   - rule: whose finding it is.
  ///   - host: nil for the whole fleet.
  package init(_ transition: Transition, of rule: Rule, host: KnownHost?) {
    let isOfHost = rule.scope != .fleet && rule.scope != .job
    let entity = transition.entity.text(scope: rule.scope)
    self.init(
      transition.kind == .opened ? .opened : .cleared, rule: rule.id, severity: rule.severity,
      hostNumber: isOfHost ? host?.number : nil, hostName: isOfHost ? host?.name ?? "" : "", entity: entity,
      eventNs: transition.timeNs, detectedNs: transition.arrivedNs)
    title = rule.title
    isObserved = rule.observe || transition.isHistory
    mutes = rule.mutes
    guard transition.kind == .opened else { return }
    let name = host?.name ?? "the fleet"
    let words = StepText(host: name, entity: transition.entity.name)
    steps = rule.steps.map(words.filled)
    causes = rule.causes
    for case .failure(let found) in transition.evidence { diagnose(found, words) }
    runbook = rule.runbook
    evidence = transition.evidence.map(\.text)
    wanted = rule.evidence
    // In one job the host that deviated first is named.
    let place = rule.scope == .fleet ? "" : entity.isEmpty ? " on \(name)" : " on \(name): \(entity)"
    let title = rule.title.replacing("{{host}}", with: name).replacing("{{entity}}", with: transition.entity.name)
    let named = diagnosis.map { title + ": " + $0.title } ?? title
    self.title = diagnosis.map { rule.title + ": " + $0.title } ?? rule.title
    summary = named + place + (transition.evidence.first.map { " (\($0.short))" } ?? "")
  }

  /// What the class says comes before what the rule says of all of them.
  private mutating func diagnose(_ found: Diagnosis, _ words: StepText) {
    var found = found
    found.steps = found.steps.map(words.filled)
    diagnosis = found
    severity = max(severity, found.severity)
    steps = found.steps + steps + (found.retry.isEmpty ? [] : ["Again? " + found.retry])
    causes = found.causes + causes
  }
}

extension RuleEntity {
  /// As incidents name it: `gpu 3`, a path as it is, nothing for the host itself.
  func text(scope: EntityKind) -> String {
    switch kind {
    case .host, .fleet: ""
    case .file, .disk, .device: name
    case .run where scope == .job: "job \(name)"
    default: "\(kind.word) \(name)"
    }
  }

  /// What `text(scope:)` names; nil where no entity of that scope has such a name.
  init?(_ text: String, of scope: EntityKind) {
    let kind: EntityKind = scope == .job ? .run : scope
    let named = RuleEntity(kind: kind, name: "").text(scope: scope)
    guard text.hasPrefix(named), kind != .host || text.isEmpty else { return nil }
    self.init(kind: kind, name: String(text.dropFirst(named.count)))
  }
}

extension Evidence {
  /// A line among an incident's evidence.
  var text: String {
    switch self {
    case .value(let metric, let value): "\(metric) = \(Self.number(value))"
    case .forecast(let metric, let value, let inNs):
      "\(metric) reaches its limit in \(TimeSpan.text(inNs)) if it goes on like this; it is \(Self.number(value)) now"
    case .line(let file, let text): "\(file): \(text)"
    case .event(let subject, let text): subject.isEmpty ? text : text.isEmpty ? subject : "\(subject): \(text)"
    case .note(let text): text
    case .failure(let found):
      ([found.line.isEmpty ? "" : found.file.isEmpty ? found.line : "\(found.file): \(found.line)"] + found.evidence)
        .filter { !$0.isEmpty }.joined(separator: "\n")
    }
  }

  /// The same for a sentence.
  fileprivate var short: String {
    let whole =
      switch self {
      case .line(_, let text): text
      case .failure(let found): found.line.isEmpty ? found.evidence.first ?? "" : found.line
      default: text
      }
    return PlainText.cut(whole, scalarsMax: 120)
  }

  /// Four significant digits are enough for people.
  private static func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
    let digits = max(0, 3 - Int(Double(abs(value)).log10Floor))
    var scale = 1.0
    for _ in 0..<min(digits, 12) { scale *= 10 }
    return "\((value * scale).rounded() / scale)"
  }
}

extension Double {
  /// The exponent in powers of ten, rounded down; 0 for 0 and what is not finite.
  fileprivate var log10Floor: Int {
    guard isFinite, self != 0 else { return 0 }
    var exponent = 0
    var rest = magnitude
    while rest >= 10, exponent < 308 {
      rest /= 10
      exponent += 1
    }
    while rest < 1, exponent > -308 {
      rest *= 10
      exponent -= 1
    }
    return exponent
  }
}
