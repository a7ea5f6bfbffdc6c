internal import FleetModel

/// How the time of a search is divided for its histogram.
package struct LogBuckets: Sendable, Equatable {
  /// ns since 1970.
  package let sinceNs: Int64
  package let untilNs: Int64
  package let widthNs: Int64
  /// Whole hours are read from the counts that are kept; only what is left at both ends is counted line by line.
  let usesCounts: Bool

  private static let hourNs: Int64 = 3_600_000_000_000
  private static let secondNs: Int64 = 1_000_000_000
  /// Below it the hours at both ends would be most of it.
  private static let countsMinNs = 6 * hourNs
  private static let widthsNs: [Int64] = [1, 5, 10, 30, 60, 300, 600, 1800].map { $0 * secondNs }
  private static let hours: [Int64] = [1, 3, 6, 12, 24, 72, 168, 720]

  /// - Parameters:
  ///   - sinceNs: before `untilNs`.
  ///   - most: about how many buckets, 1 or more.
  package init(_ filter: LogFilter, sinceNs: Int64, untilNs: Int64, most: Int64 = 60) {
    let spanNs = max(1, untilNs.subtractingClamped(sinceNs))
    // Of what a line says, the counts know its level only.
    let isByText = [filter.text, filter.pattern, filter.withoutText, filter.template, filter.withoutTemplate]
      .contains { $0 != nil }
    usesCounts = !isByText && filter.receivedAfterNs == nil && spanNs >= Self.countsMinNs
    let widths = (usesCounts ? [] : Self.widthsNs) + Self.hours.map { $0 * Self.hourNs }
    widthNs = widths.first { spanNs / $0 < most } ?? max(1, spanNs / most / Self.hourNs) * Self.hourNs
    (self.sinceNs, self.untilNs) = (sinceNs, untilNs)
  }

  /// Ranges to count line by line, and the whole hours between them.
  var parts: (lines: [(Int64, Int64)], counts: (Int64, Int64)?) {
    guard usesCounts else { return ([(sinceNs, untilNs)], nil) }
    let first = (sinceNs + Self.hourNs - 1) / Self.hourNs * Self.hourNs
    let last = untilNs / Self.hourNs * Self.hourNs
    return ([(sinceNs, first), (last, untilNs)].filter { $0.0 < $0.1 }, (first, last))
  }
}

extension LogQueries {
  /// Names of one facet.
  private static let facetMax = 10

  /// How many lines a filter lets through, as a histogram by level, and by host, file and level: all of them, not only the
  /// newest, which are shown.
  ///
  /// Columns: facet (`histogram`, `level`, `host`, `file`), time (start of the bucket, histogram only), level, name, lines. Of hosts
  /// and files the ten with the most lines.
  package static func counts(_ filter: LogFilter, _ scope: LogScope, _ buckets: LogBuckets) -> ReadQuery {
    var scope = scope
    (scope.filesSinceNs, scope.filesUntilNs) = (nil, nil)
    var statement = LogStatement(filter.withoutTimes, scope)
    statement.restrictToSeparateHosts()
    let width = statement.parameter(String(Double(buckets.widthNs) / 1e9))
    let bucket = "date_bin(make_interval(secs => \(width)::float8), time, timestamptz 'epoch')"
    let parts = buckets.parts
    var relations = parts.lines.map { since, until in
      statement.branches(
        "\(bucket) as bucket, host, file, level, count(*) as lines", grouping: "1, 2, 3, 4", since, until)
    }
    if let (since, until) = parts.counts {
      let range = [since, until].map { statement.parameter(Timestamp.text($0)) + "::timestamptz" }
      let conditions =
        statement.conditions + ["time >= \(range[0])", "time < \(range[1])", "level >= \(statement.floor)"]
      relations.append(
        "select \(bucket) as bucket, host, file, level, lines from signalbox.log_counts where "
          + conditions.joined(separator: " and "))
    }
    let facet = { (name: String, column: String, join: String) in
      """
      select * from (
        select '\(name)', null::timestamptz, null::text, \(column), sum(lines)::bigint as lines
        from counted c \(join) group by \(column) order by 5 desc, 4 limit \(facetMax)
      ) \(name)_facet
      """
    }
    return ReadQuery(
      """
      with counted as (
        select bucket, host, file, level, sum(lines) as lines from (\(relations.joined(separator: " union all "))) r
        group by 1, 2, 3, 4
      )
      select 'histogram' as facet, bucket as time, \(levelWord("level")) as level, null::text as name,
        sum(lines)::bigint as lines
      from counted group by bucket, level
      union all select 'level', null, \(levelWord("level")), null, sum(lines)::bigint from counted group by level
      union all \(facet("host", "h.name", "left join signalbox.hosts h on h.number = c.host"))
      union all \(facet("file", "f.path", "left join signalbox.followed_files f on f.number = c.file"))
      order by facet, time, lines desc, level, name
      """, statement.parameters)
  }
}
