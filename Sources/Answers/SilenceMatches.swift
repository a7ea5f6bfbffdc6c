internal import FleetModel
package import Incidents

/// Why a silence is not made; one sentence that says what to do.
package enum SilenceRefusal: Error, Equatable {
  /// No collector runs a rule of that name.
  case unknownRule(String)
  /// No host can be called so.
  case impossibleHost(String)
}

/// What a new silence matches now. One that matches nothing is likely to be a slip, and shows it only when the page comes all the same.
package struct SilenceMatches: Equatable {
  package var incidents: Int64 = 0
  /// nil where all rules are meant, or no collector has published its own.
  package var rules: [String]?
  /// That no host is called so, with the remedy.
  package var unknownHost: String?

  package init() {}

  /// - Parameters:
  ///   - known: the rules that collectors run; empty where none has published its own.
  ///   - hosts: the fleet's hosts by name.
  ///   - incidents: how many that are not over it matches.
  /// - Throws: `SilenceRefusal`.
  package init(
    _ silence: Silence, rules known: [String], hosts: [String], incidents: Int64
  ) throws(SilenceRefusal) {
    if let host = silence.host, !StarPattern.canMatchHost(host) {
      throw .impossibleHost(
        "'\(host)' can match no host: names are letters, digits, '.', '-' and '_'; a * stands for any text")
    }
    if let pattern = silence.rule, !known.isEmpty {
      rules = known.filter { StarPattern.matches($0, pattern) }
      if rules?.isEmpty == true, !Self.isPattern(pattern) { throw .unknownRule(Self.sentence(pattern, among: known)) }
    }
    if let host = silence.host, !hosts.contains(where: { StarPattern.matches($0, host) }) {
      unknownHost = Self.isPattern(host) ? "no host matches '\(host)'" : HostNames.unknown(host, among: hosts)
    }
    self.incidents = incidents
  }

  private static func isPattern(_ text: String) -> Bool { text.utf8.contains(UInt8(ascii: "*")) }

  /// "no rule is called 'RES-1'; did you mean 'RES-01'?"
  package static func sentence(_ rule: String, among known: [String]) -> String {
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
  package var sentence: String {
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
