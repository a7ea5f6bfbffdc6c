internal import FleetModel

extension MetricCatalogue {
  /// One answer of a probe.
  static let probe: [RuleMetric] = {
    var all: [RuleMetric] = []
    func add(
      _ name: String, _ unit: MetricUnit, _ doc: String, _ reader: MetricReader, write writer: MetricWriter?
    ) { all.append(RuleMetric(name, unit, doc, reader, write: writer)) }
    add(
      "probe.value", .number, "What the probe measured.", MetricReader.probe({ $0.value }),
      write: MetricWriter.probe({ $0.value = $1 }))
    add(
      "probe.duration_ms", .milliseconds, "How long the answer took.", MetricReader.probe({ Double($0.durationMs) }),
      write: MetricWriter.probe({ $0.durationMs = Float($1) }))
    add(
      "probe.failed", .flag, "1 for a failed answer or none in time.",
      MetricReader.probe({ $0.state == .unknown ? .nan : $0.state == .ok ? 0 : 1 }),
      write: MetricWriter.probe({ $0.state = $1 != 0 ? .failed : .ok }))
    return all
  }()
}
