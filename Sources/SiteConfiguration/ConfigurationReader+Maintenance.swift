internal import FleetModel
internal import Incidents
internal import Store

/// The list `maintenance:`, silences that come back or happen once.
///
/// ```yaml
/// maintenance:
///   - name: sunday-updates
///     match: { host: "trainer-*" }    # rule, host, entity, severity; a * stands for any text
///     cron: "0 2 * * 0"               # minute, hour, day of month, month, day of week, as in crontab(5)
///     zone: Europe/Berlin             # UTC
///     for: 2h
///     reason: updates
///   - { name: new-rack, match: { host: gpu-7 }, from: "2026-12-01T08:00Z", until: "2026-12-01T12:00Z", reason: moved }
/// ```
extension ConfigurationReader {
  mutating func maintenance(_ file: DocumentFields) -> [ConfiguredSilence] {
    var names: Set<String> = []
    let entries = (list(file, "maintenance") ?? []).map { item in
      let entry = maintenanceEntry(item)
      if !entry.name.isEmpty, !names.insert(entry.name).inserted {
        mistake(item, "maintenance has '\(entry.name)' twice; give each entry a name of its own")
      }
      return entry
    }
    if entries.count > ConfigurationKeys.maintenanceMax, let node = file["maintenance"] {
      mistake(
        node, "maintenance has \(entries.count) entries; at most \(ConfigurationKeys.maintenanceMax) may be there")
    }
    return entries
  }

  private mutating func maintenanceEntry(_ node: DocumentNode) -> ConfiguredSilence {
    let fields = fields(node, ConfigurationKeys.maintenance)
    var silence = Silence(
      author: ConfiguredSilence.author, reason: text(fields, "reason") ?? "", startsNs: 0, endsNs: 0)
    if let match = fields["match"] { fill(&silence, match) }
    if fields["cron"] != nil {
      silence.repetition = repetition(fields)
    } else if fields["from"] != nil {
      (silence.startsNs, silence.endsNs) = once(fields)
    }
    return ConfiguredSilence(name: maintenanceName(fields), silence: silence)
  }

  private mutating func maintenanceName(_ fields: DocumentFields) -> String {
    guard let node = fields["name"], let name = text(fields, "name") else { return "" }
    let bytesMax = ConfigurationKeys.maintenanceNameBytes
    if name.utf8.count > bytesMax || !name.utf8.allSatisfy(ProbeSetting.isNameByte) {
      mistake(
        node, "'\(name)' is no name of maintenance; write 1 to \(bytesMax) letters, digits, '.', '_' and '-'")
    }
    return name
  }

  private mutating func fill(_ silence: inout Silence, _ node: DocumentNode) {
    let fields = fields(node, ConfigurationKeys.maintenanceMatch)
    silence.rule = text(fields, "rule")
    silence.host = text(fields, "host")
    silence.entity = text(fields, "entity")
    silence.severity = word(fields, "severity").flatMap(Severity.init(word:))
    if let rule = fields["rule"], let pattern = silence.rule {
      silencedRules.append(Configuration.NamedRule(pattern: pattern, file: file, node: rule))
    }
    if let host = fields["host"], let pattern = silence.host { checkHostPattern(host, pattern) }
    if fields.values.isEmpty, !fields.hasUnknownKey {
      mistake(node, "match needs one of rule, host, entity and severity")
    }
  }

  private mutating func repetition(_ fields: DocumentFields) -> Repetition? {
    if let extra = fields["until"] {
      mistake(extra, "cron says when maintenance begins: write for instead of until")
    }
    if fields["for"] == nil {
      mistake(fields.node, "an entry of maintenance with cron has no 'for'; write such as for: 2h")
    }
    let zone = fields["zone"].map { timeZone($0, "zone").name } ?? "UTC"
    guard let node = fields["cron"], let word = text(fields, "cron") else { return nil }
    do throws(CronExpression.Mistake) {
      let cron = try CronExpression(word)
      if !cron.canCome { mistake(node, "'\(word)' never comes: no calendar has such a day") }
      return duration(fields, "for").map { Repetition(cron: cron, zone: zone, lengthNs: $0) }
    } catch {
      mistake(node, "\(error)")
      return nil
    }
  }

  private mutating func once(_ fields: DocumentFields) -> (startsNs: Int64, endsNs: Int64) {
    for key in ["zone", "for"] {
      if let extra = fields[key] {
        mistake(extra, "\(key) goes with cron, which is missing here: write from and until")
      }
    }
    guard let untilNode = fields["until"] else {
      mistake(fields.node, "an entry of maintenance with from has no 'until'; write such as until: 2026-12-01T12:00Z")
      return (0, 0)
    }
    guard let startsNs = moment(fields, "from"), let endsNs = moment(fields, "until") else { return (0, 0) }
    if startsNs >= endsNs {
      mistake(untilNode, "maintenance ends before it begins; write a later time")
    } else if endsNs.subtractingClamped(startsNs) > ConfigurationKeys.maintenanceLongestNs {
      mistake(untilNode, "maintenance is longer than 366d; write an earlier time")
    }
    return (startsNs, endsNs)
  }

  /// Whole microseconds, as the database keeps them.
  private mutating func moment(_ fields: DocumentFields, _ key: String) -> Int64? {
    guard let node = fields[key], let word = text(fields, key) else { return nil }
    guard let ns = Timestamp.parse(word) else {
      mistake(node, "'\(word)' is no time for \(key); write one such as 2026-12-01T08:00Z")
      return nil
    }
    return ns - ns % 1000
  }
}
