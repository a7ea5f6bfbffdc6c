import FleetModel
import Foundation
import RuleFiles
import Rules
import Testing

@Suite struct RuleLanguageTests {
  static func read(_ yaml: String) throws -> (set: RuleSet, mistakes: [String]) {
    let tree = try YAMLTree.read(yaml, file: "site.yaml")
    let read = RuleSet.read([("site.yaml", tree)])
    return (read.set, read.mistakes.map(\.description))
  }

  static func rule(_ rest: String) -> String { "- { id: A-1, title: t, severity: P1, \(rest) }" }

  @Test(arguments: [
    ("when: { metric: cpu.busy_percent, abov: 80 }", "unknown key 'abov' in a metric condition; did you mean 'above'?"),
    (
      "when: { metric: cpu.bussy_percent, above: 80 }",
      "unknown metric 'cpu.bussy_percent'; did you mean 'cpu.busy_percent'?"
    ),
    ("when: { metric: cpu.busy_percent, above: 80, for: 10min }", "'10min' is no time for for"),
    ("when: { metric: cpu.busy_percent, above: 80, for: 10 }", "it has no unit"),
    (
      "when: { metric: cpu.busy_percent, above: 10m }",
      "'10m' does not fit cpu.busy_percent, which is in percent; write 80 or 80%"
    ),
    ("when: { metric: cpu.busy_percent }", "compares with nothing"),
    ("when: { metric: cpu.busy_percent, above: 1, below: 2 }", "has 2 comparisons"),
    ("when: { metric: cpu.busy_percent, outside: [9, 1] }", "outside needs two numbers, the lower one first"),
    ("when: { metrik: cpu.busy_percent, above: 1 }", "this condition has no subject; did you mean 'metric'?"),
    ("when: { metric: load.1, above: 1, log: { text: a } }", "a condition has one subject"),
    ("when: { log: { matches: '(a' } }", "has a '(' without a ')'"),
    ("when: { log: { matches: 'a*' } }", "matches every line"),
    ("when: { log: { matches: 'a(?=b)' } }", "look-around, which is not supported"),
    ("when: { log: { file: '*.log' } }", "without one it means every line"),
    ("when: { event: { kind: xidd } }", "unknown kind 'xidd'; did you mean 'xid'?"),
    ("when: { event: { kind: xid, code: $fatal } }", "there is no list 'fatal'"),
    ("when: { hosts: AGT-01, above: 50% }", "needs scope: fleet"),
    ("scope: fleet, when: { hosts: AGT-01, above: 50% }", "asks for 'AGT-01', which is no rule"),
    ("scope: hots, when: { metric: load.1, above: 1 }", "unknown scope 'hots'; did you mean 'host'?"),
    ("when: { metric: load.1, above: 1, samples: 7 of 5 }", "samples must be such as 5 of 6"),
    ("when: { all: [] }", "all needs at least one condition"),
    ("when: { ratio: [load.1, gpu.power_watts], above: 1 }", "are not in the same report"),
    ("when: { ratio: [load.1], above: 1 }", "ratio needs two metrics"),
    ("when: { ratio: [load.1, load.5] }", "needs exactly one of above, below, outside"),
    ("when: { rate: load.1 }", "needs exactly one of above, below, outside"),
    ("when: { forecast: disk.used_percent, reaches: 100 }", "a forecast has no 'within'"),
    ("when: { metric: cpu.busy_percent, not_finite: false }", "not_finite can only be true"),
    ("when: { metric: cpu.busy_percent, above: 1, every: 1m }", "every belongs to samples, which is missing here"),
    ("when: { metric: cpu.busy_percent, above_mean: high }", "above_mean must be a number or a share such as 50%"),
    ("when: { metric: cpu.busy_percent, above_mean: 2, last: 0 }", "last must be a whole number from 1"),
    ("when: { metric: [a], above: 1 }", "a metric must be a single value"),
    ("when: cpu.busy_percent above 80", "a condition must be keys with values"),
    ("when: { stale: hosts }", "unknown stale 'hosts'; did you mean 'host'?"),
    ("when: { stale: gpu, phase: starting }", "phase is asked of runs only"),
    ("when: { live: gpu }", "unknown live 'gpu'; valid are run, process"),
    ("when: { open: RES-1 }", "asks for 'RES-1', which is no rule"),
    ("when: { run: { state: crashed } }", "unknown state 'crashed'"),
    ("when: { episode: { state: holow } }", "unknown state 'holow'; did you mean 'hollow'?"),
    ("when: { probe: { state: failed } }", "probe has no 'name'"),
    ("when: { event: { count: 3 } }", "without one it means every event"),
    ("when: { event: { kind: xid, code: many } }", "'many' in code is no number, no range such as 144-150"),
    ("when: { event: { kind: xid, code: [79], apart: boot } }", "'boot' is no time for apart"),
    ("when: { log: { text: a, among: b } }", "among and share belong together"),
    ("when: { log: { text: a, usual: 1h } }", "usual belongs to times_usual"),
    ("when: { log: { text: a, missing: 1h, times_usual: 2 } }", "one of them is asked at a time"),
    ("when: { log: { text: a, redacted: maybe } }", "redacted must be true or false, not 'maybe'"),
    ("when: { log: { text: a, count: 0 } }", "count must be a whole number from 1 to 1000000, not '0'"),
    ("when: { log: { text: '' } }", "text is empty"),
    ("when: { all: { metric: load.1, above: 1 } }", "all must be a list"),
    ("scope: fleet, when: { metric: load.1, above: 1 }", "has scope fleet, which needs a condition such as"),
    ("scope: fleet, when: { hosts: A-1, above: 1, at_least: 1 }", "hosts needs one of above and at_least"),
    ("match: role, when: { metric: load.1, above: 1 }", "match must be labels with values"),
    ("observe: 1, when: { metric: load.1, above: 1 }", "observe must be true or false"),
    ("steps: { a: b }, when: { metric: load.1, above: 1 }", "steps must be a list"),
    ("evidence: [top_proceses], when: { metric: load.1, above: 1 }", "did you mean 'top_processes'?"),
    ("causes: [a]", "a rule has no 'when'"),
  ])
  func aMistakeIsOneSentenceWithItsPlace(rest: String, expected: String) throws {
    let mistakes = try Self.read(Self.rule(rest)).mistakes
    #expect(mistakes.count == 1)
    #expect(mistakes.first?.contains(expected) == true, "\(mistakes)")
    #expect(mistakes.first?.hasPrefix("site.yaml:1:") == true)
  }

