internal import Files
package import FleetModel
internal import RuleFiles

/// Reads `signalbox.yaml`. Each mistake is told with its line and the nearest valid word.
package struct ConfigurationReader {
  private let file: String

  /// - Parameters:
  ///   - yaml: the file's text.
  ///   - file: its name, for messages.
  package static func read(_ yaml: String, file: String) throws(DocumentMistake) -> Configuration {
    try ConfigurationReader(file: file).configuration(yaml)
  }

  private func configuration(_ yaml: String) throws(DocumentMistake) -> Configuration {
    let root = try YAMLTree.read(yaml, file: file)
    var configuration = Configuration()
    configuration.maintenance = []
    configuration.hostLabels = []
    if let text = root.scalar, ["", "~", "null"].contains(text) { return configuration }
    for (key, value) in try entries(
      root, "the file", ["retention", "profiles", "paging", "rules", "maintenance", "hosts", "quotas"])
    {
      switch key {
      case "retention": configuration.retention = try retention(value)
      case "quotas": configuration.quotas = try quotas(value)
      case "hosts": configuration.hostLabels = try hostLabels(value)
      case "maintenance": configuration.maintenance = try maintenance(value)
      case "paging": configuration.paging = try paging(value)
      case "rules":
        configuration.rules = try list(value, "rules").map { node throws(DocumentMistake) in
          let path = try text(node, "a path of rules")
          return path.hasPrefix("/") ? path : HostFiles.directory(of: file) + "/" + path
        }
      default:
        configuration.profiles = try list(value, "profiles").map { node throws(DocumentMistake) in try profile(node)
        }
        try checkProbeCount(configuration.profiles, value)
      }
    }
    return configuration
  }

  private func retention(_ node: DocumentNode) throws(DocumentMistake) -> Retention {
    var retention = Retention()
    for (key, value) in try entries(node, "retention", ["logs", "samples", "aggregates", "probes", "events"]) {
      switch key {
      case "logs": try logRetention(value, &retention)
      case "samples": retention.samplesNs = try keep(value)
      case "aggregates": retention.aggregatesNs = try keep(value)
      case "probes": retention.probesNs = try keep(value)
      default: retention.eventsNs = try keep(value)
      }
    }
    return retention
  }

  private func logRetention(_ node: DocumentNode, _ retention: inout Retention) throws(DocumentMistake) {
    for (key, value) in try entries(node, "retention.logs", ["error", "warn", "info", "debug"]) {
      switch key {
      case "error": retention.errorLogsNs = try keep(value)
      case "warn": retention.warnLogsNs = try keep(value)
      case "info": retention.infoLogsNs = try keep(value)
      default: retention.debugLogsNs = try keep(value)
      }
    }
  }

  private func profile(_ node: DocumentNode) throws(DocumentMistake) -> Configuration.Profile {
    var profile = Configuration.Profile()
    for (key, value) in try entries(node, "a profile", ["match", "logs", "exclude", "interval", "probes"]) {
      switch key {
      case "match":
        for (label, wanted) in try entries(value, "match", nil) { profile.match[label] = try text(wanted, label) }
      case "logs":
        for log in try list(value, "logs") {
          for (_, path) in try entries(log, "an entry of logs", ["path"]) { profile.follow.append(try pattern(path)) }
        }
      case "exclude":
        for pattern in try list(value, "exclude") { profile.exclude.append(try exclusion(pattern)) }
      case "probes": profile.probes = try probes(value)
      default: profile.intervalNs = try interval(value)
      }
    }
    return profile
  }

  // MARK: values

  private func keep(_ node: DocumentNode) throws(DocumentMistake) -> Int64? {
    let word = try text(node, "a time to keep")
    if word == "forever" { return nil }
    guard let ns = TimeSpan.parse(word), ns >= 3_600_000_000_000 else {
      throw mistake(node, "'\(word)' is no time to keep; write one of at least 1h, such as 30d, or forever")
    }
    return ns
  }

  private func interval(_ node: DocumentNode) throws(DocumentMistake) -> Int64 {
    let word = try text(node, "interval")
    guard let ns = TimeSpan.parse(word), ns >= 100_000_000, ns <= 3_600_000_000_000 else {
      throw mistake(node, "'\(word)' is no interval; write 100ms to 1h, such as 1s")
    }
    return ns
  }

  private func pattern(_ node: DocumentNode) throws(DocumentMistake) -> String {
    let path = try text(node, "path")
    guard path.hasPrefix("/") else {
      throw mistake(node, "'\(path)' must be an absolute path, such as /srv/train/**/*.log")
    }
    return try meant(path, node)
  }

  private func meant(_ pattern: String, _ node: DocumentNode) throws(DocumentMistake) -> String {
    if let mistake = PathPatternGrammar.mistake(in: pattern) { throw self.mistake(node, "'\(pattern)': \(mistake)") }
    return pattern
  }

  private func exclusion(_ node: DocumentNode) throws(DocumentMistake) -> String {
    let pattern = try text(node, "an entry of exclude")
    guard pattern.hasPrefix("/") || !pattern.isEmpty && !pattern.utf8.contains(UInt8(ascii: "/")) else {
      throw mistake(node, "'\(pattern)' must be an absolute path with wildcards, or a name such as '*.tmp'")
    }
    return try meant(pattern, node)
  }

  func text(_ node: DocumentNode, _ what: String) throws(DocumentMistake) -> String {
    guard let scalar = node.scalar else { throw mistake(node, "\(what) must be a single value") }
    return scalar
  }

  func list(_ node: DocumentNode, _ what: String) throws(DocumentMistake) -> [DocumentNode] {
    guard let items = node.list else { throw mistake(node, "\(what) must be a list: lines that start with -") }
    return items
  }

  /// - Parameter known: the valid keys; nil for any.
  func entries(
    _ node: DocumentNode, _ what: String, _ known: [String]?
  ) throws(DocumentMistake) -> [(key: String, value: DocumentNode)] {
    guard let entries = node.entries else {
      throw mistake(node, "\(what) must be keys with values, such as key: value")
    }
    for entry in entries {
      if entry.key.isEmpty { throw mistake(line: entry.line, "a key must be a single value") }
      if let known, !known.contains(entry.key) {
        let hint =
          Nearest.name(to: entry.key, among: known).map { "did you mean '\($0)'?" }
          ?? "valid are \(known.joined(separator: ", "))"
        throw mistake(line: entry.line, "unknown key '\(entry.key)' in \(what); \(hint)")
      }
    }
    return entries.map { ($0.key, $0.value) }
  }

  func mistake(_ node: DocumentNode, _ message: String) -> DocumentMistake { mistake(line: node.line, message) }

  private func mistake(line: Int, _ message: String) -> DocumentMistake {
    DocumentMistake(file: file, line: line, message: message)
  }
}
