package import FleetModel

/// An operator's case: what a host reports over time, and which incidents must come of it.
///
/// ```yaml
/// - name: a busy host
///   rule: RES-01                  # only this rule counts; without it all do
///   given:
///     - { series: cpu.busy_percent, values: 95 x 70, every: 10s }
///     - { log: /srv/train/a.log, lines: ["BOOM"], at: 5m, level: error, every: 10s }
///     - { event: xid, subject: "0000:05:00", message: "Xid 79 on …", at: 1m }
///     - { run: r1, state: running, at: 1m, declared: true, episodes: 10 }
///     - { episode: 7, run: r1, state: completed, at: 2m, times: 3, every: 10s }
///     - { silent: 10m, at: 5m }
///   lasts: 20m
///   labels: { env: production }   # of the host
///   others: 3                     # hosts beside it on which nothing happens
///   expect:
///     - { rule: RES-01, opened: 10m, cleared: 18m, entity: … }
/// ```
/// A host sample comes each 10 s while the host is not silent, whatever else is given. Each repetition of an episode has the
/// next number. `expect: []` = nothing may open.
package struct RuleCase: Sendable {
  package var name = ""
  package var file = ""
  package var line = 0
  /// Only incidents of this rule count; empty = of every rule.
  package var rule = ""
  var given: [CaseInput] = []
  package var expected: [Expectation] = []
  var lastsNs: Int64 = 0
  var labels: [String: String] = [:]
  /// Hosts that report, each with a training process.
  var others = 0

  /// An incident that must be.
  package struct Expectation: Sendable {
    var rule = ""
    var entity: String?
    /// When it opens; nil = at any time.
    var openedNs: Int64?
    /// When it clears; nil = does not matter.
    var clearedNs: Int64?
    var line = 0
  }
}

/// One report of a case's host.
struct CaseInput: Sendable {
  enum Kind: Sendable {
    case series(RuleMetric, entity: String, values: [Double])
    case lines(path: String, level: Level, [String], isRedacted: Bool)
    case event(EventKind?, subject: String, message: String, lossReason: LossReason)
    case run(String, RunState, isDeclared: Bool, announced: Int)
    case episode(run: String, EpisodeState, number: Int64, steps: Int)
    case probe(String, ProbeState)
    case silence(Int64)
  }

  var kind: Kind
  var atNs: Int64
  var everyNs: Int64
  var times = 1

  /// How often it comes.
  var count: Int {
    switch kind {
    case .series(_, _, let values): values.count
    case .lines(_, _, let lines, _): lines.count
    default: times
    }
  }

  var endNs: Int64 {
    if case .silence(let length) = kind { return atNs + length }
    return atNs + everyNs * Int64(count)
  }
}

extension RuleCase {
  /// Reads the cases of one file; every mistake of it is reported.
  package static func read(_ tree: DocumentNode, file: String) -> (cases: [RuleCase], mistakes: [DocumentMistake]) {
    var reader = RuleReader(file: file)
    let cases = reader.list(tree, "a file of cases").map { reader.readCase($0) }
    return (cases, reader.mistakes)
  }
}

extension RuleReader {
  private static let caseKeys = KeyTable(
    "a case", required: ["name", "given", "expect"],
    [
      RuleKey("name", .text, ""), RuleKey("rule", .text, ""), RuleKey("given", .anything, ""),
      RuleKey("lasts", .duration, ""), RuleKey("expect", .anything, ""), RuleKey("labels", .labels, ""),
      RuleKey("others", .count, ""),
    ])
  private static let expectKeys = KeyTable(
    "an expected incident",
    [
      RuleKey("rule", .text, ""), RuleKey("opened", .duration, ""), RuleKey("cleared", .duration, ""),
      RuleKey("entity", .text, ""),
    ])
  private static let inputKeys = KeyTable(
    "an entry of given",
    [
      "series", "values", "entity", "log", "lines", "level", "redacted", "event", "subject", "message", "reason", "run",
      "state", "declared", "episodes", "episode", "steps", "probe", "silent", "at", "every", "times",
    ].map { RuleKey($0, .anything, "") })

  fileprivate mutating func readCase(_ node: DocumentNode) -> RuleCase {
    let fields = fields(node, Self.caseKeys)
    var found = RuleCase()
    found.file = file
    found.line = node.line
    if let value = fields["name"] { found.name = text(value, "name") }
    if let value = fields["rule"] { found.rule = text(value, "rule") }
    if let value = fields["given"] { found.given = list(value, "given").compactMap { input($0) } }
    if let value = fields["labels"] { found.labels = labels(value) }
    if let value = fields["others"] { found.others = min(count(value, "others"), 1000) }
    found.lastsNs = fields["lasts"].map { duration($0, "lasts") } ?? 0
    found.lastsNs = max(found.lastsNs, found.given.map(\.endNs).max() ?? 0)
    if let value = fields["expect"] {
      found.expected = list(value, "expect").map { expectation($0, found.rule) }
    }
    return found
  }

  private mutating func expectation(_ node: DocumentNode, _ rule: String) -> RuleCase.Expectation {
    let fields = fields(node, Self.expectKeys)
    var expected = RuleCase.Expectation()
    expected.line = node.line
    expected.rule = fields["rule"].map { text($0, "rule") } ?? rule
    expected.entity = fields["entity"].map { text($0, "entity") }
    expected.openedNs = fields["opened"].map { moment($0, "opened") }
    expected.clearedNs = fields["cleared"].map { moment($0, "cleared") }
    return expected
  }

