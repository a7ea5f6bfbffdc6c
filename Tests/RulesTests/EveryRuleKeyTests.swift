import FleetModel
import RuleFiles
import TestSupport
import Testing

@testable import Rules

/// Nothing in a rule or a case is taken silently for something else.
@Suite struct EveryRuleKeyTests {
  /// A valid value of each kind of condition, by which its table is chosen.
  private static let subjects = [
    "metric": "load.1", "rate": "load.1", "ratio": "[load.1, load.5]", "forecast": "disk.used_percent",
    "absent": "load.1",
    "stale": "run", "live": "run", "straggler": "run", "open": "A-1", "log": "{ text: a }", "event": "{ kind: xid }",
    "run": "{ state: failed }", "episode": "{ state: hollow }", "probe": "{ name: a }", "hosts": "A-1",
    "all": "[{ open: A-1 }]", "any": "[{ open: A-1 }]", "not": "{ open: A-1 }",
  ]

  private static let walk = KeyWalk(references: ["condition": RuleKeys.conditions.map(\.table)]) { table, key in
    guard let subject = RuleKeys.conditions.first(where: { $0.table.what == table.what })?.subject, key != subject
    else {
      return []
    }
    return ["\(subject): \(subjects[subject] ?? "")"]
  }

  private static func mistakes(_ yaml: String) throws -> [DocumentMistake] {
    RuleSet.read([("site.yaml", try YAMLTree.read(yaml, file: "site.yaml"))]).mistakes
  }

  @Test func everyKeyRefusesWhatItCannotHold() throws {
    let wrong = Self.walk.wrong(RuleKeys.rule, path: "[0]") { "[\($0)]" }
    #expect(wrong.count > 700)
    for document in wrong {
      let mistakes = try Self.mistakes(document.yaml)
      #expect(mistakes.contains { $0.path.hasPrefix(document.path) && $0.line == 1 }, "\(document): \(mistakes)")
    }
  }

  @Test func everyKeyOfACaseRefusesWhatItCannotHold() throws {
    let walk = KeyWalk { table, key in
      guard CaseKeys.inputs.contains(where: { $0.what == table.what }), key != table.names[0] else { return [] }
      let value = ["series": "load.1", "log": "/a.log", "event": "xid", "episode": "7", "run": "r", "probe": "a"]
      return ["\(table.names[0]): \(value[table.names[0]] ?? "10m")"]
    }
    let wrong =
      walk.wrong(CaseKeys.test, path: "[0]") { "[\($0)]" }
      + walk.wrong(CaseKeys.expectation, path: "[0].expect[0]") { "[{ expect: [\($0)] }]" }
      + CaseKeys.inputs.flatMap { walk.wrong($0, path: "[0].given[0]") { "[{ given: [\($0)] }]" } }
    #expect(wrong.count > 200)
    for document in wrong {
      let mistakes = RuleCase.read(try YAMLTree.read(document.yaml, file: "c.yaml"), file: "c.yaml").mistakes
      #expect(mistakes.contains { $0.path.hasPrefix(document.path) }, "\(document): \(mistakes)")
    }
  }

  /// Each of these was read without a word, and did nothing or something else.
  @Test(arguments: [
    ("steps: one, \(when)", "steps must be a list: [a, b], or lines that start with '- '"),
    ("mutes: RUN-03, \(when)", "mutes must be a list"), ("observe: yes, \(when)", "not 'yes'; write true"),
    ("when: { hosts: A-1, above: 150% }, scope: fleet", "above can never be true with '150%'"),
    ("when: { log: { text: a, among: b, share: 200% } }", "share can never be true with '200%'"),
    ("when: { log: { text: a, times_usual: -1 } }", "times_usual must be a number greater than 0, not '-1'"),
    ("when: { log: { text: a, intervals: 3 } }", "intervals belongs to missing, which is missing here"),
    ("when: { log: { text: a, file: train/*.log } }", "'train/*.log' can match no file: paths begin with '/'"),
    ("when: { metric: load.1, above: 1, within: 5m }", "within belongs to count, which is missing here"),
    ("when: { metric: load.1, above: 1, last: 5 }", "last belongs to a comparison with its past"),
    ("when: { metric: load.1, above_mean: nan }", "above_mean must be a number or a share"),
    ("when: { event: { count: 3, apart: reboot } }", "without one it means every event"),
    ("when: { straggler: run, above: 30% }", "above must be 110% or more"),
    ("match: { host: 'gpu 7' }, \(when)", "'gpu 7' can match no host"),
    ("evidence: [{}], \(when)", "evidence needs one of log, metric"),
    ("evidence: [{ log: {}, metric: load.1 }], \(when)", "evidence takes one of log and metric; remove the other"),
    ("evidence: [{ log: {}, over: 1h }], \(when)", "over belongs to metric"),
  ])
  func whatDidNothingIsAMistake(_ rest: String, _ part: String) throws {
    let found = try Self.mistakes("- { id: A-1, title: t, severity: P1, \(rest) }")
    #expect(found.contains { $0.message.contains(part) && $0.weight == .error }, "\(found)")
  }

