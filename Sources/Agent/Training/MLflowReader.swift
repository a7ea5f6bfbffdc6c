package import FleetModel

/// Reads one metric of a run in MLflow's file store: a line for each value, `<ms> <value> <step>`, to which newer versions add a data set.
///
/// The metric's name is the file's path below `metrics`; all metrics of a run are of one run, by its directory. A line without a step is of
/// step 0. How the run ended is in its `meta.yaml` (`ParameterFileReader`).
/// - Source: mlflow/store/tracking/file_store.py (`_log_run_metric`, `_get_metric_from_line`).
package struct MLflowReader: LinedReader {
  private let place: RunPlace
  private let run: String
  private let path: String
  private let name: String
  private let redactor: Redactor?
  var cutter: LineCutter
  private var isOpen = false

  /// - Parameter redactor: removes secrets from lines that are no rows.
  package init(context: ReaderContext, redactor: Redactor? = nil) {
    self.redactor = redactor
    path = context.file.path
    place = RunPlace(path, .mlflowMetric)
    run = place.run
    let key = if case .metric(let key)? = MLflowPath(path)?.part { key } else { String(PathParts.name(path)) }
    name = MetricName.text(Array(key.utf8))
    cutter = LineCutter(context)
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    readLines(bytes, at: offset, isFinal: isFinal, nowNs: nowNs, budget: budget, into: &delta)
  }

  mutating func read(
    _ bytes: Span<UInt8>, _ line: LineCutter.Line, at offset: UInt64, nowNs: Int64, into delta: inout FileDelta
  ) -> Int {
    if line.content.isEmpty { return 1 }
    guard line.kind == .whole, let value = Self.value(bytes, line.content) else {
      MalformedLines.append(bytes, line, at: offset, nowNs: nowNs, redactor, to: &delta.lines)
      return line.content.count
    }
    var row = TrainingStep()
    row.run = run
    row.timeNs = WrittenTime.ns(seconds: Double(value.ms) / 1000) != nil ? value.ms * 1_000_000 : nowNs
    row.step = value.step
    row.metrics = [Metric(name, value.value)]
    if !isOpen {
      isOpen = true
      delta.runs.append(
        TrainingRun.update(place, .running, framework: Self.framework, source: path, timeNs: row.timeNs))
    }
    delta.steps.append(row)
    return row.encodedBytes
  }

  package var waitsForNewline: Bool { true }

  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) {
    isOpen = false
    delta.runs.append(TrainingRun.update(place, .completed, framework: Self.framework, source: path, timeNs: nowNs))
  }

  /// - Returns: nil where the line is none of a metric.
  static func value(_ bytes: Span<UInt8>, _ line: Range<Int>) -> (ms: Int64, value: Double, step: Int64)? {
    var fields: [Range<Int>] = []
    var start = line.lowerBound
    for at in line where bytes[at] == UInt8(ascii: " ") {
      fields.append(start..<at)
      start = at + 1
      if fields.count == 5 { return nil }
    }
    fields.append(start..<line.upperBound)
    guard fields.count >= 2, let ms = DecimalNumber.parseInteger(bytes, fields[0]), ms >= 0,
      let value = DecimalNumber.parse(bytes, fields[1])
    else { return nil }
    guard fields.count > 2 else { return (ms, value, 0) }
    return DecimalNumber.parseInteger(bytes, fields[2]).map { (ms, value, $0) }
  }

  package static let framework = "mlflow"
}
