internal import FleetModel

extension RuleCase {
  /// An incident as it came about.
  private struct Incident {
    var rule: String
    var entity: String
    var openedNs: Int64
    var clearedNs: Int64?
  }

  /// Time between two samples of the case's host, and the tolerance of its expectations.
  private static let stepNs: Int64 = 10_000_000_000
  private static let startNs: Int64 = 1_760_000_000_000_000_000

  /// Runs the case through the engine as a collector would, with a tick each second.
  ///
  /// - Returns: what is wrong, one sentence each; empty = passed.
  package func run(_ set: RuleSet) -> [String] {
    let engine = RuleEngine(set)
    var incidents: [Incident] = []
    let host = HostID(high: 7, low: 7)
    let labels = labels.merging(["host": "host"]) { own, _ in own }
    var offsets: [String: UInt64] = [:]
    for second in 0...(lastsNs / 1_000_000_000) {
      let at = second * 1_000_000_000
      let nowNs = Self.startNs + at
      var found: [Transition] = []
      if !isSilent(at), let batch = batch(at, &offsets) {
        found += engine.observe(batch, from: host, name: "host", labels: labels, nowNs: nowNs)
      }
      if at % Self.stepNs == 0 { found += observeOthers(engine, nowNs) }
      found += engine.tick(nowNs)
      for transition in found where transition.host == host || transition.entity.kind == .fleet {
        Self.add(transition, at, &incidents)
      }
    }
    return judge(incidents)
  }

  private func observeOthers(_ engine: RuleEngine, _ nowNs: Int64) -> [Transition] {
    (0..<others).flatMap { number in
      var builder = CaseBatch(timeNs: nowNs, hasHost: true)
      builder.addProcess()
      return engine.observe(
        builder.batch, from: HostID(high: 8, low: UInt64(number)), name: "other\(number)", labels: [:], nowNs: nowNs)
    }
  }

  private static func add(_ transition: Transition, _ at: Int64, _ incidents: inout [Incident]) {
    if transition.kind == .opened {
      incidents.append(Incident(rule: transition.rule, entity: transition.entity.name, openedNs: at))
    } else if let place = incidents.lastIndex(where: {
      $0.rule == transition.rule && $0.entity == transition.entity.name
    }) {
      incidents[place].clearedNs = at
    }
  }

  private func isSilent(_ at: Int64) -> Bool {
    given.contains {
      if case .silence(let length) = $0.kind { $0.atNs <= at && at < $0.atNs + length } else { false }
    }
  }

  private func judge(_ all: [Incident]) -> [String] {
    var left = all.filter { rule.isEmpty || $0.rule == rule }
    var wrong: [String] = []
    for expected in expected {
      let place = left.firstIndex { incident in
        incident.rule == expected.rule && (expected.entity.map { $0 == incident.entity } ?? true)
          && Self.isNear(incident.openedNs, expected.openedNs)
          && (expected.clearedNs.map { Self.isNear(incident.clearedNs ?? -1, $0) } ?? true)
      }
      if let place {
        left.remove(at: place)
      } else {
        let others = left.filter { $0.rule == expected.rule }.map(Self.text).joined(separator: "; ")
        wrong.append(
          "expected \(Self.text(expected)), but \(others.isEmpty ? "it never opened" : "there was \(others)")")
      }
    }
    return wrong + left.map { "nobody expected \(Self.text($0))" }
  }

  private static func isNear(_ time: Int64, _ wanted: Int64?) -> Bool {
    wanted.map { abs(time - $0) <= stepNs } ?? true
  }

  private static func text(_ incident: Incident) -> String {
    let thing = incident.entity.isEmpty ? "" : " on \(incident.entity)"
    let end = incident.clearedNs.map { ", cleared at \(TimeSpan.text($0))" } ?? ", never cleared"
    return "\(incident.rule)\(thing) opened at \(TimeSpan.text(incident.openedNs))\(end)"
  }

  private static func text(_ expected: Expectation) -> String {
    var text = expected.rule
    if let entity = expected.entity { text += " on \(entity)" }
    if let opened = expected.openedNs { text += " opened at \(TimeSpan.text(opened))" }
    if let cleared = expected.clearedNs { text += " cleared at \(TimeSpan.text(cleared))" }
    return text
  }

  // MARK: what the host reports

  /// What comes at this time; nil for nothing.
  private func batch(_ at: Int64, _ offsets: inout [String: UInt64]) -> Batch? {
    var builder = CaseBatch(timeNs: Self.startNs + at, hasHost: at % Self.stepNs == 0)
    for input in given where at >= input.atNs && at < input.endNs && (at - input.atNs) % input.everyNs == 0 {
      builder.add(input, Int((at - input.atNs) / input.everyNs), &offsets)
    }
    return builder.isEmpty ? nil : builder.batch
  }
}
