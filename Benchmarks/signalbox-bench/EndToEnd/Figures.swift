internal import Files

/// What the end-to-end benchmarks found: a table for people, and the keys that scripts rely on.
struct Figures {
  struct Row {
    var what: String
    var value: String
    var target: String

    /// "(b)", or what comes after all letters.
    var part: String { what.hasPrefix("(") ? String(what.prefix(3)) : "~" }
  }

  private(set) var rows: [Row] = []
  private var keys: [(name: String, value: Double)] = []
  private var growths: [(name: String, ms: [Int: Double], exponent: Double)] = []

  /// The keys of bench.json, each always there; null where its part did not run.
  static let contract = [
    "ingest_ratio", "log_ratio", "agent_cpu_s_per_gb", "collector_cpu_s_per_gb", "agent_resident_mib",
    "agent_private_mib", "agent_cpu_ms_per_sample_lean", "agent_cpu_ms_per_sample_full", "collector_kb_per_idle_agent",
    "commit_latency_p50_ms_1000_agents", "commit_latency_p99_ms_1000_agents", "fleet_status_ms_10000_hosts",
    "rules_us_per_rule_sample", "rules_bytes_per_host",
  ]

  mutating func add(_ what: String, _ value: String, target: String = "") {
    rows.append(Row(what: what, value: value, target: target))
    Console.say("  \(what): \(value)")
  }

  /// A figure of the contract.
  mutating func add(_ key: String, _ value: Double, _ what: String, target: String) {
    precondition(Self.contract.contains(key), "a key of the contract")
    keys.append((key, value))
    add(what, Self.text(value), target: target)
  }

  /// How the cost of a question grows: ms by size, and the exponent between the smallest and the largest.
  mutating func add(growth name: String, _ ms: [Int: Double], exponent: Double, _ what: String) {
    growths.append((name, ms, exponent))
    let values = ms.sorted { $0.key < $1.key }.map { Self.text($0.value) } + [Self.text(exponent)]
    add(what, values.joined(separator: " / "))
  }

  static func text(_ value: Double) -> String {
    if !value.isFinite { return "-" }
    return "\((value * (value < 10 ? 1000 : 10)).rounded() / (value < 10 ? 1000 : 10))"
  }

  var table: String {
    let widths = (rows.map(\.what.count).max() ?? 0, rows.map(\.value.count).max() ?? 0)
    let ordered = rows.enumerated().sorted { ($0.element.part, $0.offset) < ($1.element.part, $1.offset) }
    return ordered.map(\.element).map { row in
      let what = row.what + String(repeating: " ", count: widths.0 - row.what.count)
      let value = String(repeating: " ", count: widths.1 - row.value.count) + row.value
      return "\(what)  \(value)" + (row.target.isEmpty ? "" : "   (\(row.target))")
    }.joined(separator: "\n")
  }

  var json: String {
    let lines = Self.contract.map { name in
      let value = keys.last { $0.name == name }?.value
      return "  \"\(name)\": " + (value.map { Self.number($0) } ?? "null")
    }
    let growth = growths.map { growth in
      let sizes = growth.ms.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \(Self.number($0.value))" }
      return "    \"\(growth.name)\": {"
        + (sizes + ["\"exponent\": \(Self.number(growth.exponent))"]).joined(separator: ", ") + "}"
    }
    let all = lines + ["  \"growth\": {\n" + growth.joined(separator: ",\n") + "\n  }"]
    return "{\n" + all.joined(separator: ",\n") + "\n}\n"
  }
}

extension Figures {
  fileprivate static func number(_ value: Double) -> String { value.isFinite ? "\(value)" : "null" }
}

/// Why a benchmark could not be run.
struct BenchFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

extension Array where Element: BinaryFloatingPoint {
  /// The value below which `ratio` of all lie.
  func percentile(_ ratio: Double) -> Double {
    if isEmpty { return .nan }
    let ordered = sorted()
    return Double(ordered[Swift.min(count - 1, Int(Double(count) * ratio))])
  }

  var median: Double { percentile(0.5) }
}

/// Lines that are out when they are said, also into a pipe.
enum Console {
  static func say(_ text: String) { try? StandardStream.output.write(text + "\n") }
}
