internal import FleetModel

/// A figure of a host over time.
package struct HostMetric: Sendable {
  /// Such as `cpu.busy_percent`: the unit is the name's last word.
  package let name: String
  package let title: String
  let table: Table
  /// An SQL expression over a row of samples.
  let sample: String
  /// Columns of the aggregates: the average and the highest of each minute or hour.
  let average: String
  let maximum: String

  enum Table: String {
    case host, gpu
  }

  package static let gpu = HostMetric(
    name: "gpu.utilization_percent", title: "GPU in use", table: .gpu, sample: "s.utilization_percent",
    average: "s.utilization_percent", maximum: "s.utilization_percent_max")

  package static let all: [HostMetric] = [
    gpu,
    HostMetric(
      name: "cpu.busy_percent", title: "CPU", table: .host, sample: "s.cpu_busy_percent",
      average: "s.cpu_busy_percent", maximum: "s.cpu_busy_percent_max"),
    HostMetric(
      name: "memory.used_percent", title: "Memory", table: .host,
      sample: "100.0 * (s.memory_total_bytes - s.memory_available_bytes) / nullif(s.memory_total_bytes, 0)",
      average: "s.memory_used_percent", maximum: "s.memory_used_percent_max"),
    HostMetric(
      name: "disk.used_percent", title: "Fullest disk", table: .host, sample: "s.disk_used_percent_max",
      average: "s.disk_used_percent_max", maximum: "s.disk_used_percent_max"),
    HostMetric(
      name: "load.average1", title: "Load", table: .host, sample: "s.load1", average: "s.load1", maximum: "s.load1_max"),
  ]

  package static func named(_ name: String) -> HostMetric? { all.first { $0.name == name } }
}

/// Questions about figures over time.
package enum SeriesQueries {
  /// Spans up to these are read from samples, and from the minutes' aggregates; longer ones from the hours'.
  private static let samplesMaxNs: Int64 = 3 * 3_600_000_000_000
  private static let minutesMaxNs: Int64 = 14 * 86_400_000_000_000

  /// At most `points` buckets of equal width, the oldest first; one without a sample is left out. Columns: time (its start), average,
  /// minimum (null where only averages are kept), maximum.
  /// - Parameters:
  ///   - sinceNs: ns since 1970; before `untilNs`.
  ///   - points: 1 or more.
  package static func host(
    _ host: String, _ metric: HostMetric, sinceNs: Int64, untilNs: Int64, points: Int64
  ) -> ReadQuery {
    let spanNs = max(1, untilNs.subtractingClamped(sinceNs))
    let isSampled = spanNs <= samplesMaxNs
    let leastNs: Int64 = isSampled ? 1_000_000_000 : spanNs <= minutesMaxNs ? 60_000_000_000 : 3_600_000_000_000
    let widthNs = max(leastNs, (spanNs + points - 1) / points)
    let table =
      isSampled ? "\(metric.table.rawValue)_samples" : "\(metric.table.rawValue)_1\(spanNs <= minutesMaxNs ? "m" : "h")"
    let (average, maximum) = isSampled ? (metric.sample, metric.sample) : (metric.average, metric.maximum)
    return ReadQuery(
      """
      select date_bin(make_interval(secs => $4::float8), s.time, $2::timestamptz) as time, avg(\(average))::float8 as average,
        \(isSampled ? "min(\(average))::float8" : "null::float8") as minimum, max(\(maximum))::float8 as maximum
      from signalbox.\(table) s
      where s.host = (select number from signalbox.hosts where name = $1 and removed is null)
        and s.time >= $2::timestamptz and s.time < $3::timestamptz and \(average) is not null
      group by 1 order by 1
      """,
      [host, Timestamp.text(sinceNs), Timestamp.text(untilNs), String(Double(widthNs) / 1e9)])
  }

  /// Time in which the host reported nothing, the earliest first, between its first report of the span and the span's end.
  ///
  /// Columns: from, to, reason: the incident that opened meanwhile, which says why the host was silent; else what the loss ledger has of
  /// that time; else that nothing is recorded.
  /// - Parameters:
  ///   - sinceNs: ns since 1970; before `untilNs`.
  ///   - limit: 1 or more.
  package static func gaps(_ host: String, sinceNs: Int64, untilNs: Int64, limit: Int) -> ReadQuery {
    let spanNs = untilNs.subtractingClamped(sinceNs)
    let isHourly = spanNs > minutesMaxNs
    let (table, width) =
      spanNs <= samplesMaxNs ? ("host_samples", "1 minute") : isHourly ? ("host_1h", "1 hour") : ("host_1m", "1 minute")
    // Aggregates are made three minutes late.
    let patience = isHourly ? "2 hours" : "5 minutes"
    return ReadQuery(
      """
      with host as (select number from signalbox.hosts where name = $1 and removed is null),
      reported as (
        select distinct date_bin(interval '\(width)', s.time, timestamptz '2000-01-01 00:00+00') as time
        from signalbox.\(table) s
        where s.host = (select number from host) and s.time >= $2::timestamptz and s.time < $3::timestamptz
      ),
      gaps as (
        select lag(time) over (order by time) + interval '\(width)' as "from", time as "to" from reported
        union all
        select max(time) + interval '\(width)', $3::timestamptz from reported
        having $3::timestamptz > max(time) + interval '\(patience)'
      )
      select "from", "to", coalesce(
        (select 'incident ' || i.number || ': ' || coalesce(nullif(i.summary, ''), i.title)
         from signalbox.incidents i
         where i.host = (select number from host) and i.opened >= g."from" and i.opened <= g."to"
         order by i.opened, i.number limit 1),
        (select 'lost: ' || string_agg(distinct l.reason, ', ')
         from signalbox.loss_ledger l
         where l.host = (select number from host) and l.time >= g."from" and l.time <= g."to" + interval '\(width)'),
        'no report came, and no reason is recorded') as reason
      from gaps g where "to" > "from" order by 1 limit $4::bigint
      """, [host, Timestamp.text(sinceNs), Timestamp.text(untilNs), String(limit)])
  }
}
