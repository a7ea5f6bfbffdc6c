internal import FleetModel

extension LogQueries {
  /// How far from a line its neighbours may be: a file that is quiet for longer has none.
  private static let nearest = "interval '1 day'"
  /// What counts as the same moment on another host, to each side.
  package static let momentSeconds = 30

  /// A line with the lines before and behind it in its file, and what the other hosts of its run wrote within half a minute.
  ///
  /// Columns: place (`before`, `line`, `after`, or `elsewhere`), time, host, file, offset, level, message. The file's lines come first,
  /// the oldest of them first.
  /// - Parameters:
  ///   - timeNs: of the line, ns since 1970.
  ///   - offset: of the line in its file.
  ///   - lines: to each side, and in all of those elsewhere; 1 or more.
  package static func context(
    host: String, file: String, timeNs: Int64, offset: Int64, lines: Int
  ) -> ReadQuery {
    ReadQuery(
      """
      with here as (
        select h.number as host, array(
          select f.number from signalbox.followed_files f where f.host = h.number and f.path = $2) as files
        from signalbox.hosts h where h.name = $1
      ),
      others as (
        select distinct o.host from signalbox.runs r join signalbox.runs o on o.number <> r.number and \(RunQueries.isSame("r", "o"))
        where r.host in (select host from here) and r.started <= $3::timestamptz and r.updated >= $3::timestamptz - \(nearest)
          and o.started <= $3::timestamptz and o.updated >= $3::timestamptz - \(nearest)
      ),
      near as (
        (\(inFile("<", "desc", "l.time >= $3::timestamptz - \(nearest)")))
        union all (\(inFile(">=", "asc", "l.time <= $3::timestamptz + \(nearest)")))
      ),
      elsewhere as (
        select * from (\(tables.map { moment($0.name) }.joined(separator: " union all "))) m
        order by abs(extract(epoch from m.time - $3::timestamptz)), time, host, file, file_offset limit $5::bigint
      )
      select n.place, n.time, h.name as host, f.path as file, n.file_offset as "offset", \(levelWord("n.level")) as level,
        n.message
      from (
        select case when (time, file_offset) < ($3::timestamptz, $4::int8) then 'before'
          when (time, file_offset) = ($3::timestamptz, $4::int8) then 'line' else 'after' end as place, near.* from near
        union all select 'elsewhere', elsewhere.* from elsewhere
      ) n
      left join signalbox.hosts h on h.number = n.host left join signalbox.followed_files f on f.number = n.file
      order by n.place = 'elsewhere', n.time, n.host, n.file, n.file_offset
      """, [host, file, Timestamp.text(timeNs), String(offset), String(lines)])
  }

  private static let columns = "l.time, l.host, l.file, l.file_offset, l.level, l.message"

  /// In the order of host and time, which only that index has, as `LogStatement.query` reads one host.
  private static func inFile(_ comparison: String, _ direction: String, _ bound: String) -> String {
    let order = "time \(direction), file_offset \(direction)"
    // The line itself stands among those behind it.
    let most = comparison == "<" ? "$5::bigint" : "$5::bigint + 1"
    let host = "(select host from here)"
    let branches = tables.map { table in
      """
      (select \(columns) from signalbox.\(table.name) l
      where l.host between \(host) and \(host) and l.file = any ((select files from here)::int4[])
        and \(bound) and l.time \(comparison == "<" ? "<=" : ">=") $3::timestamptz
        and (l.time, l.file_offset) \(comparison) ($3::timestamptz, $4::int8)
      order by host \(direction == "desc" ? "asc" : "desc"), \(order) limit \(most))
      """
    }
    return "select * from (\(branches.joined(separator: " union all "))) u order by \(order) limit \(most)"
  }

  private static func moment(_ table: String) -> String {
    """
    (select \(columns) from signalbox.\(table) l where l.host in (select host from others)
      and l.time between $3::timestamptz - interval '\(momentSeconds) s' and $3::timestamptz + interval '\(momentSeconds) s')
    """
  }
}
