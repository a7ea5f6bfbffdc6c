package import FleetModel

/// Reads a file of parameters that a program writes beside its run, as a whole when it rests: names and values go to the run, and no row.
///
/// Which runs they belong to is the follower's to say (`ReaderContext.runs`); those of MLflow's file store belong to the run of their
/// directory. Its `meta.yaml` also states how the run ended.
/// - Source: lightning/pytorch/core/saving.py (`save_hparams_to_yaml`); ray/tune/logger/json.py (`params.json`); rl_zoo3/exp_manager.py;
///   mlflow/store/tracking/file_store.py (`_log_run_param`, `_overwrite_run_info`), mlflow/entities/run_status.py.
package struct ParameterFileReader: FormatReader {
  private let path: String
  private let runs: [String]
  private let part: MLflowPath.Part?
  private let redactor: Redactor?
  private var unread = UnreadContent()

  /// - Parameter redactor: removes secrets from parameters.
  package init(context: ReaderContext, redactor: Redactor? = nil) {
    path = context.file.path
    self.redactor = redactor
    part = MLflowPath(path)?.part
    let isOfOthers = part == nil && !context.runs.isEmpty
    runs = isOfOthers ? context.runs : [RunPlace(path, .runParameters).run]
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    // What follows a part is of a document that was too large, or is written right now.
    guard offset == 0 else { return bytes.count }
    guard isFinal else { return 0 }
    guard bytes.count <= TrainingLimits.parameterFileBytesMax else {
      unread.add(.noParameters, count: 1, bytes: UInt64(bytes.count))
      return bytes.count
    }
    var text = ParameterText(redactor)
    var end: (state: RunState, ns: Int64)?
    switch part {
    case .parameter(let name)?: text.add(Array(name.utf8), text: bytes)
    case .meta?:
      text.read(yaml: bytes)
      end = Self.end(text.parameters)
    default:
      if PathParts.name(path).hasSuffix(".json") {
        if !text.read(json: bytes) { unread.add(.damaged, count: 1, bytes: UInt64(bytes.count)) }
      } else {
        text.read(yaml: bytes)
      }
    }
    unread.add(.noParameters, count: UInt64(text.leftOut + text.parameters.leftOut))
    guard !text.parameters.isEmpty else { return bytes.count }
    for run in runs {
      // A state is reported by who knows it: a file of parameters alone neither starts nor ends anything.
      let framework = part == nil ? "" : MLflowReader.framework
      var update = TrainingRun.update(run, .unknown, framework: framework, source: "", timeNs: nowNs)
      if let end { (update.state, update.timeNs) = end }
      update.detail = text.parameters.detail
      delta.runs.append(update)
    }
    return bytes.count
  }

  package var lineBytesMax: Int { TrainingLimits.parameterFileBytesMax }
  package var leftOut: [UnreadContent.Part] { unread.parts }

  /// `status` of RunStatus: 1 running, 2 scheduled, 3 finished, 4 failed, 5 killed; `end_time` in ms.
  private static func end(_ parameters: RunParameters) -> (RunState, Int64)? {
    func number(_ name: String) -> Int64? {
      parameters.members.first { $0.name == name }.flatMap { Int64($0.value) }
    }
    guard let status = number("status"), (3...5).contains(status), let endMs = number("end_time"),
      WrittenTime.ns(seconds: Double(endMs) / 1000) != nil
    else { return nil }
    return (status == 3 ? .completed : .failed, endMs * 1_000_000)
  }
}
