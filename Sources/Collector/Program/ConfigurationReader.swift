internal import FleetModel
internal import Yams

/// Reads `signalbox.yaml`. Each mistake is told with its line and the nearest valid word.
package struct ConfigurationReader {
  private let file: String

  /// - Parameters:
  ///   - yaml: the file's text.
  ///   - file: its name, for messages.
  package static func read(_ yaml: String, file: String) throws(ConfigurationError) -> Configuration {
    try ConfigurationReader(file: file).configuration(yaml)
  }

  private func configuration(_ yaml: String) throws(ConfigurationError) -> Configuration {
    let root: Node?
    do {
      root = try Yams.compose(yaml: yaml)
    } catch let error as YamlError {
      throw unreadable(error)
    } catch {
      throw ConfigurationError(file: file, line: 0, message: "is no YAML: \(error)")
    }
    var configuration = Configuration()
    guard let root, root.null == nil else { return configuration }
    for (key, value) in try entries(root, "the file", ["retention", "profiles", "paging"]) {
      switch key {
      case "retention": configuration.retention = try retention(value)
      case "paging": configuration.paging = try paging(value)
      default:
        configuration.profiles = try list(value, "profiles").map { node throws(ConfigurationError) in try profile(node)
        }
      }
    }
    return configuration
  }

  private func retention(_ node: Node) throws(ConfigurationError) -> Retention {
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

  private func logRetention(_ node: Node, _ retention: inout Retention) throws(ConfigurationError) {
    for (key, value) in try entries(node, "retention.logs", ["error", "warn", "info", "debug"]) {
      switch key {
      case "error": retention.errorLogsNs = try keep(value)
      case "warn": retention.warnLogsNs = try keep(value)
      case "info": retention.infoLogsNs = try keep(value)
      default: retention.debugLogsNs = try keep(value)
      }
    }
  }

  private func profile(_ node: Node) throws(ConfigurationError) -> Configuration.Profile {
    var profile = Configuration.Profile()
    for (key, value) in try entries(node, "a profile", ["match", "logs", "interval"]) {
      switch key {
      case "match":
        for (label, wanted) in try entries(value, "match", nil) { profile.match[label] = try text(wanted, label) }
      case "logs":
        for log in try list(value, "logs") {
          for (_, path) in try entries(log, "an entry of logs", ["path"]) { profile.follow.append(try pattern(path)) }
        }
      default: profile.intervalNs = try interval(value)
      }
    }
    return profile
  }

  // MARK: values

  private func keep(_ node: Node) throws(ConfigurationError) -> Int64? {
    let word = try text(node, "a time to keep")
    if word == "forever" { return nil }
    guard let ns = TimeSpan.parse(word), ns >= 3_600_000_000_000 else {
      throw mistake(node, "'\(word)' is no time to keep; write one of at least 1h, such as 30d, or forever")
    }
    return ns
  }

  private func interval(_ node: Node) throws(ConfigurationError) -> Int64 {
    let word = try text(node, "interval")
    guard let ns = TimeSpan.parse(word), ns >= 100_000_000, ns <= 3_600_000_000_000 else {
      throw mistake(node, "'\(word)' is no interval; write 100ms to 1h, such as 1s")
    }
    return ns
  }

  private func pattern(_ node: Node) throws(ConfigurationError) -> String {
    let path = try text(node, "path")
    guard path.hasPrefix("/") else {
      throw mistake(node, "'\(path)' must be an absolute path, such as /srv/train/**/*.log")
    }
    return path
  }

  func text(_ node: Node, _ what: String) throws(ConfigurationError) -> String {
    guard let scalar = node.scalar else { throw mistake(node, "\(what) must be a single value") }
    return scalar.string
  }

  func list(_ node: Node, _ what: String) throws(ConfigurationError) -> [Node] {
    guard let sequence = node.sequence else { throw mistake(node, "\(what) must be a list: lines that start with -") }
    return Array(sequence)
  }

  /// - Parameter known: the valid keys; nil for any.
  func entries(
    _ node: Node, _ what: String, _ known: [String]?
  ) throws(ConfigurationError) -> [(key: String, value: Node)] {
    guard let mapping = node.mapping else {
      throw mistake(node, "\(what) must be keys with values, such as key: value")
    }
    var entries: [(key: String, value: Node)] = []
    for (keyNode, value) in mapping {
      let key = try text(keyNode, "a key")
      if let known, !known.contains(key) {
        let hint =
          Nearest.name(to: key, among: known).map { "did you mean '\($0)'?" }
          ?? "valid are \(known.joined(separator: ", "))"
        throw mistake(keyNode, "unknown key '\(key)' in \(what); \(hint)")
      }
      entries.append((key, value))
    }
    return entries
  }

  func mistake(_ node: Node, _ message: String) -> ConfigurationError {
    ConfigurationError(file: file, line: node.mark?.line ?? 0, message: message)
  }

  private func unreadable(_ error: YamlError) -> ConfigurationError {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      ConfigurationError(file: file, line: mark.line, message: "is no YAML: \(problem)")
    default: ConfigurationError(file: file, line: 0, message: "is no YAML")
    }
  }
}
