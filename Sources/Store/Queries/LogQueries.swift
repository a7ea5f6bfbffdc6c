package import FleetModel

/// Which log lines are asked for.
package struct LogFilter: Sendable, Hashable {
  /// Names, or patterns in which a `*` stands for any text; none: all.
  package var hosts: [String] = []
  /// Glob: `*` and `?`; without a slash it is matched against the file's name, else against its path.
  package var file: String?
  /// This level and those above it; nil also gives lines without a level.
  package var minimumLevel: Level?
  /// This level alone; lines without a level are of none.
  package var onlyLevel: Level?
  package var sinceNs: Int64?
  package var untilNs: Int64?
  /// Only lines that the collector read after this; for following.
  package var receivedAfterNs: Int64?
  /// Contained in the message, case-sensitive.
  package var text: String?
  /// POSIX regular expression as PostgreSQL has them.
  package var pattern: String?
  /// Of these hosts none; a glob as in `file`; not contained in the message.
  package var withoutHosts: [String] = []
  package var withoutFile: String?
  package var withoutText: String?
  /// Only lines of this template, or none of it: as `LogQueries.templates` names it.
  package var template: String?
  package var withoutTemplate: String?
  /// The newest so many; nil gives all.
  package var limit: Int?

  package init() {}
}

/// Which hosts and files a filter's names and patterns stand for.
package struct LogScope: Sendable, Equatable {
  /// Numbers of hosts and of the files that the filter's pattern matches on them; nil where the filter names none.
  package var hosts: [Int64]?
  package var files: [Int64]?
  /// The time within which `files` have lines, by the counts that are kept an hour; ns since 1970.
  package var filesSinceNs: Int64?
  package var filesUntilNs: Int64?

  package init() {}

  /// So few hosts are read one by one through their own index, each costing a page at the most; more of them are read
  /// together in the order of time.
  static let separateHostsMax = 32

  /// The hosts to read one by one.
  var separateHosts: [Int64]? { hosts.flatMap { $0.count <= Self.separateHostsMax ? $0 : nil } }

  /// Nothing can match: no such host, or no such file.
  package var isEmpty: Bool { hosts?.isEmpty == true || files?.isEmpty == true }
}

/// A position in the order of lines: time, host, file, offset.
package struct LogPosition: Sendable, Equatable {
  var time: String
  var host: String
  var file: String
  var offset: String
}

