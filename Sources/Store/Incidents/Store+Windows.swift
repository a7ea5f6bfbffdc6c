internal import FleetModel
internal import Incidents
internal import Postgres

extension Store {
  /// The window in force at a time, or else the next one.
  ///
  /// PostgreSQL computes the calendar: a local time that a change of the clocks skips is moved by the gap, and of one
  /// that occurs twice the later one counts. The length is elapsed time, so that a window over such a change is neither
  /// shorter nor longer.
  /// - Throws: `.unknownZone`; `.neverComes` for a day that no calendar has, such as 31 February.
  func window(_ repetition: Repetition, nowNs: Int64) throws(StoreError) -> (startNs: Int64, endNs: Int64) {
    let known = try ask(
      "select exists (select from pg_timezone_names where name = $1)", [.text(repetition.zone)])
    guard known.bool(0, 0) == true else { throw .unknownZone(repetition.zone) }
    let cron = repetition.cron
    let rows = try ask(
      """
      select start from (
        select (d::date + make_time(h, m, 0)) at time zone $1 as start
        from generate_series(
            date_trunc('day', ($2::timestamptz - $3::float8 * interval '1 s') at time zone $1) - interval '1 day',
            ($2::timestamptz at time zone $1) + interval '9 years', interval '1 day') d
          cross join unnest($4::int4[]) h cross join unnest($5::int4[]) m
        where extract(month from d)::int = any($6)
          and case when $9 then extract(day from d)::int = any($7) or extract(dow from d)::int = any($8)
            else extract(day from d)::int = any($7) and extract(dow from d)::int = any($8) end
        order by d, h, m limit 6000
      ) windows where start + $3::float8 * interval '1 s' > $2 order by start limit 1
      """,
      [
        .text(repetition.zone), .time(us: nowNs / 1000), .float8(Double(repetition.lengthNs) / 1e9),
        .int4s(cron.hours.map(Int32.init)), .int4s(cron.minutes.map(Int32.init)), .int4s(cron.months.map(Int32.init)),
        .int4s(cron.days.map(Int32.init)), .int4s(cron.weekdays.map(Int32.init)), .bool(cron.isEitherDay),
      ])
    guard let startUs = rows.timeUs(0, 0) else { throw .neverComes(cron.text) }
    let startNs = PostgresTime.ns(us: startUs)
    return (startNs, startNs.addingClamped(repetition.lengthNs))
  }

  /// Moves repeated silences whose window has ended to their next window. One that follows without a gap is joined to the window before it ends:
  /// moved after its end, the silence would be missing until then.
  func advanceWindows(_ nowNs: Int64) throws(StoreError) {
    let rows = try ask(
      """
      select number, cron, zone, (extract(epoch from length) * 1000000)::bigint, ends from signalbox.silences
      where cron is not null and ended_by is null and ends <= $1::timestamptz + interval '1 min' order by number
      """, [.time(us: nowNs / 1000)])
    for row in 0..<rows.count {
      guard let number = rows.int(row, 0), let cron = try? CronExpression(rows.text(row, 1) ?? "") else { continue }
      let repetition = Repetition(
        cron: cron, zone: rows.text(row, 2) ?? "UTC", lengthNs: PostgresTime.ns(us: rows.int(row, 3) ?? 0))
      let endsNs = rows.timeNs(row, 4) ?? nowNs
      let next = try window(repetition, nowNs: max(nowNs, endsNs))
      let isJoined = endsNs > nowNs && next.startNs <= endsNs
      guard isJoined || endsNs <= nowNs else { continue }
      try run(
        "update signalbox.silences set starts = case when $4 then starts else $2 end, ends = $3 where number = $1",
        [
          .int8(number), .time(us: next.startNs / 1000), .time(us: next.endNs / 1000), .bool(isJoined),
        ])
    }
  }
}
