internal import FleetModel

/// Questions about what serves models: what the probes of Prometheus' formats report.
///
/// A reading's main result is `prometheus/NAME`, its figures of serving `prometheus.serving.FIGURE/NAME`, its kept series
/// `prometheus.METRIC/NAME{labels}`; all of them have its time.
package enum ServingQueries {
  /// A probe of metrics is asked at least every 15 minutes.
  private static let recent = "interval '1 hour'"
  /// The newest reading of each target.
  private static let targets = """
    targets as (
      select distinct on (p.host, p.name) p.host, p.name, substr(p.name, 12) as target, p.state, p.detail, p.value, p.time
      from signalbox.probe_results p
      where p.name like 'prometheus/%' and p.time > now() - \(recent)
        and ($1::text is null or p.host = any (\(FleetQueries.hosts("$1"))))
      order by p.host, p.name, p.time desc, p.received desc
    )
    """

  /// Each target with the figures of its newest reading, what is wrong first. Seconds are quantiles of what happened between that reading
  /// and the one before; a figure that the target does not expose, or of which nothing happened, is null.
  ///
  /// Columns: host, target, state (`ok`, `failed`, `timed_out`, `unknown`), detail, requests_per_second, error_ratio, p50_seconds,
  /// p95_seconds, p99_seconds (of a request; of a whole answer where texts are generated), first_token_seconds (p95), queue_seconds (p95),
  /// running, waiting, cache_ratio, memory_bytes, gpu_memory_bytes, left_out (series beyond the limits), time.
  package static func newest(host: String?) -> ReadQuery {
    func figure(_ names: String...) -> String {
      "coalesce(" + names.map { "max(f.value) filter (where f.figure = '\($0)')" }.joined(separator: ", ") + ")"
    }
    return ReadQuery(
      """
      with \(targets)
      select h.name as host, t.target, (array['unknown', 'ok', 'failed', 'timed_out'])[t.state + 1] as state, t.detail,
        \(figure("serving.requests_per_second")) as requests_per_second, \(figure("serving.error_ratio")) as error_ratio,
        \(figure("serving.request_seconds.p50", "serving.generation_seconds.p50")) as p50_seconds,
        \(figure("serving.request_seconds.p95", "serving.generation_seconds.p95")) as p95_seconds,
        \(figure("serving.request_seconds.p99", "serving.generation_seconds.p99")) as p99_seconds,
        \(figure("serving.first_token_seconds.p95")) as first_token_seconds,
        \(figure("serving.queue_seconds.p95", "serving.queue_seconds.mean")) as queue_seconds,
        \(figure("serving.running")) as running, \(figure("serving.waiting")) as waiting,
        \(figure("serving.cache_ratio")) as cache_ratio, \(figure("serving.memory_bytes")) as memory_bytes,
        \(figure("serving.gpu_memory_bytes")) as gpu_memory_bytes, \(figure("left_out")) as left_out, t.time
      from targets t join signalbox.hosts h on h.number = t.host
      left join lateral (
        select substr(split_part(p.name, '/', 1), 12) as figure, p.value from signalbox.probe_results p
        where p.host = t.host and p.time = t.time and p.name like 'prometheus.%' and right(p.name, 1) <> '}'
          and split_part(p.name, '/', 2) = t.target
      ) f on true
      group by h.name, t.target, t.state, t.detail, t.time
      order by t.state = 1, h.name collate "C", t.target collate "C" limit 1000
      """, [host])
  }

  /// All figures of the newest reading of one target, by name. Columns: figure, labels (`{name="value",…}`; empty without), value.
  /// - Parameter limit: 1 or more.
  package static func figures(host: String, target: String, limit: Int) -> ReadQuery {
    ReadQuery(
      """
      with \(targets)
      select substr(split_part(p.name, '/', 1), 12) as figure, substr(p.name, length(split_part(p.name, '{', 1)) + 1) as labels,
        p.value
      from targets t
      join signalbox.probe_results p on p.host = t.host and p.time = t.time and p.name like 'prometheus.%'
        and split_part(split_part(p.name, '{', 1), '/', 2) = t.target
      where t.target = $2::text
      order by p.name not like 'prometheus.serving.%', p.name collate "C" limit $3::bigint
      """, [host, target, String(limit)])
  }

  /// Figures of serving of one target over time, in buckets of equal width, the oldest first. Columns: figure (without `serving.`), time
  /// (the bucket's start), average, minimum, maximum.
  /// - Parameters:
  ///   - sinceNs: ns since 1970; before `untilNs`.
  ///   - points: 1 or more: buckets of each figure.
  package static func history(
    host: String, target: String, sinceNs: Int64, untilNs: Int64, points: Int64
  ) -> ReadQuery {
    let widthNs = max(1_000_000_000, (max(1, untilNs.subtractingClamped(sinceNs)) + points - 1) / points)
    return ReadQuery(
      """
      select substr(split_part(p.name, '/', 1), 20) as figure,
        date_bin(make_interval(secs => $5::float8), p.time, $3::timestamptz) as time, avg(p.value)::float8 as average,
        min(p.value)::float8 as minimum, max(p.value)::float8 as maximum
      from signalbox.probe_results p
      where p.host = (select number from signalbox.hosts where name = $1 and removed is null)
        and p.time >= $3::timestamptz and p.time < $4::timestamptz and p.name like 'prometheus.serving.%'
        and split_part(p.name, '/', 2) = $2::text
      group by 1, 2 order by 1, 2 limit 20000
      """,
      [host, target, Timestamp.text(sinceNs), Timestamp.text(untilNs), String(Double(widthNs) / 1e9)])
  }
}
