internal import FleetModel

extension MetricCatalogue {
  /// One answer of a probe.
  static let probe: [RuleMetric] = probeMetrics()

  /// Runs once. Not optimised: a hundred closures in one function keep the optimiser busy for many minutes.
  @_optimize(none)
  private static func probeMetrics() -> [RuleMetric] {
    var list = MetricList()
    list.add(
      "probe.value", .number, "What the probe measured.", MetricReader.probe({ $0.value }),
      write: MetricWriter.probe({ $0.value = $1 }))
    list.add(
      "probe.duration_ms", .milliseconds, "How long the answer took.", MetricReader.probe({ Double($0.durationMs) }),
      write: MetricWriter.probe({ $0.durationMs = Float($1) }))
    list.add(
      "probe.failed", .flag, "1 for a failed answer or none in time.",
      MetricReader.probe({ $0.state == .unknown ? .nan : $0.state == .ok ? 0 : 1 }),
      write: MetricWriter.probe({ $0.state = $1 != 0 ? .failed : .ok }))
    return list.all
  }
}
