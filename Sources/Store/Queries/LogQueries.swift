package import FleetModel

/// Which log lines are asked for.
package struct LogFilter: Sendable, Equatable {
  package var hosts: [String] = []
  /// Glob: `*` and `?`; without a slash it is matched against the file's name, else against its path.
  package var file: String?
  /// This level and those above it; nil also gives lines without a level.
  package var minimumLevel: Level?
  package var sinceNs: Int64?
  package var untilNs: Int64?
  /// Only lines that the collector read after this; for following.
  package var receivedAfterNs: Int64?
  /// Contained in the message, case-sensitive.
  package var text: String?
  /// POSIX regular expression as PostgreSQL has them.
  package var pattern: String?
  /// The newest so many; nil gives all.
  package var limit: Int?

  package init() {}
}

/// Questions about log lines.
package enum LogQueries {
  private static let tables: [(name: String, level: Level, text: String)] = [
    ("log_error", .error, "'ERROR'"), ("log_warn", .warn, "'WARN'"),
    ("log_info", .info, "case level when 2 then 'INFO' end"), ("log_debug", .debug, "'DEBUG'"),
  ]

  /// Oldest first. Columns: time, received, host, file, offset, level, message, flags.
  ///
  /// Each retention class is limited by itself, so that its own index answers and the union stays small.
  package static func lines(_ filter: LogFilter) -> ReadQuery {
    var parameters: [String?] = []
    func parameter(_ value: String?) -> String {
      parameters.append(value)
      return "$\(parameters.count)"
    }
    let conditions = conditions(filter, parameter)
    let limit =
      filter.limit.map { "order by time desc, file desc, file_offset desc limit " + parameter(String($0)) + "::bigint" }
      ?? ""
    let floor = filter.minimumLevel?.rawValue ?? 0
    let branches = tables.filter { $0.level.rawValue >= floor }.map { table in
      """
      (select time, received, host, file, file_offset, \(table.text)::text as level, message, flags
        from signalbox.\(table.name)\(conditions.isEmpty ? "" : " where " + conditions.joined(separator: " and ")) \(limit))
      """
    }
    let newest = "select * from (\(branches.joined(separator: " union all "))) u \(limit)"
    let sql = """
      select l.time, l.received, h.name as host, f.path as file, l.file_offset as "offset", l.level, l.message, l.flags
      from (\(newest)) l
      left join signalbox.hosts h on h.number = l.host
      left join signalbox.followed_files f on f.number = l.file
      order by l.time, l.host, l.file, l.file_offset
      """
    return ReadQuery(sql, parameters)
  }

  private static func conditions(_ filter: LogFilter, _ parameter: (String?) -> String) -> [String] {
    var conditions: [String] = []
    if !filter.hosts.isEmpty {
      let names = parameter(ArrayParameter.text(filter.hosts))
      conditions.append("host = any (array(select number from signalbox.hosts where name = any (\(names)::text[])))")
    }
    if let file = filter.file {
      let pattern = parameter(likePattern(glob: file))
      conditions.append(
        "file = any (array(select number from signalbox.followed_files where path like \(pattern)::text))")
    }
    if let since = filter.sinceNs { conditions.append("time >= \(parameter(Timestamp.text(since)))::timestamptz") }
    if let until = filter.untilNs { conditions.append("time < \(parameter(Timestamp.text(until)))::timestamptz") }
    if let after = filter.receivedAfterNs {
      conditions.append("received > \(parameter(Timestamp.text(after)))::timestamptz")
    }
    if let text = filter.text { conditions.append("message like \(parameter("%" + escapedForLike(text) + "%"))::text") }
    if let pattern = filter.pattern { conditions.append("message ~ \(parameter(pattern))::text") }
    return conditions
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

  private static func escapedForLike(_ text: String) -> String {
    text.unicodeScalars.map { $0 == "%" || $0 == "_" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
  }
}
