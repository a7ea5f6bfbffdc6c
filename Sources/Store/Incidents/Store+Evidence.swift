package import FleetModel
internal import Incidents
internal import Postgres

/// Limits of the evidence that is read for a finding.
enum EvidenceLimits {
  /// Timeout of one request: evidence must not delay a page.
  static let timeoutMs = 250
  /// Oldest sample that is evidence of a moment.
  static let sampleUs: Int64 = 180_000_000
  static let linesUs: Int64 = 600_000_000
  static let eventsUs: Int64 = 3_600_000_000
  static let processesMax = 5
  static let messagesMax = 10
  static let stepsMax = 5
  static let linesMax = 100
  static let charactersMax = 500
}

extension Store {
  /// Reads the evidence that a rule asks for from the fleet's tables, one line each.
  ///
  /// A request that is not answered in time is replaced by a line that reports this, because the page must not wait.
  /// - Parameters:
  ///   - entity: entity of the finding, as in `IncidentChange`.
  ///   - atNs: time of the finding by the host's clock, ns since 1970.
  /// - Throws: only where the connection is lost.
  package func evidence(
    _ requests: [EvidenceRequest], hostNumber: Int32, entity: String, atNs: Int64
  ) throws(StoreError) -> [String] {
    var lines: [String] = []
    for request in requests {
      do throws(StoreError) {
        lines += try inTransaction { () throws(StoreError) in
          try run("set local statement_timeout = \(EvidenceLimits.timeoutMs)")
          return try evidence(request, EvidenceMoment(host: hostNumber, entity: entity, atUs: atNs / 1000))
        }
      } catch {
        if error.isConnectionLost { throw error }
        lines.append("(\(request.word) could not be read in time)")
      }
    }
    return lines.map { String($0.prefix(EvidenceLimits.charactersMax)) }
  }

  private func evidence(_ request: EvidenceRequest, _ moment: EvidenceMoment) throws(StoreError) -> [String] {
    switch request {
    case .topProcesses: try topProcesses(moment)
    case .kernelMessages: try kernelMessages(moment)
    case .gpuState: try gpuState(moment)
    case .recentSteps: try recentSteps(moment)
    case .log(let file, let lines): try lastLines(file, lines, moment)
    case .metric(let name, let overNs): try values(of: name, overUs: overNs / 1000, moment)
    }
  }

  private func topProcesses(_ moment: EvidenceMoment) throws(StoreError) -> [String] {
    let rows = try ask(
      """
      select name || '[' || pid || '] cpu ' || round(coalesce(cpu_percent, 0)::numeric, 1) || ' %, memory '
        || coalesce(resident_bytes, 0) / 1048576 || ' MiB'
        || case when gpu_memory_bytes > 0 then ', GPU memory ' || gpu_memory_bytes / 1048576 || ' MiB' else '' end
      from (
        select distinct on (pid) pid, name, cpu_percent, resident_bytes, gpu_memory_bytes from signalbox.process_samples
        where host = $1 and time > $2 and time <= $3 order by pid, time desc
      ) newest
      order by cpu_percent desc nulls last, resident_bytes desc nulls last limit \(EvidenceLimits.processesMax)
      """, moment.parameters(before: EvidenceLimits.sampleUs))
    return rows.texts
  }

  private func kernelMessages(_ moment: EvidenceMoment) throws(StoreError) -> [String] {
    let kinds = [EventKind.kernel, .oomKill, .xid, .ioError, .hungTask].map { String($0.rawValue) }
    let rows = try ask(
      """
      select \(Self.clock) || ' ' || message from signalbox.events
      where host = $1 and time > $2 and time <= $3 and kind in (\(kinds.joined(separator: ", ")))
      order by time desc limit \(EvidenceLimits.messagesMax)
      """, moment.parameters(before: EvidenceLimits.eventsUs))
    return rows.texts.reversed()
  }

  private func gpuState(_ moment: EvidenceMoment) throws(StoreError) -> [String] {
    let rows = try ask(
      """
      select 'gpu ' || index || ' ' || case state when 0 then '' when 1 then 'ABSENT ' else 'STUCK ' end
        || concat_ws(', ', round(utilization_percent::numeric) || ' %', round(temperature_celsius::numeric) || ' °C',
          round(power_watts::numeric) || ' W', memory_used_bytes / 1048576 || ' of ' || memory_total_bytes / 1048576 || ' MiB',
          nullif('throttled ' || throttle_reasons, 'throttled 0'), nullif('uncorrected ECC ' || ecc_uncorrected_total, 'uncorrected ECC 0'))
      from (
        select distinct on (index) * from signalbox.gpu_samples
        where host = $1 and time > $2 and time <= $3 order by index, time desc
      ) newest order by index
      """, moment.parameters(before: EvidenceLimits.sampleUs))
    return rows.texts
  }

