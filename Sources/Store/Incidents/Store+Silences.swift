internal import FleetModel
package import Incidents
internal import Postgres

extension Store {
  /// - Returns: its number. Incidents that it matches are muted at once, and stay visible. A repeated one begins with
  ///   the window in force, or else the next one.
  /// - Throws: `.unknownZone`, `.neverComes`.
  package func addSilence(_ silence: Silence, nowNs: Int64) throws(StoreError) -> Int64 {
    try inTransaction { () throws(StoreError) in
      try lockIncidents()
      let number = try insert(try inWindow(silence, nowNs: nowNs), configuredAs: nil)
      try audit(actor: silence.author, action: "silences.add", subject: "silence \(number)", detail: silence.reason)
      try muteSilenced(nowNs)
      return number
    }
  }

  /// A repeated silence with the times of the window in force, or else of the next one.
  func inWindow(_ silence: Silence, nowNs: Int64) throws(StoreError) -> Silence {
    guard let repetition = silence.repetition else { return silence }
    var silence = silence
    (silence.startsNs, silence.endsNs) = try window(repetition, nowNs: nowNs)
    return silence
  }

  /// - Parameter name: its name in the configuration; nil for one of a person.
  func insert(_ silence: Silence, configuredAs name: String?) throws(StoreError) -> Int64 {
    try ask(
      """
      insert into signalbox.silences (\(Self.silenceTargets), configured_as) values (\(Self.silenceValues), $12)
      returning number
      """, silence.parameters + [name.map(Parameter.text) ?? .null]
    ).int(0, 0) ?? 0
  }

  /// - Throws: `.unknownSilence`.
  package func endSilence(_ number: Int64, actor: String, nowNs: Int64) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      let rows = try ask(
        "update signalbox.silences set ends = greatest(starts, $2), ended_by = $3 where number = $1 and ends > $2",
        [.int8(number), .time(us: nowNs / 1000), .text(actor)])
      guard rows.affected == 1 else { throw .unknownSilence(number) }
      try audit(actor: actor, action: "silences.end", subject: "silence \(number)")
      try wakePaging()
    }
  }

  /// Columns that `Rows.silence` reads.
  static let silenceColumns = "rule, host, entity, severity, author, reason, starts, ends"
  static let silenceColumnCount = 8
  /// Columns that a silence is written to; `Silence.parameters` has their values.
  static let silenceTargets = silenceColumns + ", cron, zone, length"
  static let silenceValues = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::float8 * interval '1 s'"
}

extension Silence {
  fileprivate func text(_ text: String?) -> Parameter { text.map(Parameter.text) ?? .null }

  /// Values in the order of `Store.silenceTargets`.
  var parameters: [Parameter] {
    [
      text(rule), text(host), text(entity), severity.map { .int2(Int16($0.rawValue)) } ?? .null, .text(author),
      .text(reason), .time(us: startsNs / 1000), .time(us: endsNs / 1000), text(repetition?.cron.text),
      text(repetition?.zone), repetition.map { .float8(Double($0.lengthNs) / 1e9) } ?? .null,
    ]
  }
}

extension Rows {
  /// Reads `Store.silenceColumns`, from column `first` on.
  func silence(_ row: Int, from first: Int) -> Silence {
    var silence = Silence(
      author: text(row, first + 4) ?? "", reason: text(row, first + 5) ?? "",
      startsNs: timeNs(row, first + 6) ?? 0, endsNs: timeNs(row, first + 7) ?? 0)
    (silence.rule, silence.host, silence.entity) = (text(row, first), text(row, first + 1), text(row, first + 2))
    silence.severity = int(row, first + 3).flatMap { Severity(rawValue: UInt8(clamping: $0)) }
    return silence
  }
}
