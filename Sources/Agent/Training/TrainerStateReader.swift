internal import Files
package import FleetModel

/// Reads `trainer_state.json` of Hugging Face's Trainer: each object of its `log_history` is a row, by its `step`.
///
/// The file is one JSON document, written anew in each checkpoint and holding the whole history until then. The reader takes rows as if they
/// were lines, and leaves what follows the last one untaken: so the bytes before its offset are always a row's end, by which the follower
/// finds its place in the next document (`Followers+Documents`). What stands behind the history is reported whenever all rows before it are
/// taken: parameters, and whether the run has ended. A row has no time of its own; it gets the file's time of change.
/// - Source: transformers/trainer_callback.py (`TrainerState.save_to_json`: sorted keys, indent 2), trainer.py (`log`, `save_state`).
package struct TrainerStateReader: FormatReader {
  /// What follows the history and is looked at for parameters.
  private static let restBytesMax = 64 << 10

  private let place: RunPlace
  private let run: String
  private let path: String
  private let modifiedNs: Int64
  private var flat = FlatMetrics()
  private var parameters: RunParameters
  /// The bytes before the offset end with no row: where rows are is not known.
  private var isDamaged: Bool
  private var isOpen = false
  /// Of the last row before the offset.
  private var lastStep: Int64?
  private var isDone = false
  private var unread = UnreadContent()
  package private(set) var isAtRest = false

  /// - Parameter redactor: removes secrets from parameters.
  package init(context: ReaderContext, redactor: Redactor? = nil) {
    path = context.file.path
    place = RunPlace(path, .trainerState)
    run = place.run
    modifiedNs = context.modifiedNs
    parameters = RunParameters(redactor)
    isDamaged = context.offset > 0 && context.preceding.last != UInt8(ascii: "}")
    if context.offset > 0, !isDamaged { readLastRow(context.preceding) }
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    isAtRest = false
    if isDamaged { return lose(bytes.count) }
    var scanner = HistoryScanner(isBehindRow: offset > 0)
    var (taken, spent, start, behind, position) = (0, 0, 0, 0, 0)
    while position < bytes.count, spent < budget, !scanner.isFailed {
      switch scanner.take(bytes[position]) {
      case .rowStart: start = position
      case .rowEnd:
        taken = position + 1
        spent += take(bytes, start..<taken, nowNs: nowNs, into: &delta)
      case .historyEnd: behind = position + 1
      case .over, .none: break
      }
      position += 1
    }
    if scanner.isFailed {
      isDamaged = true
      return taken > 0 ? taken : lose(bytes.count)
    }
    guard position == bytes.count else { return taken }
    if scanner.isOver, taken == 0 {
      isAtRest = true
      end(bytes, behind..<bytes.count, nowNs: nowNs, into: &delta)
    }
    guard isFinal else { return taken }
    // What was read before is read again as it was, up to a row's end.
    if !scanner.isOver, taken < bytes.count { return lose(bytes.count) }
    return bytes.count
  }

  package var waitsForNewline: Bool { true }
  package var lineBytesMax: Int { TrainingLimits.lineBytesMax }
  package var leftOut: [UnreadContent.Part] { unread.parts }

  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) {
    if isDone { return }
    isOpen = false
    delta.runs.append(TrainingRun.update(place, .completed, framework: Self.framework, source: path, timeNs: nowNs))
  }

  private mutating func lose(_ count: Int) -> Int {
    isDamaged = true
    unread.add(.damaged, count: 1, bytes: UInt64(count))
    return count
  }

  /// - Returns: what the row costs of the budget.
  private mutating func take(
    _ bytes: Span<UInt8>, _ range: Range<Int>, nowNs: Int64, into delta: inout FileDelta
  ) -> Int {
    guard flat.read(bytes, range), !flat.figures.metrics.isEmpty else {
      unread.add(.damaged, count: 1, bytes: UInt64(range.count))
      return range.count
    }
    var row = TrainingStep()
    row.run = run
    row.timeNs = modifiedNs > 0 ? modifiedNs : nowNs
    row.metrics = flat.figures.complete
    row.takeStepAndReward()
    note(row.metrics)
    // The row behind the last step opens no run that has ended with that.
    if !isOpen, !isDone {
      isOpen = true
      delta.runs.append(
        TrainingRun.update(place, .running, framework: Self.framework, source: path, timeNs: row.timeNs))
    }
    delta.steps.append(row)
    return row.encodedBytes
  }

  /// Behind the last row, all of which were taken: what the run was started with, and whether that row was its last.
  private mutating func end(_ bytes: Span<UInt8>, _ rest: Range<Int>, nowNs: Int64, into delta: inout FileDelta) {
    guard let lastStep, rest.count <= Self.restBytesMax else { return }
    var text = [UInt8(ascii: "{")]
    text.append(bytes, rest)
    if let comma = text.indices.dropFirst().first(where: { text[$0] > 0x20 }), text[comma] == UInt8(ascii: ",") {
      text[comma] = 0x20
    }
    parameters.removeAll()
    _ = parameters.add(text.span, object: 0..<text.count)
    let stepsMax = parameters.members.first { $0.name == "max_steps" }.flatMap { Int64($0.value) } ?? 0
    if stepsMax > 0, lastStep >= stepsMax { isDone = true }
    var update = TrainingRun.update(
      place, isDone ? .completed : .unknown, framework: Self.framework, source: path,
      timeNs: modifiedNs > 0 ? modifiedNs : nowNs)
    update.detail = parameters.detail
    delta.runs.append(update)
  }

  /// The row before an offset, by which another reader has got there.
  private mutating func readLastRow(_ bytes: [UInt8]) {
    guard let start = bytes.lastIndex(of: UInt8(ascii: "{")), flat.read(bytes.span, start..<bytes.count) else { return }
    note(flat.figures.complete)
  }

  private mutating func note(_ metrics: [Metric]) {
    var row = TrainingStep()
    row.metrics = metrics
    row.takeStepAndReward()
    lastStep = row.step
    // What the Trainer logs at its end, behind its last step.
    isDone = metrics.contains { $0.name == "train_runtime" }
  }

  package static let framework = "transformers"
  static let fileName = "trainer_state.json"
}
