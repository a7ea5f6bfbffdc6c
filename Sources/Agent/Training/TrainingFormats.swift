package import FleetModel

/// Which training format a file has, and its reader.
package enum TrainingFormats {
  /// By the file's first line; by its name only while it has no whole line.
  ///
  /// - Parameter head: the file's first bytes, at most 64 KiB.
  /// - Returns: `.log` where it is none of them.
  package static func detect(path: String, head: Span<UInt8>) -> FileFormat {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    if isEventFile(path: path, head) { return .eventFile }
    if WandbChunks.isHead(head) { return .wandbLog }
    if let part = MLflowPath(path)?.part { return part.format(head) }
    if name == TrainerStateReader.fileName { return isTrainerState(head) ? .trainerState : .log }
    if isParameterFile(path: path, head, isNamed: true) { return .runParameters }
    guard let end = LineCutter.newline(head, from: 0) else { return detect(name: name, startOf: head) }
    let line = LineCutter.content(head, 0..<end)
    if name == "result.json" || name == "progress.json" {
      return !line.isEmpty && head[line.lowerBound] == UInt8(ascii: "{") ? .resultJSON : .log
    }
    guard name.hasSuffix(".csv") else { return .log }
    if isMonitor(head, line) { return .monitorCSV }
    var row = DelimitedRow()
    guard row.split(head, line) else { return .log }
    let names = row.names(head)
    if isTrainingLog(names) { return .trainingLogCSV }
    if name == "progress.csv", isProgress(names) { return .progressCSV }
    if LoggerKind(path: path, names: names) != .known { return .progressCSV }
    // A file whose header was rotated away.
    let isBare = name.hasPrefix("training_log") && row.fields.count == TrainingLogColumns.standard.roles.count
    return isBare && row.fields.allSatisfy { DecimalNumber.parse(head, $0) != nil } ? .trainingLogCSV : .log
  }

  /// The reader of `context.file.format`; nil for `.log`, and for databases, which have no bytes in order.
  package static func make(_ context: ReaderContext, redactor: Redactor? = nil) -> (any FormatReader)? {
    switch context.file.format {
    case .log, .trackio: nil
    case .trainingLogCSV: TrainingLogReader(context: context, redactor: redactor)
    case .monitorCSV: MonitorReader(context: context, redactor: redactor)
    case .progressCSV: ProgressReader(context: context, redactor: redactor)
    case .resultJSON: ResultReader(context: context, redactor: redactor)
    case .eventFile: EventReader(context: context, redactor: redactor)
    case .trainerState: TrainerStateReader(context: context, redactor: redactor)
    case .runParameters: ParameterFileReader(context: context, redactor: redactor)
    case .mlflowMetric: MLflowReader(context: context, redactor: redactor)
    case .wandbLog: WandbReader(context: context, redactor: redactor)
    }
  }

  /// A file of records whose first one states TensorBoard's version; of records of other content, as data sets have them, it does not.
  /// - Returns: also true where the name says so and the first record is not there yet.
  static func isEventFile(path: String, _ head: Span<UInt8>) -> Bool {
    let name = path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]
    guard head.count >= RecordFrame.headerBytes + eventMark.utf8.count else { return name.contains("tfevents") }
    guard RecordFrame.isHeader(head, 0) else { return false }
    return (RecordFrame.headerBytes..<min(head.count, 96)).contains { head.holds(eventMark, at: $0) }
  }

  /// The members that stand before the history, which are written in the order of their names.
  private static func isTrainerState(_ head: Span<UInt8>) -> Bool {
    guard ParameterText.looksLike(json: head) else { return false }
    let line = 0..<min(head.count, 4096)
    return ["\"log_history\"", "\"global_step\"", "\"best_metric\""].contains { name in
      line.contains { head.holds(name, at: $0) }
    }
  }

  /// Whether the file holds a run's parameters: known by its name and what it begins with.
  /// - Parameter isNamed: only names that programs give to such files; else any JSON or YAML.
  static func isParameterFile(path: String, _ head: Span<UInt8>, isNamed: Bool) -> Bool {
    let name = PathParts.name(path)
    let isYAML = name.hasSuffix(".yaml") || name.hasSuffix(".yml")
    guard isYAML || name.hasSuffix(".json") else { return false }
    let stem = name[..<(name.lastIndex(of: ".") ?? name.endIndex)]
    if isNamed, !parameterNames.contains(String(stem)) { return false }
    return isYAML ? ParameterText.looksLike(yaml: head) : ParameterText.looksLike(json: head, isCertain: isNamed)
  }

  /// Lightning; RLlib; Hugging Face; RL Zoo and many others.
  private static let parameterNames: Set<String> = [
    "hparams", "params", "training_args", "config", "args", "hyperparameters",
  ]

  /// How `Event.file_version` begins, which the first record holds. Source: tensorflow/core/util/events_writer.cc.
  private static let eventMark = "brain.Event:"

  /// Whether `ReaderContext.linesBefore` is wanted: its rows have no number of their own.
  package static func countsLines(_ format: FileFormat) -> Bool { format == .monitorCSV }

  /// The first line is longer than the head (RLlib's configuration), or not there yet.
  private static func detect(name: String, startOf head: Span<UInt8>) -> FileFormat {
    let line = LineCutter.content(head, 0..<head.count)
    let first: UInt8? = line.isEmpty ? nil : head[line.lowerBound]
    switch name {
    case "training_log.csv": return .trainingLogCSV
    case "progress.csv": return .progressCSV
    case "result.json", "progress.json": return first == nil || first == UInt8(ascii: "{") ? .resultJSON : .log
    default: return name.hasSuffix("monitor.csv") ? .monitorCSV : .log
    }
  }

  /// Which program wrote a CSV of logged rows.
  enum LoggerKind {
    case lightning, keras
    /// By the names of its columns.
    case known

    /// - Source: lightning/fabric/loggers/csv_logs.py (`metrics.csv`); keras/callbacks/csv_logger.py (`epoch` first, then sorted).
    init(path: String, names: [String]) {
      if path.hasSuffix("/metrics.csv"), names.contains("step"), names.contains("epoch") {
        self = .lightning
      } else if names.first == "epoch", names.count > 1, names.contains(where: { $0 == "loss" || $0 == "val_loss" }) {
        self = .keras
      } else {
        self = .known
      }
    }
  }

  private static func isMonitor(_ head: Span<UInt8>, _ line: Range<Int>) -> Bool {
    var row = DelimitedRow()
    var monitor = MonitorHead()
    guard line.count < 65536, monitor.take(head, line, number: 0, &row), !line.isEmpty else { return false }
    return head[line.lowerBound] != UInt8(ascii: "#") || monitor.startSeconds != nil
  }

  private static func isTrainingLog(_ names: [String]) -> Bool {
    names.contains("episode") && names.contains("step")
      && ["reward", "action", "portfolio_value"].contains(where: names.contains)
  }

  private static func isProgress(_ names: [String]) -> Bool {
    names.contains { name in
      name == "training_iteration" || ["time/", "rollout/", "train/", "eval/"].contains(where: name.hasPrefix)
    }
  }
}
