internal import FleetModel

extension MetricCatalogue {
  /// The agent about itself.
  static let agent: [RuleMetric] = agentMetrics()

  /// Runs once. Not optimised: a hundred closures in one function keep the optimiser busy for many minutes.
  @_optimize(none)
  private static func agentMetrics() -> [RuleMetric] {
    var list = MetricList()
    list.add(
      "agent.spool_bytes", .bytes, "Waiting in the spool.", MetricReader.agent({ Double($0.health.spoolBytes) }),
      write: MetricWriter.agent({ $0.spoolBytes = UInt64(number: $1) }))
    list.add(
      "agent.spool_used_percent", .percent, "Of the spool's limit.",
      MetricReader.agent({ Double.percent($0.health.spoolBytes, of: $0.health.spoolLimitBytes) }),
      write: MetricWriter.agent({
        $0.spoolLimitBytes = 1_000_000; $0.spoolBytes = UInt64.scaled($1, by: 10_000)
      }))
    list.add(
      "agent.spool_records", .number, "Waiting in the spool.", MetricReader.agent({ Double($0.health.spoolRecords) }),
      write: MetricWriter.agent({ $0.spoolRecords = UInt64(number: $1) }))
    list.add(
      "agent.backlog_bytes", .bytes, "Unread bytes of followed files.",
      MetricReader.agent({ Double($0.health.backlogBytes) }),
      write: MetricWriter.agent({ $0.backlogBytes = UInt64(number: $1) }))
    list.add(
      "agent.followed_files", .number, "Followed files.", MetricReader.agent({ Double($0.health.followedFiles) }),
      write: MetricWriter.agent({ $0.followedFiles = UInt32(number: $1) }))
    list.add(
      "agent.dropped_records_total", .number, "Records lost since the agent's start.",
      MetricReader.agent({ Double($0.health.droppedRecordsTotal) }),
      write: MetricWriter.agent({ $0.droppedRecordsTotal = UInt64(number: $1) }))
    list.add(
      "agent.redactions_total", .number, "Secrets removed since the agent's start.",
      MetricReader.agent({ Double($0.health.redactionsTotal) }),
      write: MetricWriter.agent({ $0.redactionsTotal = UInt64(number: $1) }))
    list.add(
      "agent.resident_bytes", .bytes, "Memory of the agent.", MetricReader.agent({ Double($0.health.residentBytes) }),
      write: MetricWriter.agent({ $0.residentBytes = UInt64(number: $1) }))
    list.add(
      "agent.cpu_seconds_total", .seconds, "CPU time of the agent.", MetricReader.agent({ $0.health.cpuSecondsTotal }),
      write: MetricWriter.agent({ $0.cpuSecondsTotal = $1 }))
    list.add(
      "agent.refused_paths_total", .number, "Files asked for that the host does not allow.",
      MetricReader.agent({ Double($0.health.refusedPathsTotal) }),
      write: MetricWriter.agent({ $0.refusedPathsTotal = UInt64(number: $1) }))
    return list.all
  }
}