  /// A time since the case's beginning; `0s` is one, too.
  private mutating func moment(_ node: DocumentNode, _ what: String) -> Int64 {
    if case .scalar(let word) = node.value, word == "0s" || word == "0" { return 0 }
    return duration(node, what)
  }

  private mutating func input(_ node: DocumentNode) -> CaseInput? {
    let fields = fields(node, Self.inputKeys)
    let atNs = fields["at"].map { moment($0, "at") } ?? 0
    let everyNs = fields["every"].map { duration($0, "every") } ?? 10_000_000_000
    guard let kind = inputKind(node, fields) else { return nil }
    var times = 1
    if let value = fields["times"] { times = min(count(value, "times"), 10_000) }
    return CaseInput(kind: kind, atNs: atNs, everyNs: everyNs, times: times)
  }

  private mutating func inputKind(_ node: DocumentNode, _ fields: [String: DocumentNode]) -> CaseInput.Kind? {
    let entity = fields["entity"].map { text($0, "entity") } ?? ""
    if let value = fields["series"] {
      guard let metric = metric(value) else { return nil }
      let isGiven = metric.writer != nil || metric.name == MetricCatalogue.skewName
      guard isGiven || metric.name.hasPrefix(MetricCatalogue.namedPrefix) else {
        mistake(value.line, "\(metric.name) is computed by the engine; give the numbers it is computed of")
        return nil
      }
      return .series(metric, entity: entity, values: fields["values"].map { values($0) } ?? [])
    }
    if let value = fields["log"] {
      let levels: [(String, Level)] = [("debug", .debug), ("info", .info), ("warn", .warn), ("error", .error)]
      var lines = fields["lines"].map { texts($0, "lines") } ?? []
      if let times = fields["times"] {
        lines = Array(repeating: lines, count: min(count(times, "times"), 10_000)).flatMap { $0 }
      }
      return .lines(
        path: text(value, "log"), level: fields["level"].flatMap { word($0, "level", levels) } ?? .info, lines,
        isRedacted: fields["redacted"].map { flag($0, "redacted") } ?? false)
    }
    if let value = fields["event"] {
      let kinds = RuleKeys.eventWords.enumerated().map { ($0.element, $0.offset) }
      guard let place = word(value, "event", kinds) else { return nil }
      return .event(
        EventKind(rawValue: UInt8(place)), subject: fields["subject"].map { text($0, "subject") } ?? "",
        message: fields["message"].map { text($0, "message") } ?? "", lossReason: .truncated)
    }
    if let value = fields["run"], fields["episode"] == nil {
      let states: [(String, RunState)] = [
        ("unknown", .unknown), ("running", .running), ("completed", .completed), ("failed", .failed),
      ]
      let isDeclared = fields["declared"].map { flag($0, "declared") } ?? false
      let announced = fields["episodes"].map { count($0, "episodes") } ?? 0
      return fields["state"].flatMap { word($0, "state", states) }.map {
        .run(text(value, "run"), $0, isDeclared: isDeclared, announced: announced)
      }
    }
    if let value = fields["episode"] {
      let states: [(String, EpisodeState)] = [
        ("running", .running), ("completed", .completed), ("force_closed", .forceClosed),
      ]
      let run = fields["run"].map { text($0, "run") } ?? "run"
      let number = text(value, "episode")
      if Int64(number) == nil { mistake(value.line, "episode must be a number, not '\(number)'") }
      let steps = fields["steps"].map { count($0, "steps") } ?? 0
      return fields["state"].flatMap { word($0, "state", states) }.map {
        .episode(run: run, $0, number: Int64(number) ?? 0, steps: steps)
      }
    }
    if let value = fields["probe"] {
      let states: [(String, ProbeState)] = [("ok", .ok), ("failed", .failed), ("timed_out", .timedOut)]
      return fields["state"].flatMap { word($0, "state", states) }.map { .probe(text(value, "probe"), $0) }
    }
    if let value = fields["silent"] { return .silence(duration(value, "silent")) }
    mistake(node.line, "an entry of given begins with series, log, event, run, episode, probe or silent")
    return nil
  }

  /// `95 x 70`, `80..95 x 60` (a straight line), `nan`, or a list of such.
  private mutating func values(_ node: DocumentNode) -> [Double] {
    if case .list(let items) = node.value { return items.flatMap { values($0) } }
    let text = text(node, "values")
    let parts = text.split(separator: " ").filter { $0 != "x" }
    let times = parts.count > 1 ? Int(parts[1]) : 1
    let ends = (parts.first.map(String.init) ?? "").components(around: "..").map { Double($0) }
    guard let times, (1...100_000).contains(times), let first = ends.first, let low = first, let last = ends.last,
      let high = last
    else {
      mistake(node.line, "'\(text)' is no series; write a number, 95 x 70, or 80..95 x 60")
      return []
    }
    return (0..<times).map { times > 1 ? low + (high - low) * Double($0) / Double(times - 1) : low }
  }
}

extension String {
  /// The parts before and after the first `mark`; itself where there is none.
  fileprivate func components(around mark: String) -> [String] {
    let bytes = Array(utf8)
    let wanted = Array(mark.utf8)
    guard bytes.count > wanted.count else { return [self] }
    for at in 1..<(bytes.count - wanted.count + 1) where Array(bytes[at..<at + wanted.count]) == wanted {
      return [
        String(decoding: bytes[..<at], as: UTF8.self), String(decoding: bytes[(at + wanted.count)...], as: UTF8.self),
      ]
    }
    return [self]
  }
}
