internal import FleetModel

/// Questions about how GPUs are used.
package enum GPUQueries {
  /// Less of its memory in use counts as free: the driver itself holds some hundred MiB.
  package static let heldBytes: Int64 = 1 << 30
  package static let idlePercent = 5
  package static let rowsMax = 500
  /// Processes are looked for in the last minutes.
  private static let recent = "interval '10 minutes'"

  /// Hours of today (UTC) a GPU: whole ones from their aggregates, the present one from its minutes. The last hour's aggregate is made some
  /// minutes late: until then that hour is not counted.
  private static let judged = """
    hours as (
      select host, index, time, utilization_percent as used, memory_used_bytes as held, 1::float8 as hours
      from signalbox.gpu_1h
      where time >= date_trunc('day', now(), 'UTC') and time < date_trunc('hour', now(), 'UTC')
      union all
      select host, index, date_trunc('hour', now(), 'UTC'), avg(utilization_percent), avg(memory_used_bytes)::bigint,
        count(*) / 60::float8
      from signalbox.gpu_1m where time >= date_trunc('hour', now(), 'UTC') group by 1, 2
    ), judged as (
      select *, used < \(idlePercent) and held >= \(heldBytes) as is_idle from hours
    )
    """

  /// GPUs that were held and idle today, those with the most such hours first.
  ///
  /// Columns: host, gpu (its index), model, idle_hours (of today), is_idle_now (also in the present hour), memory_bytes (average of the
  /// idle hours), users (of processes on the host that hold memory of a GPU; null where none was reported), run and id (the host's newest
  /// live run). A process does not say which GPU of its host it holds: where several users hold some, all are named.
  /// - Parameter limit: 1 or more.
  package static func idle(limit: Int) -> ReadQuery {
    ReadQuery(
      """
      with \(judged), idle as (
        select host, index, sum(hours) as hours, avg(held)::bigint as held, max(time) = date_trunc('hour', now(), 'UTC') as is_now
        from judged where is_idle group by 1, 2 order by 3 desc, 1, 2 limit $1::bigint
      )
      select h.name as host, i.index as gpu, h.gpu_model as model, i.hours as idle_hours, i.is_now as is_idle_now,
        i.held as memory_bytes, p.users, r.run, r.number as id
      from idle i join signalbox.hosts h on h.number = i.host and h.removed is null
      left join lateral (
        select string_agg(distinct s.user_name, ', ') as users from signalbox.process_samples s
        where s.host = i.host and s.time > now() - \(recent) and s.gpu_memory_bytes > 0
      ) p on true
      left join lateral (
        select r.run, r.number from signalbox.runs r
        where r.host = i.host and r.state = 1 order by r.updated desc limit 1
      ) r on true
      order by i.hours desc, 1, 2
      """, [String(limit)])
  }

  /// One row. Columns: reported_hours (of all GPUs today), idle_hours (those held and idle).
  package static func hours() -> ReadQuery {
    ReadQuery(
      """
      with \(judged)
      select coalesce(sum(hours), 0) as reported_hours, coalesce(sum(hours) filter (where is_idle), 0) as idle_hours
      from judged
      """)
  }
}
