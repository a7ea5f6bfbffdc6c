internal import Files
internal import Synchronization

/// A number that only grows, counted from any thread.
package final class Counter: Sendable {
  private let count = Atomic<UInt64>(0)

  package init() {}

  package func add(_ amount: UInt64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }
  package var value: UInt64 { count.load(ordering: .relaxed) }
}

/// A number that goes up and down.
package final class Gauge: Sendable {
  private let current = Atomic<Int64>(0)

  package init() {}

  package func set(_ value: Int64) { current.store(value, ordering: .relaxed) }
  package func add(_ amount: Int64) { current.wrappingAdd(amount, ordering: .relaxed) }
  package var value: Int64 { current.load(ordering: .relaxed) }
}

/// How long something took, as a Prometheus histogram.
package final class Histogram: Sendable {
  /// Upper bounds, ms.
  package static let boundsMs: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]
  private let state = Mutex(State())

  private struct State {
    var buckets = [UInt64](repeating: 0, count: Histogram.boundsMs.count + 1)
    var sumMs = 0.0
  }

  package init() {}

  package func observe(ms: Double) {
    let index = Self.boundsMs.firstIndex { ms <= $0 } ?? Self.boundsMs.count
    state.withLock {
      $0.buckets[index] += 1
      $0.sumMs += ms
    }
  }

  /// Buckets as they are (not cumulative), the last one without a bound; the sum in ms.
  package var snapshot: (buckets: [UInt64], sumMs: Double) { state.withLock { ($0.buckets, $0.sumMs) } }
}

