internal import FleetModel

/// Lines that differ only in their numbers and names with digits are one template.
///
/// A word with a digit in it is a variable, and so are several in a row with `.`, `:`, `,` or `-` between them, such as an address
/// or a time. PostgreSQL makes the template while it counts: a million lines need not leave the database to be folded.
package enum LogTemplates {
  /// Of a longer line the rest does not count: the head of a record says what kind it is, and a template stands in an address.
  package static let scalarsMax = 400
  /// Stands for a variable.
  package static let variable = "#"

  /// Of a row of a table of lines. Without a collation, which costs a multiple.
  static let expression = """
    regexp_replace(regexp_replace(left(message, \(scalarsMax)) collate "C", '[A-Za-z0-9_]*[0-9][A-Za-z0-9_]*', '#', 'g'), \
    '#([-.:,]#)+', '#', 'g')
    """

  /// The longest text that every line of a template contains; nil where it is too short to sieve.
  static func literal(of template: String) -> String? {
    let longest = template.unicodeScalars.split(separator: "#").max { $0.count < $1.count }
    guard let longest, longest.count >= RequiredLiteral.scalarsMin else { return nil }
    return String(String.UnicodeScalarView(longest))
  }
}

extension LogQueries {
  /// The templates of the lines within a time, the most frequent first, and one row for all that the limit leaves out, so that the
  /// counts add up to the number of lines.
  ///
  /// Columns: template (null: the others), templates (how many the row stands for), level (the worst), lines, hosts, files, first,
  /// last, first_host, first_file: where the first line of it stands.
  /// - Parameters:
  ///   - sinceNs: ns since 1970; those of the filter do not count.
  ///   - limit: 1 or more.
  package static func templates(
    _ filter: LogFilter, _ scope: LogScope, sinceNs: Int64, untilNs: Int64, limit: Int
  ) -> ReadQuery {
    var statement = LogStatement(filter.withoutTimes, scope)
    statement.restrictToSeparateHosts()
    let branches = statement.branches(
      "\(LogTemplates.expression) as template, host, file, max(level) as level, count(*) as lines, min(time) as first, "
        + "max(time) as last", grouping: "1, 2, 3", sinceNs, untilNs)
    let most = statement.parameter(String(limit))
    return ReadQuery(
      """
      with counted as (
        select template, host, file, max(level) as level, sum(lines) as lines, min(first) as first, max(last) as last
        from (\(branches)) b group by 1, 2, 3
      ), ranked as (
        select template, max(level) as level, sum(lines) as lines, count(distinct host) as hosts,
          count(distinct file) as files, min(first) as first, max(last) as last,
          (array_agg(host order by first, host, file))[1] as host, (array_agg(file order by first, host, file))[1] as file,
          row_number() over (order by sum(lines) desc, template) as place
        from counted group by template
      ), shown as (
        select template, 1::bigint as templates, level, lines, hosts, files, first, last, host, file, place from ranked
        where place <= \(most)::bigint
        union all
        select null, count(*), max(level), sum(lines),
          (select count(distinct c.host) from counted c join ranked r using (template) where r.place > \(most)::bigint),
          (select count(distinct c.file) from counted c join ranked r using (template) where r.place > \(most)::bigint),
          min(first), max(last), (array_agg(host order by first, place))[1], (array_agg(file order by first, place))[1],
          \(most)::bigint + 1
        from ranked where place > \(most)::bigint having count(*) > 0
      )
      select s.template, s.templates, \(Self.levelWord("s.level")) as level, s.lines::bigint as lines, s.hosts, s.files,
        s.first, s.last, h.name as first_host, f.path as first_file
      from shown s left join signalbox.hosts h on h.number = s.host
      left join signalbox.followed_files f on f.number = s.file
      order by s.place
      """, statement.parameters)
  }

  static func levelWord(_ column: String) -> String {
    "case \(column) when 4 then 'ERROR' when 3 then 'WARN' when 2 then 'INFO' when 1 then 'DEBUG' end"
  }
}

extension LogFilter {
  /// The same without a time: for statements that have their own.
  var withoutTimes: LogFilter {
    var filter = self
    (filter.sinceNs, filter.untilNs) = (nil, nil)
    return filter
  }
}

extension LogQueries.LogStatement {
  /// The same question to each table of lines that the least level leaves, as one relation.
  mutating func branches(
    _ columns: String, grouping: String, _ sinceNs: Int64, _ untilNs: Int64
  ) -> String {
    let (since, until) = (parameter(Timestamp.text(sinceNs)), parameter(Timestamp.text(untilNs)))
    let range = ["time >= \(since)::timestamptz", "time < \(until)::timestamptz"]
    let condition = (conditions + range).joined(separator: " and ")
    return LogQueries.tables.filter { $0.level.rawValue >= floor }.map { table in
      "select \(columns) from signalbox.\(table.name) where \(condition) group by \(grouping)"
    }.joined(separator: " union all ")
  }
}