  private static let when = "when: { metric: load.1, above: 1 }"

  /// The rule watches all the same: what is lost is a text or a mute, not the page.
  @Test(arguments: [
    ("mutes: [RUN-3]", "rule A-1 mutes 'RUN-3', which matches no rule; did you mean 'RUN-03'?"),
    ("mutes: [\"EPI-*\"]", "rule A-1 mutes 'EPI-*', which matches no rule"),
    ("steps: ['ssh {{hots}}']", "nothing fills in '{{hots}}'; did you mean {{host}}?"),
    ("steps: ['ssh {{ host }}']", "nothing fills in '{{ host }}'; write {{host}} without blanks"),
    ("causes: ['{{host}} is old']", "nothing fills in '{{host}}'; only title and steps fill in names; write it out"),
  ])
  func aNameThatLeadsNowhereCostsNoRule(_ rest: String, _ message: String) throws {
    let yaml = """
      - { id: A-1, title: t, severity: P1, \(rest), \(Self.when) }
      - { id: RUN-03, title: t, severity: P1, \(Self.when) }
      """
    let read = RuleSet.read([("site.yaml", try YAMLTree.read(yaml, file: "site.yaml"))])
    #expect(read.set.rules.map(\.id) == ["A-1", "RUN-03"])
    #expect(read.mistakes.map(\.message) == [message] && read.mistakes[0].weight == .warning, "\(read.mistakes)")
  }

  @Test func aTemplateOfAnotherProgramIsNoPlaceholder() throws {
    let yaml =
      "- { id: A-1, title: t, severity: P1, steps: [\"docker ps --format '{{.Names}} {{json .}}'\"], \(Self.when) }"
    #expect(try Self.mistakes(yaml) == [])
  }

  /// A rule that is left out is a rule all the same: who mutes it has no mistake of its own.
  @Test func whatIsLeftOutMayBeMuted() throws {
    let yaml = """
      - { id: A-1, title: t, severity: P1, mutes: [A-2], \(Self.when) }
      - { id: A-2, title: t, severity: P9, \(Self.when) }
      """
    #expect(try Self.mistakes(yaml).map(\.line) == [2])
  }

  @Test func rulesMayNameThoseThatRunBesideThem() throws {
    let yaml =
      "- { id: A-1, title: t, severity: P1, scope: fleet, mutes: [RUN-03], when: { hosts: AGT-01, above: 50% } }"
    let tree = try YAMLTree.read(yaml, file: "site.yaml")
    #expect(RuleSet.read([("site.yaml", tree)], beside: ["AGT-01", "RUN-03"]).mistakes == [])
    #expect(RuleSet.read([("site.yaml", tree)]).mistakes.count == 2)
  }

  @Test func aCaseOfNoRulePassesForNothing() throws {
    let rules = RuleSet.read([
      ("s", try YAMLTree.read("- { id: A-1, title: t, severity: P1, \(Self.when) }", file: "s"))
    ])
    let cases = RuleCase.read(
      try YAMLTree.read("- { name: n, rule: A-11, given: [{ silent: 1m }], expect: [] }", file: "c"), file: "c")
    #expect(cases.mistakes == [])
    #expect(
      RuleCase.unknownRules(cases.cases, in: rules.set).map(\.description)
        == ["c:1: the case 'n' names 'A-11', which is no rule; did you mean 'A-1'?"])
  }
}
