internal import Files
package import FleetModel
internal import RuleFiles
internal import Store

/// Reads `signalbox.yaml`. Each mistake is reported with its line, its keys and the nearest valid word, and all of them at once.
package struct ConfigurationReader: DocumentReading {
  package let file: String
  package var mistakes: [DocumentMistake] = []
  let secrets: SecretSource
  /// Severities without a policy.
  var unpaged: [DocumentMistake] = []
  /// Rules that `maintenance:` names.
  var silencedRules: [Configuration.NamedRule] = []

  /// What a receiver's secret that stands in a file or a variable is read from.
  package enum SecretSource: Sendable {
    /// From there, as the collector does.
    case files
    /// Not at all: whoever checks a file is not always whoever may read them. A stand-in takes the value's place.
    case none
  }

  /// - Parameters:
  ///   - yaml: the file's text.
  ///   - file: its name, for messages.
  /// - Returns: the configuration as far as it is right, and every mistake, in the order of their lines.
  package static func check(
    _ yaml: String, file: String, secrets: SecretSource = .files
  ) -> (configuration: Configuration, mistakes: [DocumentMistake]) {
    var reader = ConfigurationReader(file: file, secrets: secrets)
    var configuration = Configuration()
    configuration.maintenance = []
    configuration.hostLabels = []
    do throws(DocumentMistake) {
      let root = try YAMLTree.read(yaml, file: file)
      if !root.isNull { reader.read(root, &configuration) }
    } catch {
      reader.mistakes.append(error)
    }
    configuration.silencedRules = reader.silencedRules
    configuration.unpaged = reader.unpaged
    return (configuration, reader.mistakes.inOrderOfLines)
  }

  /// - Throws: all mistakes of a file that has any.
  package static func read(_ yaml: String, file: String) throws(ConfigurationMistakes) -> Configuration {
    let (configuration, mistakes) = check(yaml, file: file)
    guard mistakes.isEmpty else { throw ConfigurationMistakes(all: mistakes) }
    return configuration
  }

  private mutating func read(_ root: DocumentNode, _ configuration: inout Configuration) {
    let fields = fields(root, ConfigurationKeys.file)
    if let value = fields["retention"] { configuration.retention = retention(value) }
    if let value = fields["quotas"] { configuration.quotas = quotas(value) }
    configuration.hostLabels = hostLabels(fields)
    configuration.maintenance = maintenance(fields)
    if let value = fields["paging"] { configuration.paging = paging(value) }
    configuration.rules = list(fields, "rules").map { items in
      items.map { item in
        let path = text(item, "an entry of rules")
        return path.hasPrefix("/") ? path : HostFiles.directory(of: file) + "/" + path
      }
    }
    configuration.profiles = (list(fields, "profiles") ?? []).map { profile($0) }
    if let value = fields["profiles"] { checkProbeCount(configuration.profiles, value) }
  }

  // MARK: Retention and quotas

  private mutating func retention(_ node: DocumentNode) -> Retention {
    let fields = fields(node, ConfigurationKeys.retention)
    var retention = Retention()
    keep(fields, "samples", &retention.samplesNs)
    keep(fields, "aggregates", &retention.aggregatesNs)
    keep(fields, "probes", &retention.probesNs)
    keep(fields, "events", &retention.eventsNs)
    guard let logs = fields["logs"] else { return retention }
    let levels = self.fields(logs, ConfigurationKeys.logRetention)
    keep(levels, "error", &retention.errorLogsNs)
    keep(levels, "warn", &retention.warnLogsNs)
    keep(levels, "info", &retention.infoLogsNs)
    keep(levels, "debug", &retention.debugLogsNs)
    return retention
  }

  private mutating func keep(_ fields: DocumentFields, _ key: String, _ kept: inout Int64?) {
    guard let node = fields[key] else { return }
    kept = node.scalar == "forever" ? nil : duration(fields, key)
  }

  /// What is not given stays as it is shipped.
  private mutating func quotas(_ node: DocumentNode) -> [HostQuota.Kind: RateLimit] {
    let fields = fields(node, ConfigurationKeys.quotas)
    var quotas: [HostQuota.Kind: RateLimit] = [:]
    for kind in HostQuota.Kind.allCases {
      guard let value = fields[kind.text] else { continue }
      let limits = self.fields(value, ConfigurationKeys.quota(kind))
      quotas[kind] = RateLimit(
        perDay: integer(limits, "per_day") ?? 86_400_000_000_000 / kind.limit.intervalNs,
        burst: integer(limits, "burst") ?? kind.limit.burst)
    }
    return quotas
  }

  // MARK: Profiles

  private mutating func profile(_ node: DocumentNode) -> Configuration.Profile {
    let fields = fields(node, ConfigurationKeys.profile)
    var profile = Configuration.Profile()
    if let match = fields["match"] { profile.match = hostMatch(match) }
    profile.follow = (list(fields, "logs") ?? []).compactMap { log in
      self.fields(log, ConfigurationKeys.log)["path"].map { pattern($0) }
    }
    profile.exclude = (list(fields, "exclude") ?? []).map { exclusion($0) }
    profile.metrics = metrics(fields)
    profile.probes = probes(fields)
    profile.intervalNs = duration(fields, "interval")
    return profile
  }

  private mutating func metrics(_ fields: DocumentFields) -> [MetricPattern] {
    let nodes = list(fields, "metrics") ?? []
    if let node = nodes.dropFirst(MetricPattern.patternsPerHost).first {
      mistake(node, "a host has at most \(MetricPattern.patternsPerHost) entries of metrics; join patterns by '|'")
    }
    return nodes.compactMap { node in
      let metric = self.fields(node, ConfigurationKeys.metric)
      guard let match = metric["match"] else { return nil }
      let text = text(match, "match")
      do throws(LinePatternError) {
        _ = try MetricPattern.pattern(text)
      } catch {
        mistake(match, "'\(text)' \(error.message)")
      }
      return MetricPattern(match: text, file: metric["file"].map { pattern($0) } ?? "")
    }
  }

  /// Patterns of labels; one that no label can have would choose no host for good.
  private mutating func hostMatch(_ node: DocumentNode) -> [String: String] {
    var match: [String: String] = [:]
    for (label, value) in named(node, "match") {
      let word = text(value, label)
      if label == "host" {
        checkHostPattern(value, word)
      } else if let problem = HostNaming.problem(ofLabel: label, word) {
        mistake(value, problem)
      }
      match[label] = word
    }
    return match
  }

  private mutating func pattern(_ node: DocumentNode) -> String {
    let path = text(node, "path")
    if !path.isEmpty, !path.hasPrefix("/") {
      mistake(node, "'\(path)' must be an absolute path, such as /srv/train/**/*.log")
    }
    checkGrammar(path, node)
    return path
  }

  private mutating func checkGrammar(_ pattern: String, _ node: DocumentNode) {
    if let problem = PathPatternGrammar.mistake(in: pattern) { mistake(node, "'\(pattern)': \(problem)") }
  }

  private mutating func exclusion(_ node: DocumentNode) -> String {
    let pattern = text(node, "an entry of exclude")
    if !pattern.hasPrefix("/"), pattern.utf8.contains(UInt8(ascii: "/")) {
      mistake(node, "'\(pattern)' must be an absolute path with wildcards, or a name such as '*.tmp'")
    }
    checkGrammar(pattern, node)
    return pattern
  }
}

/// All that is wrong in a configuration.
package struct ConfigurationMistakes: Error, Sendable, CustomStringConvertible {
  /// In the order of their lines; never empty.
  package let all: [DocumentMistake]

  /// The first one, and how many more there are.
  package var description: String {
    let first = all.first?.description ?? ""
    return all.count < 2 ? first : "\(first) (and \(all.count - 1) more; signalbox config check prints all)"
  }
}
