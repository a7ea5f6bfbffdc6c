internal import FleetModel

/// What is new among the templates of a search: asked for those that are shown only, because no index leads from a template to its lines.
extension LogQueries {
  /// Which templates have a line within a time. Column: template.
  ///
  /// One pass over the lines that the filter lets through, by their hashes; the text is made of lines without one only.
  /// - Parameters:
  ///   - templates: as `templates` names them.
  ///   - sinceNs: ns since 1970; those of the filter do not count.
  package static func templatesSeen(
    _ templates: [String], _ filter: LogFilter, _ scope: LogScope, sinceNs: Int64, untilNs: Int64
  ) -> ReadQuery {
    var statement = LogStatement(filter.withoutTimes, scope)
    statement.restrictToSeparateHosts()
    let hashes = statement.parameter(ArrayParameter.text(templates.map(LogTemplates.hash)))
    let texts = statement.parameter(ArrayParameter.text(templates))
    statement.require("(template = any (\(hashes)::bigint[]) or template is null)")
    let folded = statement.foldedLines(sinceNs, untilNs)
    return ReadQuery(
      """
      with found as materialized (select template, text from (\(folded)) b group by 1, 2)
      select w.text as template from unnest(\(texts)::text[], \(hashes)::bigint[]) as w (text, hash)
      where exists (select from found f where f.template = w.hash or f.text = w.text)
      """, statement.parameters)
  }

  /// Whether lines of each level reach back to a time: classes are kept for different times, and a young fleet has none. Columns: level,
  /// is_kept.
  /// - Parameter sinceNs: ns since 1970.
  package static func kept(sinceNs: Int64) -> ReadQuery {
    let rows = tables.map { table in
      "select \(levelWord(String(table.level.rawValue))) as level, "
        + "exists (select from signalbox.\(table.name) where time <= $1::timestamptz) as is_kept"
    }
    return ReadQuery(rows.joined(separator: " union all "), [Timestamp.text(sinceNs)])
  }
}
