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
  ])
  func aMistakeIsOneSentenceWithItsPlace(rest: String, expected: String) throws {
    let mistakes = try Self.read(Self.rule(rest)).mistakes
    #expect(mistakes.count == 1)
    #expect(mistakes.first?.contains(expected) == true, "\(mistakes)")
    #expect(mistakes.first?.hasPrefix("site.yaml:1: ") == true)
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
        "site.yaml:1: a rule has no 'title'",
        "site.yaml:2: unknown key 'titel' in a rule; did you mean 'title'?",
        "site.yaml:3: unknown severity 'P9'; did you mean 'P0'?",
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
}
