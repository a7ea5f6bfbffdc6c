package import FleetModel

/// Reads `result.json` of RLlib (Ray Tune), and `progress.json` of Stable-Baselines3: one JSON object a line, each of them
/// one logged iteration.
///
/// Numbers are metrics named by their path; `done` states that the run has ended. After a restore the program appends to
/// the same file, and the run goes on.
/// - Source: ray/tune/logger/json.py; stable_baselines3/common/logger.py (JSONOutputFormat).
package struct ResultReader: LinedReader {
  private let place: RunPlace
  private let run: String
  private let path: String
  private let redactor: Redactor?
  var cutter: LineCutter
  private var flat = FlatMetrics()
  /// The run was reported as going on; each reader reports it anew, because an end may have been reported meanwhile.
  private var isOpen = false
  /// The last row itself states that the run has ended.
  private var isDone = false

  /// - Parameter redactor: removes secrets from lines that are no rows.
  package init(context: ReaderContext, redactor: Redactor? = nil) {
    self.redactor = redactor
    path = context.file.path
    place = RunPlace(path, .resultJSON)
    run = place.run
    cutter = LineCutter(context)
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    readLines(bytes, at: offset, isFinal: isFinal, nowNs: nowNs, budget: budget, into: &delta)
  }

  package var waitsForNewline: Bool { true }
  package var lineBytesMax: Int { TrainingLimits.lineBytesMax }

  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) {
    if isDone { return }
    isOpen = false
    delta.runs.append(TrainingRun.update(place, .completed, framework: framework, source: path, timeNs: nowNs))
  }

  mutating func read(
    _ bytes: Span<UInt8>, _ line: LineCutter.Line, at offset: UInt64, nowNs: Int64, into delta: inout FileDelta
  ) -> Int {
    if line.content.isEmpty { return 1 }
    guard line.kind == .whole, flat.read(bytes, line.content), !flat.figures.metrics.isEmpty else {
      MalformedLines.append(bytes, line, at: offset, nowNs: nowNs, redactor, to: &delta.lines)
      return line.content.count
    }
    var step = TrainingStep()
    step.run = run
    step.metrics = flat.figures.complete
    step.takeStepAndReward()
    isDone = step.isDone
    step.timeNs = step.writtenNs ?? nowNs
    if step.isDone || !isOpen {
      isOpen = !step.isDone
      var update = TrainingRun.update(
        place, step.isDone ? .completed : .running, framework: framework, source: path, timeNs: step.timeNs,
        begins: true)
      update.detail = flat.detail
      delta.runs.append(update)
    }
    delta.steps.append(step)
    return step.encodedBytes
  }

  private var framework: String { path.hasSuffix("progress.json") ? MonitorReader.framework : Self.framework }

  package static let framework = "rllib"
}
