internal import FleetModel

/// Lines that differ only in their numbers and names with digits are one template: `FleetModel.LogTemplate`.
///
/// A line is stored with the hash of its template, by which a million lines are folded without being read. The expressions here make the
/// text of those that are shown, and the templates of lines that have no hash.
package enum LogTemplates {
  /// Words with a digit are variables: of a row of a table of lines. Without a collation, which costs a multiple.
  static let words =
    "regexp_replace(left(message, \(LogTemplate.scalarsMax)) collate \"C\", '[A-Za-z0-9_]*[0-9][A-Za-z0-9_]*', '#', 'g')"

  /// Several variables in a row are one.
  static func joined(_ words: String) -> String { "regexp_replace(\(words), '#([-.:,]#)+', '#', 'g')" }

  package static let expression = joined(words)

  /// A line is of the template that two parameters name.
  static func isOf(hash: String, text: String) -> String {
    "case when template is null then \(expression) = \(text)::text else template = \(hash)::bigint end"
  }

  /// The hash of a template, as its lines have it.
  static func hash(of template: String) -> String { String(Int64(bitPattern: LogTemplate.hash(of: template))) }

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
    let folded = statement.foldedLines(sinceNs, untilNs)
    let most = statement.parameter(String(limit))
    let text = { (row: String) in
      let lines = statement.tables.map {
        "select message from signalbox.\($0) where host = \(row).host and time = \(row).first and file = \(row).file "
          + "and template = \(row).template"
      }
      return "(select \(LogTemplates.expression) from (\(lines.joined(separator: " union all "))) l limit 1)"
    }
    let earliest = { (column: String, order: String) in "(array_agg(\(column) order by \(order)))[1] as \(column)" }
    // A template's key is its hash, which has digits, or where some of its lines have none its text, which has no digits.
    return ReadQuery(
      """
      with folded as materialized (
        \(folded)
      ), named as (
        select n.template, \(text("n")) as text from (
          select template, \(earliest("host", "first, host, file")), \(earliest("file", "first, host, file")), min(first) as first
          from folded where template is not null and exists (select from folded where template is null) group by 1
        ) n
      ), counted as (
        select coalesce(f.text, n.text, f.template::text) as key, coalesce(f.text, n.text) as text, f.template, f.host, f.file, f.level,
          f.lines, f.first, f.last
        from folded f left join named n on n.template = f.template
      ), ranked as (
        select key, max(text) as text, max(template) as template, max(level) as level, sum(lines) as lines, count(distinct host) as hosts,
          count(distinct file) as files, min(first) as first, max(last) as last,
          \(earliest("host", "first, host, file")), \(earliest("file", "first, host, file")),
          row_number() over (order by sum(lines) desc, key) as place
        from counted group by key
      ), shown as (
        select key, text, template, 1::bigint as templates, level, lines, hosts, files, first, last, host, file, place from ranked
        where place <= \(most)::bigint
        union all
        select null, null, null, count(*), max(level), sum(lines),
          (select count(distinct c.host) from counted c join ranked r using (key) where r.place > \(most)::bigint),
          (select count(distinct c.file) from counted c join ranked r using (key) where r.place > \(most)::bigint),
          min(first), max(last), \(earliest("host", "first, place")), \(earliest("file", "first, place")),
          \(most)::bigint + 1
        from ranked where place > \(most)::bigint having count(*) > 0
      )
      select case when s.key is not null then coalesce(s.text, \(text("s"))) end as template, s.templates,
        \(Self.levelWord("s.level")) as level, s.lines::bigint as lines, s.hosts, s.files,
        s.first, s.last, h.name as first_host, f.path as first_file
      from shown s left join signalbox.hosts h on h.number = s.host
      left join signalbox.followed_files f on f.number = s.file
      order by s.key is null, s.lines desc, 1
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
    let condition = within(sinceNs, untilNs)
    return tables.map { "select \(columns) from signalbox.\($0) where \(condition) group by \(grouping)" }
      .joined(separator: " union all ")
  }

  private mutating func within(_ sinceNs: Int64, _ untilNs: Int64) -> String {
    let (since, until) = (parameter(Timestamp.text(sinceNs)), parameter(Timestamp.text(untilNs)))
    return (conditions + ["time >= \(since)::timestamptz", "time < \(until)::timestamptz"]).joined(separator: " and ")
  }

  /// Per template, or text of one where lines have no hash, and file: template, text, host, file, level (the worst), lines, first, last.
  ///
  /// Grouped by what the planner can count: a file is of one host, so the host is no key of its own, and lines without a hash are a
  /// question of their own. With both in one key it expects as many groups as lines, and sorts a million of them on disk.
  mutating func foldedLines(_ sinceNs: Int64, _ untilNs: Int64) -> String {
    let condition = within(sinceNs, untilNs)
    let summary =
      "min(host) as host, file, max(level) as level, count(*) as lines, min(time) as first, max(time) as last"
    let branches = tables.flatMap { table in
      [
        "select template, null as text, \(summary) from signalbox.\(table) where \(condition) and template is not null "
          + "group by template, file",
        "select null, \(LogTemplates.joined("words")), host, file, level, lines, first, last from (select \(LogTemplates.words) "
          + "as words, \(summary) from signalbox.\(table) where \(condition) and template is null group by 1, file) w",
      ]
    }
    return branches.joined(separator: " union all ")
  }

  /// The tables of lines that the levels leave.
  var tables: [String] { classes.map(\.name) }
}
