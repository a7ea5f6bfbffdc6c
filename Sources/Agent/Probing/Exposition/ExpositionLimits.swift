/// Bounds of one reading of an exposition, each with its reason. What is beyond is counted as left out, and its count is reported.
enum ExpositionLimits {
  /// A server of models writes some 100 kB, a node exporter with everything 1 MB.
  static let bytesMax = 4 << 20
  /// Names with types; the others count as untyped.
  static let familiesMax = 8192
  static let nameBytesMax = 128
  /// Of the labels of one series as text: they become part of a result's name.
  static let labelBytesMax = 384
  static let labelsMax = 32
  /// Series that are worked with, of all that `keep` and the figures of serving ask for.
  static let seriesMax = 1024
  /// Of one histogram; those of Prometheus' client libraries have about 15, vLLM's up to 30.
  static let bucketsMax = 128
  /// Of all histograms. With `seriesMax` it bounds what is remembered until the next reading: `ExpositionState.bytesMax`.
  static let bucketsTotalMax = 8192
}

/// What a metric is. Source: "Exposition formats", OpenMetrics 1.0.
enum MetricKind: UInt8, Sendable {
  case gauge = 0
  case counter = 1
  case histogram = 2
  case summary = 3
  /// Gauge histograms.
  case other = 4

  /// - Parameter word: of a line `# TYPE`. Information and state sets are series with 1 or 0; unknown ones may go down.
  init?(word: Substring) {
    switch word {
    case "counter": self = .counter
    case "gauge", "untyped", "unknown", "info", "stateset": self = .gauge
    case "histogram": self = .histogram
    case "summary": self = .summary
    case "gaugehistogram": self = .other
    default: return nil
    }
  }
}

/// One series: what all lines with its name and labels say together.
struct ExpositionSeries: Sendable, Equatable {
  struct Bucket: Sendable, Equatable {
    /// Upper bound, inclusive; infinite for the last.
    var bound: Double
    /// As it is exposed: also what lies in the buckets below.
    var count: Double
  }

  /// As it is shown: of a counter with its `_total`, of histograms and summaries without the endings of their lines.
  var name: String
  /// By name, without `le` and `quantile`.
  var labels: [(name: String, value: String)]
  var kind: MetricKind
  /// Of gauges and counters.
  var value = Double.nan
  var buckets: [Bucket] = []
  var sum = Double.nan
  var count = Double.nan
  /// Of summaries.
  var quantiles: [Bucket] = []
  /// It had too many buckets: no quantile can be computed of the others.
  var isCut = false

  init(_ name: String, _ labels: [(name: String, value: String)] = [], _ kind: MetricKind) {
    (self.name, self.labels, self.kind) = (name, labels, kind)
  }

  /// `{name="value",…}`; empty without labels.
  var labelText: String {
    labels.isEmpty ? "" : "{" + labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
  }

  func label(_ name: String) -> String? { labels.first { $0.name == name }?.value }

  private static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": out += "\\\\"
      case "\"": out += "\\\""
      case "\n": out += "\\n"
      // A result's name is one line wherever it is shown.
      case _ where scalar.properties.generalCategory == .control: out += "?"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  static func == (left: ExpositionSeries, right: ExpositionSeries) -> Bool {
    left.name == right.name && left.labels.elementsEqual(right.labels, by: ==) && left.kind == right.kind
      && left.value == right.value && left.buckets == right.buckets && left.sum == right.sum
      && left.count == right.count && left.quantiles == right.quantiles && left.isCut == right.isCut
  }
}