  @Test(arguments: [
    ("id: A-1\ntitle: t\nseverity: P1\nwhen: { metric: load.1, above: 1 }", "begin the rule with '- '"),
    ("just words", "a rule file is a list of rules, each beginning with '- id:'"),
    ("lists: { a: [1] }", "a rule file has no 'rules'"),
    ("lists: [1]\nrules: []", "lists must be names with lists of numbers"),
    ("lists: { x: { 1: a, 1-2: b } }\nrules: []", "1 stands twice in the table x"),
    ("lists: { x: { 79: fatl } }\nrules: []", "no rule names the list '$x.fatl'"),
    ("- { id: a b, title: t, severity: P1, when: { metric: load.1, above: 1 } }", "'a b' is no id"),
    ("- [a]", "a rule must be keys with values"),
  ])
  func aMistakeOfAWholeFileIsOneSentence(yaml: String, expected: String) throws {
    let mistakes = try Self.read(yaml).mistakes
    #expect(mistakes.contains { $0.contains(expected) && $0.hasPrefix("site.yaml:") }, "\(mistakes)")
  }

  @Test func anUnknownKeyHidesNoOtherMistake() throws {
    let mistakes = try Self.read(Self.rule("when: { metric: cpu.busy_percent, abov: 80, for: 10min }")).mistakes
    #expect(mistakes.count == 2)
    #expect(
      mistakes.contains { $0.contains("did you mean 'above'?") }
        && mistakes.contains { $0.contains("did you mean '10m'?") })
    let other = try Self.read(Self.rule("when: { metrik: load.1, above: 80, for: 10 }")).mistakes
    #expect(other.count == 2 && other.contains { $0.contains("it has no unit") }, "\(other)")
  }

  @Test func aWordOfATableDecidesWhatACodeMeans() throws {
    let rules = """
      rules:
        - { id: A-1, title: t, severity: P1, scope: device, when: { event: { kind: xid, code: $xid.fatal } } }
        - { id: A-2, title: t, severity: P3, scope: device, when: { event: { kind: xid, code: $xid.application } } }
      """
    for (word, expected) in [("fatal", "A-1"), ("application", "A-2")] {
      let engine = RuleEngine(
        try Self.read("lists: { xid: { 31: application, 48: fatal, 79: \(word) } }\n\(rules)").set)
      var event = Event()
      event.timeNs = RuleEngineTests.start
      event.kind = .xid
      event.message = "Xid 79 on 0000:05:00: GPU has fallen off the bus"
      var records = Records()
      records.events = [event]
      var batch = Batch()
      batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
      #expect(RuleEngineTests.observe(engine, batch, 0).map(\.rule) == [expected])
    }
  }

  /// Whoever copies an example of the manual gets a rule.
  @Test func everyExampleOfTheManualIsRight() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let manual = try String(contentsOf: root.appendingPathComponent("docs/rules.md"), encoding: .utf8)
    let examples = manual.split(separator: "\n").filter { $0.hasPrefix("when: {") }
    #expect(examples.count > 25)
    for example in examples {
      let yaml = """
        lists: { xid: { 79: fatal, 31: application } }
        rules:
          - { id: RUN-05, title: t, severity: P3, when: { event: { kind: xid, code: [$xid.fatal, $xid.application] } } }
          - id: A-1
            title: t
            severity: P3
            \(example)
        """
      #expect(try Self.read(yaml).mistakes == [], "\(example)")
    }
  }

  @Test func everyMistakeOfAFileIsTold() throws {
    let yaml = """
      - id: A-1
        titel: wrong
        severity: P9
        when: { metric: cpu.busy_percent, above: 80 }
      - id: A-2
        title: right
        severity: P1
        when: { metric: load.1, above: 1 }
      - { id: A-2, title: again, severity: P1, when: { metric: load.1, above: 1 } }
      """
    let (set, mistakes) = try Self.read(yaml)
    #expect(set.rules.map(\.id) == ["A-2"])
    #expect(
      mistakes == [
        "site.yaml:1:3: [0]: a rule has no 'title'",
        "site.yaml:2:3: [0].titel: unknown key 'titel' in a rule; did you mean 'title'?",
        "site.yaml:3:13: [0].severity: unknown severity 'P9'; did you mean 'P0'?",
        "site.yaml:9: the id A-2 is already that of the rule in site.yaml:5",
      ])
  }

  @Test func brokenYAMLIsToldWithItsLine() throws {
    #expect(throws: DocumentMistake.self) { try YAMLTree.read("- a\n- [b", file: "x.yaml") }
  }

  @Test(arguments: [
    ("CUDA out of memory|CUBLAS", "RuntimeError: CUDA out of memory.", true),
    ("^Error", "an Error", false), ("^Error", "first\nError", true), ("end$", "the end", true),
    ("end$", "endless", false),
    ("a{2,3}b", "aab", true), ("^a{2,3}b", "aaaab", false), ("x[0-9a-f]+y", "zx0fy", true), ("x[^0-9]y", "x1y", false),
    ("(?i)oom-kill", "OOM-Kill", true), ("\\d+\\.\\d", "v 1.2", true), ("\\d+\\.\\d", "v 1x2", false),
    ("(ab|cd)*ef", "ababcdef", true), ("é+", "caféé", true), ("a.c", "a\nc", false), ("[]x]y", "]y", true),
  ])
  func patternsMatchAsRegularExpressionsDo(pattern: String, line: String, expected: Bool) throws {
    #expect(try LinePattern(pattern).matches(line) == expected)
  }

  @Test func aHostileLineCostsNoMoreThanItsLength() throws {
    let pattern = try LinePattern("(a+)+(a+)+(a|aa)+$")
    let line = String(repeating: "a", count: 200_000) + "b"
    let start = ContinuousClock.now
    #expect(!pattern.matches(line))
    #expect(ContinuousClock.now - start < .seconds(5))
  }

  @Test func theCommittedSchemaIsCurrent() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent("deploy/rules/rules.schema.json"), encoding: .utf8)
    #expect(text == RuleSchema.text(), "run: signalbox rules schema > deploy/rules/rules.schema.json")
    #expect(try JSONSerialization.jsonObject(with: Data(text.utf8)) is [String: Any])
  }

  @Test func whatAsksForARuleThatIsLeftOutIsLeftOutToo() throws {
    let yaml = """
      - { id: A-1, title: t, severity: P1, when: { metrik: cpu.busy_percent, above: 80 } }
      - { id: A-2, title: t, severity: P1, when: { open: A-1 } }
      - { id: A-3, title: t, severity: P1, when: { open: A-2 } }
      - { id: A-4, title: t, severity: P1, when: { metric: cpu.busy_percent, above: 80 } }
      """
    var read = RuleSet.read([("t.yaml", try YAMLTree.read(yaml, file: "t.yaml"))])
    #expect(read.set.rules.map(\.id) == ["A-4"])
    #expect(read.mistakes.map(\.line) == [1, 2, 3])
    // Edited into a mistake: what ran before goes on.
    let before = RuleSet.read([("t.yaml", try YAMLTree.read(yaml.replacing("metrik", with: "metric"), file: "t.yaml"))])
    #expect(read.set.keep(from: before.set, whereMistaken: read.mistakes) == 3)
    #expect(Set(read.set.rules.map(\.id)) == ["A-1", "A-2", "A-3", "A-4"])
  }
}