  private func recentSteps(_ moment: EvidenceMoment) throws(StoreError) -> [String] {
    let rows = try ask(
      """
      select \(Self.clock) || ' episode ' || episode || ' step ' || step || coalesce(', reward ' || reward, '')
        || coalesce(', portfolio ' || portfolio_value, '')
      from (
        select s.* from signalbox.runs r cross join lateral (
          select * from signalbox.training_steps s where s.run = r.number order by episode desc, step desc
          limit \(EvidenceLimits.stepsMax)
        ) s
        where r.host = $1 and ($4 = '' or r.run = $4) and r.updated > $2 and s.time <= $3
      ) newest order by time desc limit \(EvidenceLimits.stepsMax)
      """, moment.parameters(before: EvidenceLimits.eventsUs) + [.text(moment.run)])
    return rows.texts.reversed()
  }

  private func lastLines(_ file: String, _ count: Int, _ moment: EvidenceMoment) throws(StoreError) -> [String] {
    let limit = min(count, EvidenceLimits.linesMax)
    let parts = ["error", "warn", "info", "debug"].map {
      """
      (select time, file_offset, file, message from signalbox.log_\($0)
       where host = $1 and time > $2 and time <= $3 and file in (select number from wanted)
       order by time desc, file_offset desc limit \(limit))
      """
    }
    let rows = try ask(
      """
      with wanted as (
        select number from signalbox.followed_files where host = $1 and (path = $5 or ($5 = '' and path ~ $4))
      )
      select f.path || ': ' || l.message from (\(parts.joined(separator: " union all "))) l
      join signalbox.followed_files f on f.number = l.file
      order by l.time desc, l.file_offset desc limit \(limit)
      """,
      moment.parameters(before: EvidenceLimits.linesUs) + [.text(Self.expression(file)), .text(moment.file)])
    return rows.texts.reversed()
  }

  private func values(of name: String, overUs: Int64, _ moment: EvidenceMoment) throws(StoreError) -> [String] {
    guard let (table, column) = try column(of: name) else { return [] }
    let key = ["gpu_samples": "index::text", "disk_samples": "mount_point", "network_samples": "interface"][table]
    let rows = try ask(
      """
      select $4 || coalesce(' of ' || device, '') || ': min ' || round(min(v)::numeric, 2) || ', mean '
        || round(avg(v)::numeric, 2) || ', max ' || round(max(v)::numeric, 2) || ', last '
        || round((array_agg(v order by time desc))[1]::numeric, 2)
      from (
        select \(key ?? "null::text") as device, time, \(column)::float8 as v from signalbox.\(table)
        where host = $1 and time > $2 and time <= $3 and \(column) is not null
      ) s
      where $5 = '' or device is null or device = $5
      group by device order by device limit \(EvidenceLimits.messagesMax)
      """, moment.parameters(before: overUs) + [.text(name), .text(moment.device)])
    return rows.texts
  }

  /// `gpu.power_watts` is a column of the GPUs' samples, `cpu.busy_percent` is `cpu_busy_percent` of the host's.
  private func column(of metric: String) throws(StoreError) -> (table: String, column: String)? {
    let parts = metric.split(separator: ".", maxSplits: 1).map(String.init)
    let own = [
      "gpu": "gpu_samples", "disk": "disk_samples", "interface": "network_samples", "process": "process_samples",
    ]
    guard parts.count == 2 else { return nil }
    let candidates = [(own[parts[0]] ?? "", parts[1]), ("host_samples", parts[0] + "_" + parts[1])]
    for (table, column) in candidates where !table.isEmpty {
      let found = try ask(
        """
        select 1 from information_schema.columns
        where table_schema = 'signalbox' and table_name = $1 and column_name = $2
          and data_type in ('real', 'double precision', 'integer', 'bigint', 'smallint')
        """, [.text(table), .text(column)])
      if found.count > 0 { return (table, column) }
    }
    return nil
  }

  private static let clock = "to_char(time at time zone 'UTC', 'HH24:MI:SS')"

  /// Translates a pattern of file names into a regular expression of PostgreSQL.
  static func expression(_ pattern: String) -> String {
    var text = pattern.contains("/") ? "^" : "(^|/)"
    var stars = 0
    for character in pattern + "\0" {
      if character == "*" {
        stars += 1
        continue
      }
      if stars > 0 { text += stars > 1 ? ".*" : "[^/]*" }
      stars = 0
      switch character {
      case "\0": break
      case "?": text += "[^/]"
      case _ where character.isLetter || character.isNumber || character == "/" || character == "_":
        text.append(character)
      default: text += "\\" + String(character)
      }
    }
    return text + "$"
  }
}

/// Host, entity and time for which evidence is read.
private struct EvidenceMoment {
  var host: Int32
  var entity: String
  var atUs: Int64

  /// Includes a short time after the moment, because the sample that shows it may be a second younger.
  func parameters(before us: Int64) -> [Parameter] {
    [.int4(host), .time(us: atUs - us), .time(us: atUs + 5_000_000)]
  }

  var run: String { rest("run ") }
  var file: String { entity.hasPrefix("/") ? entity : "" }
  /// Name of the entity in tables of samples: a GPU's number, a mount point, an interface; empty for others.
  var device: String { entity.hasPrefix("/") ? entity : rest("gpu ") + rest("interface ") }

  private func rest(_ kind: String) -> String { entity.hasPrefix(kind) ? String(entity.dropFirst(kind.count)) : "" }
}

extension Rows {
  /// Values of the first column.
  fileprivate var texts: [String] { (0..<count).compactMap { text($0, 0) } }
}