/// Questions about log lines.
package enum LogQueries {
  /// Files of one pattern beyond it are not looked up one by one.
  private static let filesMax = 100_000

  static let tables: [(name: String, level: Level, text: String)] = [
    ("log_error", .error, "'ERROR'"), ("log_warn", .warn, "'WARN'"),
    ("log_info", .info, "case level when 2 then 'INFO' end"), ("log_debug", .debug, "'DEBUG'"),
  ]

  /// Columns: hosts, files (arrays of numbers, null where the filter names none), first and last hour of the files' lines.
  static func scope(_ filter: LogFilter) -> ReadQuery {
    let names = filter.hosts.isEmpty ? nil : ArrayParameter.text(filter.hosts)
    return ReadQuery(
      """
      with named as (\(FleetQueries.hosts(ofAll: "$1"))),
      matching as (
        select f.host, f.number from signalbox.followed_files f
        where $2::text is not null and f.path like $2::text and ($1::text[] is null or f.host in (select number from named))
        limit \(filesMax)
      )
      select case when $2::text is not null then array(select distinct host from matching)::text
          when $1::text[] is not null then array(select number from named)::text end as hosts,
        case when $2::text is not null then array(select number from matching)::text end as files,
        case when $2::text is not null then (
          select min(first) from matching m cross join lateral (
            select min(time) as first from signalbox.log_counts c where c.host = m.host and c.file = m.number) x) end as first,
        case when $2::text is not null then (
          select max(last) from matching m cross join lateral (
            select max(time) as last from signalbox.log_counts c where c.host = m.host and c.file = m.number) x) end as last
      """, [names, filter.file.map { likePattern(glob: $0) }])
  }

  /// Fails with SQLSTATE 2201B where the database does not take the pattern: without a line to compare with, a mistake in it would not be
  /// noticed.
  package static func check(pattern: String) -> ReadQuery { ReadQuery("select '' ~ $1::text as matches", [pattern]) }

  /// The newest `filter.limit` lines, the oldest of them first. Columns: time, received, host, file, offset, level,
  /// message, flags.
  ///
  /// Each retention class is limited by itself, so that its own index answers and the union stays small.
  package static func newest(_ filter: LogFilter, _ scope: LogScope, limit: Int) -> ReadQuery {
    var statement = LogStatement(filter, scope)
    let order = "time desc, host desc, file desc, file_offset desc"
    return statement.query(order: order, ofHost: "host, " + order, limit: limit, position: "")
  }

  /// The oldest `limit` lines after a position, the oldest first; the columns of `newest` and then the position's.
  static func page(_ filter: LogFilter, _ scope: LogScope, after: LogPosition?, limit: Int) -> ReadQuery {
    var statement = LogStatement(filter, scope)
    if let after { statement.start(after: after) }
    let order = "time, host, file, file_offset"
    return statement.query(
      order: order, ofHost: "host desc, " + order, limit: limit,
      position: ", l.time::text, l.host, l.file, l.file_offset"
    )
  }

  /// One statement with its parameters.
  struct LogStatement {
    private(set) var parameters: [String?] = []
    private(set) var conditions: [String] = []
    private let scope: LogScope
    let floor: UInt8
    private let ceiling: UInt8

    init(_ filter: LogFilter, _ scope: LogScope) {
      self.scope = scope
      floor = max(filter.minimumLevel?.rawValue ?? 0, filter.onlyLevel?.rawValue ?? 0)
      ceiling = filter.onlyLevel?.rawValue ?? .max
      // The class of INFO has the lines without a level as well.
      if let level = filter.onlyLevel { conditions.append("level = \(level.rawValue)") }
      if let hosts = scope.hosts, scope.separateHosts == nil {
        conditions.append("host = any (\(parameter(Self.array(hosts)))::int4[])")
      }
      if let files = scope.files {
        conditions.append("file = any (\(parameter(Self.array(files)))::int4[])")
      }
      if let since = [filter.sinceNs, scope.filesSinceNs].compactMap({ $0 }).max() {
        conditions.append("time >= \(parameter(Timestamp.text(since)))::timestamptz")
      }
      if let until = [filter.untilNs, scope.filesUntilNs].compactMap({ $0 }).min() {
        conditions.append("time < \(parameter(Timestamp.text(until)))::timestamptz")
      }
      if let after = filter.receivedAfterNs {
        conditions.append("received > \(parameter(Timestamp.text(after)))::timestamptz")
      }
      if let text = filter.text {
        conditions.append("message like \(parameter("%" + LogQueries.escapedForLike(text) + "%"))::text")
      }
      if let pattern = filter.pattern {
        // A substring search costs a tenth of a regular expression, and the trigram index answers it.
        if let literal = RequiredLiteral.of(pattern) {
          conditions.append("message like \(parameter("%" + LogQueries.escapedForLike(literal) + "%"))::text")
        }
        conditions.append("message ~ \(parameter(pattern))::text")
      }
      exclude(filter)
    }

    private mutating func exclude(_ filter: LogFilter) {
      if !filter.withoutHosts.isEmpty {
        let names = parameter(ArrayParameter.text(filter.withoutHosts))
        conditions.append("host not in (\(FleetQueries.hosts(ofAll: names)))")
      }
      if let file = filter.withoutFile {
        let pattern = parameter(LogQueries.likePattern(glob: file))
        conditions.append("file not in (select number from signalbox.followed_files where path like \(pattern)::text)")
      }
      if let text = filter.withoutText {
        conditions.append("message not like \(parameter("%" + LogQueries.escapedForLike(text) + "%"))::text")
      }
      if let template = filter.template {
        // What every such line holds is sought first: a trigram index answers it, and it costs less than a regular expression.
        if let literal = LogTemplates.literal(of: template) {
          conditions.append("message like \(parameter("%" + LogQueries.escapedForLike(literal) + "%"))::text")
        }
        conditions.append(isOf(template))
      }
      if let template = filter.withoutTemplate { conditions.append("not \(isOf(template))") }
    }

    private mutating func isOf(_ template: String) -> String {
      let hash = parameter(LogTemplates.hash(of: template))
      return LogTemplates.isOf(hash: hash, text: parameter(template))
    }

    /// What `query` reads host by host, as a condition.
    mutating func restrictToSeparateHosts() {
      guard let hosts = scope.separateHosts else { return }
      conditions.append("host = any (\(parameter(Self.array(hosts)))::int4[])")
    }

    mutating func require(_ condition: String) { conditions.append(condition) }

    /// The retention classes that the levels leave.
    var classes: [(name: String, level: Level, text: String)] {
      LogQueries.tables.filter { (floor...max(floor, ceiling)).contains($0.level.rawValue) }
    }

    mutating func parameter(_ value: String?) -> String {
      parameters.append(value)
      return "$\(parameters.count)"
    }

    private static func array(_ numbers: [Int64]) -> String {
      "{" + numbers.map(String.init).joined(separator: ",") + "}"
    }

    mutating func start(after position: LogPosition) {
      let time = parameter(position.time) + "::timestamptz"
      let rest =
        [position.host, position.file].map { parameter($0) + "::int4" } + [parameter(position.offset) + "::int8"]
      // The first is what an index answers, the second is exact.
      conditions.append("time >= \(time)")
      conditions.append("(time, host, file, file_offset) > (\(([time] + rest).joined(separator: ", ")))")
    }

    /// - Parameters:
    ///   - order: of the lines that the limit keeps.
    ///   - ofHost: the same within one host. Asked for as a range in the order of host and time, which only that index has: for an
    ///     equal host the planner may go through all lines in the order of time, in the hope to find enough of his among them.
    ///   - position: further columns, behind a comma.
    mutating func query(order: String, ofHost: String, limit: Int, position: String) -> ReadQuery {
      let most = "limit \(parameter(String(limit)))::bigint"
      let limited = "order by \(order) \(most)"
      let columns = "time, received, host, file, file_offset"
      let hosts = scope.separateHosts.map { parameter(Self.array($0)) }
      let branches = classes.map { table in
        let filter = (hosts == nil ? [] : ["host between w.number and w.number"]) + conditions
        let lines = """
          select \(columns), \(table.text)::text as level, message, flags from signalbox.\(table.name)
          \(filter.isEmpty ? "" : "where " + filter.joined(separator: " and "))
          \(hosts == nil ? limited : "order by \(ofHost) \(most)")
          """
        guard let hosts else { return "(\(lines))" }
        return "(select x.* from unnest(\(hosts)::int4[]) as w (number) cross join lateral (\(lines)) x \(limited))"
      }
      return ReadQuery(
        """
        select l.time, l.received, h.name as host, f.path as file, l.file_offset as "offset", l.level, l.message,
          l.flags\(position)
        from (select * from (\(branches.joined(separator: " union all "))) u \(limited)) l
        left join signalbox.hosts h on h.number = l.host
        left join signalbox.followed_files f on f.number = l.file
        order by l.time, l.host, l.file, l.file_offset
        """, parameters)
    }
  }

  /// `*.log` → `%/%.log`; `/srv/*/a?.log` → `/srv/%/a_.log`.
  package static func likePattern(glob: String) -> String {
    let converted = glob.unicodeScalars.map { scalar in
      switch scalar {
      case "*": "%"
      case "?": "_"
      case "%", "_", "\\": "\\\(scalar)"
      default: "\(scalar)"
      }
    }.joined()
    return glob.utf8.contains(UInt8(ascii: "/")) ? converted : "%/" + converted
  }

  static func escapedForLike(_ text: String) -> String {
    text.unicodeScalars.map { $0 == "%" || $0 == "_" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
  }
}
