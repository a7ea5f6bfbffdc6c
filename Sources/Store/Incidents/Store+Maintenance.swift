internal import FleetModel
package import Incidents
internal import Postgres

/// A silence that the configuration declares, under its name there.
package struct ConfiguredSilence: Sendable, Equatable {
  package var name: String
  package var silence: Silence

  package init(name: String, silence: Silence) {
    self.name = name
    self.silence = silence
  }

  /// The author under which they are shown.
  package static let author = "configuration"
}

/// The effects of applying the silences of a configuration.
package struct MaintenanceReport: Sendable, Equatable {
  package var added = 0
  package var changed = 0
  package var ended = 0
  /// Silences that the database refuses; the others are in force.
  package var refused: [Refused] = []

  package init() {}

  package struct Refused: Sendable, Equatable {
    package var name: String
    package var reason: StoreError
  }
}

extension Store {
  /// Makes the stored silences equal to those of the configuration: new ones are added, changed ones replaced, and
  /// those that are no longer declared ended. An unchanged declaration has no effect, so that a silence that a person
  /// ended stays ended.
  ///
  /// - Parameters:
  ///   - wanted: the declared silences, each name once.
  ///   - nowNs: ns since 1970. A new silence that has already ended is not stored.
  package func applyMaintenance(
    _ wanted: [ConfiguredSilence], nowNs: Int64
  ) throws(StoreError) -> MaintenanceReport {
    try inTransaction { () throws(StoreError) in
      try lockIncidents()
      var report = MaintenanceReport()
      var known = try configuredSilences()
      for entry in wanted {
        let before = known.removeValue(forKey: entry.name)
        if let before, before.silence.isDeclaredAs(entry.silence) { continue }
        if before == nil, entry.silence.repetition == nil, entry.silence.endsNs <= nowNs { continue }
        do throws(StoreError) {
          try put(entry, number: before?.number, nowNs)
        } catch {
          guard error.isOfOneSilence else { throw error }
          report.refused.append(MaintenanceReport.Refused(name: entry.name, reason: error))
          // The former declaration does not hold either.
          if let before { report.ended += try endConfigured(before.number, nowNs) }
          continue
        }
        if before == nil { report.added += 1 } else { report.changed += 1 }
      }
      for (_, gone) in known { report.ended += try endConfigured(gone.number, nowNs) }
      if report.added + report.changed > 0 { try muteSilenced(nowNs) }
      if report.ended + report.changed > 0 { try wakePaging() }
      return report
    }
  }

  private func configuredSilences() throws(StoreError) -> [String: (number: Int64, silence: Silence)] {
    let rows = try ask(
      """
      select configured_as, number, \(Self.silenceColumns), cron, zone, (extract(epoch from length) * 1000000)::bigint
      from signalbox.silences where configured_as is not null
      """)
    var found: [String: (number: Int64, silence: Silence)] = [:]
    for row in 0..<rows.count {
      var silence = rows.silence(row, from: 2)
      let first = 2 + Self.silenceColumnCount
      if let text = rows.text(row, first), let cron = try? CronExpression(text) {
        silence.repetition = Repetition(
          cron: cron, zone: rows.text(row, first + 1) ?? "",
          lengthNs: PostgresTime.ns(us: rows.int(row, first + 2) ?? 0))
      }
      found[rows.text(row, 0) ?? ""] = (rows.int(row, 1) ?? 0, silence)
    }
    return found
  }

  private func put(_ entry: ConfiguredSilence, number: Int64?, _ nowNs: Int64) throws(StoreError) {
    let silence = try inWindow(entry.silence, nowNs: nowNs)
    let row: Int64
    if let number {
      row = number
      try run(
        """
        update signalbox.silences set (\(Self.silenceTargets)) = row (\(Self.silenceValues)), ended_by = null
        where number = $12
        """, silence.parameters + [.int8(number)])
    } else {
      row = try insert(silence, configuredAs: entry.name)
    }
    try audit(
      actor: ConfiguredSilence.author, action: number == nil ? "silences.add" : "silences.change",
      subject: "silence \(row)", detail: entry.name)
  }

  /// Ends it and clears its name, which may be declared again.
  private func endConfigured(_ number: Int64, _ nowNs: Int64) throws(StoreError) -> Int {
    let rows = try ask(
      """
      update signalbox.silences s set configured_as = null,
        starts = least(s.starts, $2), ends = least(s.ends, $2), ended_by = coalesce(s.ended_by, $3)
      from signalbox.silences old where s.number = $1 and old.number = s.number
      returning old.ends > $2 or old.cron is not null and old.ended_by is null
      """, [.int8(number), .time(us: nowNs / 1000), .text(ConfiguredSilence.author)])
    guard rows.bool(0, 0) == true else { return 0 }
    try audit(actor: ConfiguredSilence.author, action: "silences.end", subject: "silence \(number)")
    return 1
  }
}

extension Silence {
  /// Whether two silences are the same declaration. The current window of a repeated one is not compared.
  fileprivate func isDeclaredAs(_ other: Silence) -> Bool {
    guard repetition == other.repetition, author == other.author, reason == other.reason else { return false }
    guard (rule, host, entity, severity) == (other.rule, other.host, other.entity, other.severity) else { return false }
    return repetition != nil || (startsNs, endsNs) == (other.startsNs, other.endsNs)
  }
}

extension StoreError {
  /// Whether the error is a mistake of one declaration, so that the others can be applied.
  fileprivate var isOfOneSilence: Bool {
    switch self {
    case .unknownZone, .neverComes: true
    default: false
    }
  }
}
