internal import FleetModel

/// The numbers of a JSON object as metrics named by their path, as RLlib's own `progress.csv` names them:
/// `{"env_runners": {"episode_return_mean": 21}}` is `env_runners/episode_return_mean`. Kept between lines.
///
/// Arrays are left out (histograms), and `config`, which repeats the run's settings in every line.
struct FlatMetrics {
  private(set) var figures = RowFigures()
  /// The texts and numbers that say which trial this is; a JSON object.
  private(set) var detail = "{}"
  private var path: [UInt8] = []
  /// Lengths of `path` at each open object.
  private var starts: [Int] = []

  /// - Returns: false where the range is not one JSON object.
  mutating func read(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    figures.removeAll()
    path.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    var detailMembers: [String] = []
    var scanner = JSONScanner(range)
    guard scanner.next(bytes) == .objectStart else { return false }
    var key = 0..<0
    while let token = scanner.next(bytes) {
      switch token {
      case .key(let name):
        key = name
        if starts.isEmpty, JSONScanner.matches(bytes, name, "config") { scanner.skip(bytes) }
      case .objectStart: enter(bytes, key)
      case .objectEnd: leave()
      case .arrayStart: scanner.skip(bytes, token)
      case .arrayEnd, .null: break
      case .bool(let value): add(bytes, key, value ? 1 : 0)
      case .number(let text): if let value = DecimalNumber.parse(bytes, text) { add(bytes, key, value) }
      case .string(let text): takeString(bytes, key, text, &detailMembers)
      }
    }
    detail = "{" + detailMembers.joined(separator: ", ") + "}"
    return scanner.isComplete
  }

  private mutating func enter(_ bytes: Span<UInt8>, _ key: Range<Int>) {
    starts.append(path.count)
    append(bytes, key)
    path.append(UInt8(ascii: "/"))
  }

  private mutating func leave() {
    guard let start = starts.popLast() else { return }
    path.removeLast(path.count - start)
  }

  private mutating func append(_ bytes: Span<UInt8>, _ key: Range<Int>) {
    path.append(contentsOf: JSONScanner.text(bytes, key, bytesMax: TrainingLimits.metricNameBytesMax))
  }

  private mutating func add(_ bytes: Span<UInt8>, _ key: Range<Int>, _ value: Double) {
    let start = path.count
    append(bytes, key)
    figures.add(MetricName.text(path), value)
    path.removeLast(path.count - start)
  }

  /// Python writes some numbers as text, and which trial this is.
  private mutating func takeString(
    _ bytes: Span<UInt8>, _ key: Range<Int>, _ text: Range<Int>, _ members: inout [String]
  ) {
    if JSONScanner.matches(bytes, text, "NaN") || JSONScanner.matches(bytes, text, "nan") {
      add(bytes, key, .nan)
    } else if JSONScanner.matches(bytes, text, "Infinity") || JSONScanner.matches(bytes, text, "-Infinity") {
      add(bytes, key, bytes[text.lowerBound] == UInt8(ascii: "-") ? -.infinity : .infinity)
    } else if starts.isEmpty, Self.identity.contains(where: { JSONScanner.matches(bytes, key, $0) }) {
      members.append(JSONText.string(bytes, key) + ": " + JSONText.string(bytes, text))
    }
  }

  private static let identity: [StaticString] = ["trial_id", "hostname", "node_ip", "experiment_tag"]
}

extension JSONText {
  /// A string of a JSON text, bounded, with its escapes written anew.
  static func string(_ bytes: Span<UInt8>, _ range: Range<Int>, bytesMax: Int = 256) -> String {
    quoted(SafeText.make(JSONScanner.text(bytes, range, bytesMax: bytesMax), bytesMax: bytesMax))
  }
}