/// What the collector reports of itself. Names follow `signalbox_<area>_<noun>_<unit>[_total]`.
package struct CollectorMetrics: Sendable {
  package let connectionsAccepted = Counter()
  package let connectionsRefused = Counter()
  package let connectionsOpen = Gauge()
  package let streamsOpen = Gauge()
  package let batchesReceived = Counter()
  package let batchesRefused = Counter()
  package let bytesReceived = Counter()
  package let rowsCommitted = Counter()
  package let logLinesCommitted = Counter()
  package let batchesCommitted = Counter()
  package let batchesDuplicate = Counter()
  package let batchesFenced = Counter()
  package let batchesOutOfOrder = Counter()
  package let rowsDeadLettered = Counter()
  package let othersDeadLettered = Counter()
  package let rowsOverQuota = Counter()
  package let commits = Counter()
  package let commitFailures = Counter()
  package let commitDuration = Histogram()
  package let batchesStaged = Gauge()
  package let databaseUp = Gauge()
  package let commitsWithoutStandby = Gauge()
  package let housekeepingRuns = Counter()
  package let housekeepingFailures = Counter()
  package let certificatesIssued = Counter()
  package let joinsRefused = Counter()
  package let enrolmentsDeferred = Counter()
  package let hellosReplaced = Counter()
  package let anonymousRefused = Counter()
  package let rulesLoaded = Gauge()
  package let rulesRefused = Gauge()
  package let ruleHistoryOmitted = Gauge()
  package let configurationReloadFailures = Counter()
  package let configurationLoaded = Gauge()
  package let ruleHosts = Gauge()
  package let ruleLease = Gauge()
  package let ruleTransitions = Counter()
  package let incidentsOpened = Counter()
  package let pagesDelivered = Counter()
  package let pagesFailed = Counter()
  package let silencesNotRead = Counter()
  package let pagesOverdue = Gauge()
  package let endsRefused = Gauge()
  package let pagesFromMemory = Counter()
  package let pagesHeld = Gauge()
  package let changesRefused = Counter()
  /// Of the threads that use the database.
  package let health = HealthRegistry()
  package let authorityLeft = Gauge()
  package let serverCertificateLeft = Gauge()

  package init() {}

  /// The text exposition format 0.0.4.
  /// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
  package var exposition: String {
    counters.map { Self.series("counter", $0.name, $0.help, Int64(clamping: $0.value)) }.joined()
      + gauges.map { Self.series("gauge", $0.name, $0.help, $0.value) }.joined()
      + stalled(nowNs: Clock.monotonicNs())
      + Self.histogram("signalbox_writer_commit_duration_seconds", "Time of one group commit.", commitDuration)
  }

  private var counters: [(name: String, help: String, value: UInt64)] {
    [
      ("signalbox_gateway_connections_accepted_total", "Connections accepted.", connectionsAccepted.value),
      (
        "signalbox_gateway_connections_refused_total", "Connections refused or cut by a limit.",
        connectionsRefused.value
      ),
      ("signalbox_gateway_batches_received_total", "Batches received.", batchesReceived.value),
      ("signalbox_gateway_batches_refused_total", "Batches that broke a limit or the protocol.", batchesRefused.value),
      ("signalbox_gateway_received_bytes_total", "Bytes of messages received.", bytesReceived.value),
      ("signalbox_writer_rows_committed_total", "Rows committed, of all tables.", rowsCommitted.value),
      ("signalbox_writer_log_lines_committed_total", "Log lines committed.", logLinesCommitted.value),
      ("signalbox_writer_batches_committed_total", "Batches committed.", batchesCommitted.value),
      ("signalbox_writer_batches_duplicate_total", "Batches committed before and recognised.", batchesDuplicate.value),
      ("signalbox_writer_batches_fenced_total", "Batches of streams that a newer one replaced.", batchesFenced.value),
      ("signalbox_writer_batches_out_of_order_total", "Batches that start beyond the marks.", batchesOutOfOrder.value),
      ("signalbox_writer_rows_refused_total", "Rows set aside in dead_letters.", rowsDeadLettered.value),
      (
        "signalbox_store_set_aside_total",
        "Incidents, rule states, deliveries and other things that are no rows, set aside in dead_letters.",
        othersDeadLettered.value
      ),
      (
        "signalbox_writer_rows_over_quota_total", "Rows beyond the quota of their host, not stored.",
        rowsOverQuota.value
      ),
      ("signalbox_writer_commits_total", "Group commits.", commits.value),
      (
        "signalbox_writer_commit_failures_total", "Group commits that failed and were tried again.",
        commitFailures.value
      ),
      ("signalbox_housekeeping_runs_total", "Housekeeping runs.", housekeepingRuns.value),
      ("signalbox_housekeeping_failures_total", "Housekeeping runs that failed.", housekeepingFailures.value),
      ("signalbox_enrolment_certificates_issued_total", "Certificates issued.", certificatesIssued.value),
      ("signalbox_enrolment_joins_refused_total", "Joins refused.", joinsRefused.value),
      (
        "signalbox_configuration_reload_failures_total", "Reloads that were refused: the old configuration stays.",
        configurationReloadFailures.value
      ),
      (
        "signalbox_enrolment_requests_deferred_total", "Joins and renewals beyond a rate limit, to be tried again.",
        enrolmentsDeferred.value
      ),
      (
        "signalbox_gateway_hellos_replaced_total",
        "Hellos that a newer one of the same host replaced before their turn.",
        hellosReplaced.value
      ),
      (
        "signalbox_gateway_anonymous_refused_total", "Connections without a certificate beyond their limits.",
        anonymousRefused.value
      ),
      ("signalbox_rules_findings_total", "Conditions that began or ceased to hold.", ruleTransitions.value),
      ("signalbox_paging_incidents_opened_total", "Incidents opened by this collector.", incidentsOpened.value),
      ("signalbox_paging_messages_delivered_total", "Messages that a receiver took.", pagesDelivered.value),
      (
        "signalbox_paging_messages_from_memory_total", "Messages that a receiver took while the database was away.",
        pagesFromMemory.value
      ),
      (
        "signalbox_paging_changes_refused_total", "Changes of incidents that were not kept: too many, or damaged.",
        changesRefused.value
      ),
      ("signalbox_paging_attempts_failed_total", "Attempts that a receiver did not take.", pagesFailed.value),
      (
        "signalbox_paging_silences_not_read_total",
        "Silences of an Alertmanager, or whole answers about them, that were not understood.", silencesNotRead.value
      ),
    ]
  }

  private var gauges: [(name: String, help: String, value: Int64)] {
    [
      ("signalbox_gateway_connections_open", "Connections open.", connectionsOpen.value),
      ("signalbox_gateway_streams_open", "Report streams open.", streamsOpen.value),
      ("signalbox_writer_batches_staged", "Batches waiting for a commit.", batchesStaged.value),
      ("signalbox_database_up", "1 while the last statement succeeded.", databaseUp.value),
      (
        "signalbox_database_commits_without_standby", "Commits that wait for a synchronous standby for 5 s or more.",
        commitsWithoutStandby.value
      ),
      ("signalbox_rules_loaded", "Rules that run.", rulesLoaded.value),
      ("signalbox_rules_refused", "Mistakes in rule files: what is wrong is left out.", rulesRefused.value),
      (
        "signalbox_rules_history_omitted", "Findings in what files held before their agent, beyond those recorded.",
        ruleHistoryOmitted.value
      ),
      (
        "signalbox_configuration_last_reload_success_timestamp_seconds", "When the configuration was last taken.",
        configurationLoaded.value
      ),
      ("signalbox_rules_hosts", "Hosts that the rules know.", ruleHosts.value),
      ("signalbox_rules_lease", "1 on the collector that judges the fleet and the silence of hosts.", ruleLease.value),
      ("signalbox_authority_left_seconds", "Time until the issuing authority ends.", authorityLeft.value),
      (
        "signalbox_server_certificate_left_seconds", "Time until this collector's certificate ends.",
        serverCertificateLeft.value
      ),
      ("signalbox_paging_changes_held", "Changes of incidents that wait for the database.", pagesHeld.value),
      ("signalbox_paging_messages_overdue", "Messages due for a minute or more.", pagesOverdue.value),
      (
        "signalbox_paging_ends_refused", "Ends that a receiver refused within a day: alerts may be open there.",
        endsRefused.value
      ),
    ]
  }

  private func stalled(nowNs: Int64) -> String {
    let threads = health.stalledSeconds(nowNs: nowNs)
    if threads.isEmpty { return "" }
    let name = "signalbox_database_stalled_seconds"
    let help = "For how long a thread has failed or waited at the database; 0 while it gets on."
    return "# HELP \(name) \(help)\n# TYPE \(name) gauge\n"
      + threads.map { "\(name){thread=\"\($0.thread)\"} \($0.seconds)\n" }.joined()
  }

  private static func series(_ type: String, _ name: String, _ help: String, _ value: Int64) -> String {
    "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n"
  }

  private static func histogram(_ name: String, _ help: String, _ histogram: Histogram) -> String {
    let (buckets, sumMs) = histogram.snapshot
    var text = "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
    var total: UInt64 = 0
    for (index, count) in buckets.enumerated() {
      total += count
      let bound = index < Histogram.boundsMs.count ? String(Histogram.boundsMs[index] / 1000) : "+Inf"
      text += "\(name)_bucket{le=\"\(bound)\"} \(total)\n"
    }
    return text + "\(name)_sum \(sumMs / 1000)\n\(name)_count \(total)\n"
  }
}
