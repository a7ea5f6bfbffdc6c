import FleetModel
import RuleFiles
import Rules
import Testing

@Suite struct HealthyDayTests {
  /// Nobody is woken for a day on which nothing is wrong.
  @Test(arguments: [UInt64(1)]) func aHealthyDayPagesNobody(seed: UInt64) throws {
    let set = try RulePackTests.pack().set
    let rules = Dictionary(set.rules.map { ($0.id, $0) }) { first, _ in first }
    let engine = RuleEngine(set)
    var day = HealthyDay(root: RulePackTests.root, seed: seed)
    let labels = ["role": "trainer", "env": "production", "storage": "critical"]
    let host = HostID(high: 1, low: 1)
    var opened: [String: [Transition]] = [:]
    for dayNs in stride(from: 0, to: HealthyDay.lengthNs, by: Int(HealthyDay.stepNs)) {
      let nowNs = HealthyDay.startNs + dayNs + 20_000_000
      var found: [Transition] = []
      if let batch = day.batch(at: dayNs) {
        found += engine.observe(batch, from: host, name: "h", labels: labels, nowNs: nowNs)
      }
      found += engine.tick(nowNs)
      for transition in found where transition.kind == .opened {
        opened[transition.rule, default: []].append(transition)
      }
    }
    let counts = opened.map { "\($0.key) \(rules[$0.key]?.severity.word ?? "")×\($0.value.count)" }.sorted()
    print(
      "seed \(seed): \(day.samples) samples, \(day.lines) lines, \(day.steps) steps and episodes, \(day.runsEnded) runs; opened: \(counts)"
    )
    #expect(day.samples > 1400 && day.runsEnded > 20 && day.steps > 5000)
    for (id, transitions) in opened {
      let isUrgent = (rules[id]?.severity).map { $0 <= .p1 } ?? true
      #expect(!isUrgent, "\(id): \(transitions.prefix(3))")
    }
  }
}
