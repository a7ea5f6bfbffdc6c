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
    case series(RuleMetric, entity: String, rank: Int?, values: [Double])
    case lines(path: String, level: Level, [String], isRedacted: Bool)
    case event(EventKind?, subject: String, message: String, lossReason: LossReason, ProcessEnd?)
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
    case .series(_, _, _, let values): values.count
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
    return (cases, reader.mistakes.inOrderOfLines)
  }

  /// Cases of rules that there are not: nothing can open, so that what must not open would pass for good.
  package static func unknownRules(_ cases: [RuleCase], in set: RuleSet) -> [DocumentMistake] {
    let ids = set.rules.map(\.id)
    return cases.flatMap { test in
      ([test.rule].filter { !$0.isEmpty } + test.expected.map(\.rule)).filter { !ids.contains($0) }.prefix(1).map {
        name in
        let hint = Nearest.name(to: name, among: ids).map { "; did you mean '\($0)'?" } ?? ""
        return DocumentMistake(
          file: test.file, line: test.line, message: "the case '\(test.name)' names '\(name)', which is no rule\(hint)")
      }
    }
  }
}

extension RuleReader {
  fileprivate mutating func readCase(_ node: DocumentNode) -> RuleCase {
    let fields = fields(node, CaseKeys.test)
    var found = RuleCase()
    found.file = file
    found.line = node.line
    found.name = text(fields, "name") ?? ""
    found.rule = text(fields, "rule") ?? ""
    found.given = (list(fields, "given") ?? []).compactMap { input($0) }
    if let value = fields["labels"] { found.labels = labels(value, "labels") }
    found.others = count(fields, "others") ?? 0
    found.lastsNs = max(duration(fields, "lasts") ?? 0, found.given.map(\.endNs).max() ?? 0)
    found.expected = (list(fields, "expect") ?? []).map { expectation($0, found.rule) }
    return found
  }

  private mutating func expectation(_ node: DocumentNode, _ rule: String) -> RuleCase.Expectation {
    let fields = fields(node, CaseKeys.expectation)
    var expected = RuleCase.Expectation()
    expected.line = node.line
    expected.rule = text(fields, "rule") ?? rule
    expected.entity = text(fields, "entity")
    expected.openedNs = duration(fields, "opened")
    expected.clearedNs = duration(fields, "cleared")
    if expected.rule.isEmpty { mistake(node, "an expected incident needs a rule, here or in its case") }
    return expected
  }

  private mutating func input(_ node: DocumentNode) -> CaseInput? {
    guard case .map(let entries) = node.value else {
      mistake(node, "an entry of given must be keys with values, such as { series: cpu.busy_percent, values: 95 x 70 }")
      return nil
    }
    // An episode names its run.
    let kind = CaseKeys.inputs.first { table in entries.contains { $0.key == table.names[0] } }
    guard let table = kind else {
      let subjects = CaseKeys.inputs.map { $0.names[0] }
      let hint = entries.lazy.compactMap { Nearest.name(to: $0.key, among: subjects) }.first
      let otherwise = "it begins with one of \(subjects.joined(separator: ", "))"
      mistake(node, "this entry of given has no subject; \(hint.map { "did you mean '\($0)'?" } ?? otherwise)")
      return nil
    }
    let fields = fields(node, table)
    guard let kind = inputKind(table.names[0], fields) else { return nil }
    return CaseInput(
      kind: kind, atNs: duration(fields, "at") ?? 0, everyNs: duration(fields, "every") ?? 10_000_000_000,
      times: fields.table["times"] == nil ? 1 : count(fields, "times") ?? 1)
  }

  /// nil where the case does not give how it ended.
  private mutating func processEnd(_ fields: DocumentFields) -> ProcessEnd? {
    var end = ProcessEnd()
    if let code = integer(fields, "code") { end.exit = .code(Int32(clamping: code)) }
    if let signal = integer(fields, "signal") { end.exit = .signal(UInt32(clamping: signal), coreDumped: false) }
    end.output = text(fields, "output") ?? ""
    return end.exit == nil && end.output.isEmpty ? nil : end
  }

  private mutating func inputKind(_ subject: String, _ fields: DocumentFields) -> CaseInput.Kind? {
    let name = text(fields, subject) ?? ""
    switch subject {
    case "series": return series(fields)
    case "log":
      let levels: [String: Level] = ["debug": .debug, "info": .info, "warn": .warn, "error": .error]
      let lines = fields["lines"].map { textOrTexts($0, "lines") } ?? []
      return .lines(
        path: name, level: word(fields, "level").flatMap { levels[$0] } ?? .info,
        Array(repeating: lines, count: count(fields, "times") ?? 1).flatMap { $0 },
        isRedacted: flag(fields, "redacted") ?? false)
    case "event":
      guard let place = RuleKeys.eventWords.firstIndex(of: name) else { return nil }
      return .event(
        EventKind(rawValue: UInt8(place)), subject: text(fields, "subject") ?? "",
        message: text(fields, "message") ?? "", lossReason: .truncated, processEnd(fields))
    case "episode":
      let states: [String: EpisodeState] = [
        "running": .running, "completed": .completed, "force_closed": .forceClosed,
      ]
      return word(fields, "state").flatMap { states[$0] }.map {
        .episode(
          run: text(fields, "run") ?? "run", $0, number: integer(fields, "episode") ?? 0,
          steps: count(fields, "steps") ?? 0)
      }
    case "run":
      let states: [String: RunState] = [
        "unknown": .unknown, "running": .running, "completed": .completed, "failed": .failed,
      ]
      return word(fields, "state").flatMap { states[$0] }.map {
        .run(name, $0, isDeclared: flag(fields, "declared") ?? false, announced: count(fields, "episodes") ?? 0)
      }
    case "probe":
      let states: [String: ProbeState] = ["ok": .ok, "failed": .failed, "timed_out": .timedOut]
      return word(fields, "state").flatMap { states[$0] }.map { .probe(name, $0) }
    default: return .silence(duration(fields, "silent") ?? 0)
    }
  }

  private mutating func series(_ fields: DocumentFields) -> CaseInput.Kind? {
    let values = fields["values"].map { self.values($0) } ?? []
    guard let value = fields["series"], let metric = metric(value) else { return nil }
    let isGiven = metric.writer != nil || metric.name == MetricCatalogue.skewName
    guard isGiven || metric.name.hasPrefix(MetricCatalogue.namedPrefix) else {
      mistake(value, "\(metric.name) is computed by the engine; give the numbers it is computed of")
      return nil
    }
    let rank = count(fields, "rank")
    if let node = fields["rank"], metric.reader.family != .training {
      mistake(node, "rank is asked of numbers of a training, \(metric.name) is of a \(metric.kind.word)")
    }
    return .series(metric, entity: text(fields, "entity") ?? "", rank: rank, values: values)
  }

  /// `95 x 70`, `80..95 x 60` (a straight line), `nan`, or a list of such.
  private mutating func values(_ node: DocumentNode) -> [Double] {
    if node.list != nil { return list(node, "values").flatMap { values($0) } }
    let text = text(node, "values")
    let parts = text.split(separator: " ").filter { $0 != "x" }
    let times = parts.count > 1 ? Int(parts[1]) : 1
    let ends = (parts.first.map(String.init) ?? "").components(around: "..").map { Double($0) }
    guard let times, (1...100_000).contains(times), let first = ends.first, let low = first, let last = ends.last,
      let high = last
    else {
      mistake(node, "'\(text)' is no series; write a number, 95 x 70, or 80..95 x 60")
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
