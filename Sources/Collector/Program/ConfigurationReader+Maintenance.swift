internal import FleetModel
internal import Incidents
internal import Paging
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
  /// More would be a mistake of whatever writes the file, and each is asked of every incident.
  private static let maintenanceMax = 200
  private static let nameBytes = 64
  private static let longestNs: Int64 = 366 * 86_400_000_000_000

  func maintenance(_ node: DocumentNode) throws(DocumentMistake) -> [ConfiguredSilence] {
    var found: [ConfiguredSilence] = []
    for item in try list(node, "maintenance") {
      let entry = try maintenanceEntry(item)
      if found.contains(where: { $0.name == entry.name }) {
        throw mistake(item, "maintenance has '\(entry.name)' twice; give each entry a name of its own")
      }
      found.append(entry)
    }
    if found.count > Self.maintenanceMax {
      throw mistake(node, "maintenance has \(found.count) entries; at most \(Self.maintenanceMax) may be there")
    }
    return found
  }

  private func maintenanceEntry(_ node: DocumentNode) throws(DocumentMistake) -> ConfiguredSilence {
    let keys = ["name", "match", "cron", "zone", "for", "from", "until", "reason"]
    let fields = Dictionary(try entries(node, "an entry of maintenance", keys).map { ($0.key, $0.value) }) { first, _ in
      first
    }
    guard let nameNode = fields["name"] else {
      throw mistake(node, "an entry of maintenance needs a name, such as name: sunday-updates")
    }
    let name = try maintenanceName(nameNode)
    guard let reasonNode = fields["reason"], case let reason = try text(reasonNode, "reason"), !reason.isEmpty else {
      throw mistake(node, "'\(name)' needs a reason, for whoever wonders why nothing was paged")
    }
    var silence = Silence(author: ConfiguredSilence.author, reason: reason, startsNs: 0, endsNs: 0)
    guard let match = fields["match"] else {
      throw mistake(node, "'\(name)' needs what it silences, such as match: { host: \"trainer-*\" }")
    }
    try fill(&silence, match: match)
    if let cron = fields["cron"] {
      silence.repetition = try repetition(cron, fields, name)
    } else {
      (silence.startsNs, silence.endsNs) = try once(node, fields, name)
    }
    return ConfiguredSilence(name: name, silence: silence)
  }

  private func maintenanceName(_ node: DocumentNode) throws(DocumentMistake) -> String {
    let name = try text(node, "name")
    guard !name.isEmpty, name.utf8.count <= Self.nameBytes, name.utf8.allSatisfy(ProbeSetting.isNameByte) else {
      throw mistake(
        node, "'\(name)' is no name of maintenance; write 1 to \(Self.nameBytes) letters, digits, '.', '_' and '-'")
    }
    return name
  }

  private func fill(_ silence: inout Silence, match node: DocumentNode) throws(DocumentMistake) {
    let fields = try entries(node, "match", ["rule", "host", "entity", "severity"])
    for (key, value) in fields {
      let word = try text(value, key)
      switch key {
      case "rule": silence.rule = word
      case "host": silence.host = word
      case "entity": silence.entity = word
      default:
        guard let severity = Severity(word: word) else {
          throw mistake(value, "'\(word)' is no severity; write P0, P1, P2 or P3")
        }
        silence.severity = severity
      }
    }
    if fields.isEmpty { throw mistake(node, "match needs one of rule, host, entity and severity") }
  }

  private func repetition(
    _ node: DocumentNode, _ fields: [String: DocumentNode], _ name: String
  ) throws(DocumentMistake) -> Repetition {
    if let extra = fields["from"] ?? fields["until"] {
      throw mistake(extra, "'\(name)' has cron, which says when it begins: write for instead of from and until")
    }
    guard let length = fields["for"] else { throw mistake(node, "'\(name)' has cron and needs for, such as for: 2h") }
    let word = try text(length, "for")
    guard let lengthNs = TimeSpan.parse(word), (60_000_000_000...Self.longestNs).contains(lengthNs),
      lengthNs % 1_000_000 == 0
    else { throw mistake(length, "'\(word)' is no length of maintenance; write 1m to 366d, such as 2h") }
    let zone = try fields["zone"].map { node throws(DocumentMistake) in try timeZone(node).name } ?? "UTC"
    do {
      return Repetition(cron: try CronExpression(try text(node, "cron")), zone: zone, lengthNs: lengthNs)
    } catch let error as CronExpression.Mistake {
      throw mistake(node, "\(error)")
    } catch let error as DocumentMistake {
      throw error
    } catch {
      throw mistake(node, "cron cannot be read")
    }
  }

  private func once(
    _ node: DocumentNode, _ fields: [String: DocumentNode], _ name: String
  ) throws(DocumentMistake) -> (startsNs: Int64, endsNs: Int64) {
    if let extra = fields["zone"] ?? fields["for"] {
      throw mistake(extra, "'\(name)' has no cron, which zone and for go with; write from and until")
    }
    guard let from = fields["from"], let until = fields["until"] else {
      throw mistake(node, "'\(name)' needs either cron and for, or from and until")
    }
    let startsNs = try moment(from, "from")
    let endsNs = try moment(until, "until")
    guard startsNs < endsNs else { throw mistake(until, "'\(name)' ends before it begins") }
    guard endsNs.subtractingClamped(startsNs) <= Self.longestNs else {
      throw mistake(until, "'\(name)' is longer than 366d")
    }
    return (startsNs, endsNs)
  }

  /// Whole microseconds, as the database keeps them.
  private func moment(_ node: DocumentNode, _ key: String) throws(DocumentMistake) -> Int64 {
    let word = try text(node, key)
    guard let ns = Timestamp.parse(word) else {
      throw mistake(node, "'\(word)' is no time for \(key); write one such as 2026-12-01T08:00Z")
    }
    return ns - ns % 1000
  }
}
