internal import Answers
internal import FleetModel
internal import Incidents
internal import Store

/// What a new silence matches now. One that matches nothing is likely to be a slip, and shows it only when the page comes all the same.
struct SilenceMatches: Equatable {
  var incidents: Int64 = 0
  /// nil where all rules are meant, or no collector has published its own.
  var rules: [String]?
  /// That no host is called so, with the remedy.
  var unknownHost: String?

  init() {}

  /// - Throws: `CommandFailure.nothingFound` for a rule that no collector runs; `.usage` for a host that no host can be called.
  init(_ silence: Silence, _ reader: FleetReader) throws {
    if let host = silence.host, !StarPattern.canMatchHost(host) {
      throw CommandFailure(
        .usage,
        "--host '\(host)' can match no host: names are letters, digits, '.', '-' and '_'; a * stands for any text")
    }
    let known = try Self.words(reader.answer(IncidentQueries.rules(), []))
    if let pattern = silence.rule, !known.isEmpty {
      rules = known.filter { StarPattern.matches($0, pattern) }
      if rules?.isEmpty == true, !Self.isPattern(pattern) {
        throw CommandFailure(.nothingFound, Self.sentence(pattern, among: known))
      }
    }
    if let host = silence.host {
      let hosts = try Self.words(reader.answer(FleetQueries.hostNames(), []))
      if !hosts.contains(where: { StarPattern.matches($0, host) }) {
        unknownHost = Self.isPattern(host) ? "no host matches '\(host)'" : HostNames.unknown(host, among: hosts)
      }
    }
    if case .integer(let count)? = try reader.answer(IncidentQueries.matched(by: silence), []).rows.first?.first {
      incidents = count
    }
  }

  private static func isPattern(_ text: String) -> Bool { text.utf8.contains(UInt8(ascii: "*")) }

  private static func words(_ answer: Answer) -> [String] {
    answer.rows.compactMap { row in if case .text(let word)? = row.first { word } else { nil } }
  }

  /// "no rule is called 'RES-1'; did you mean 'RES-01'?"
  static func sentence(_ rule: String, among known: [String]) -> String {
    let near = Nearest.name(to: rule, among: known).map { "did you mean '\($0)'?" }
    let prefix = rule.prefix { $0 != "-" }
    let alike = known.filter { $0.hasPrefix(prefix + "-") }
    let hint =
      near ?? (alike.isEmpty ? "signalbox rules list shows those of a file" : "there are \(listed(alike))")
    return "no rule is called '\(rule)'; \(hint)"
  }

  private static func listed(_ names: [String]) -> String {
    names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
  }

  /// "it matches 2 open incidents and 3 rules: RES-01, RES-02, RES-05"; a warning where it matches nothing.
  var sentence: String {
    var parts = [
      incidents == 0 ? "no open incident" : incidents == 1 ? "1 open incident" : "\(incidents) open incidents"
    ]
    if let rules {
      parts.append(
        rules.isEmpty ? "no rule" : "\(rules.count == 1 ? "1 rule" : "\(rules.count) rules"): \(Self.listed(rules))")
    }
    let matched = "it matches \(parts.joined(separator: " and ")) now"
    let isOfNothing = rules?.isEmpty == true || unknownHost != nil
    return (isOfNothing ? "warning: " : "") + ([matched] + (unknownHost.map { [$0] } ?? [])).joined(separator: "; ")
  }
}
