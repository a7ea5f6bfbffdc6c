package import FleetModel

/// Reads `progress.csv` of Stable-Baselines3 and of RLlib (Ray Tune), `metrics.csv` of Lightning and what Keras' CSVLogger writes: each row
/// is one logged iteration.
///
/// Every column that holds a number is a metric under its own name; an empty field is absent. Stable-Baselines3 rewrites
/// the file in place when a new column appears: the follower then starts a new generation, and that is no new attempt,
/// because it begins with the same first row, which only gets empty fields: Lightning puts them between the others. RLlib
/// fixes its columns with the first row; `result.json` beside it holds more.
/// - Source: stable_baselines3/common/logger.py (CSVOutputFormat); ray/tune/logger/csv.py.
package struct ProgressReader: LinedReader {
  private let path: String
  private let redactor: Redactor?
  /// Of the columns, from the header; nil before it.
  private(set) var names: [String]?
  /// nil until the columns are known, which may say who writes it.
  private var place: RunPlace?
  private var run = ""
  /// Of the first row; 0 until it was seen.
  private var mark: UInt64 = 0
  var cutter: LineCutter
  private var row = DelimitedRow()
  private var figures = RowFigures()
  /// The run was reported as going on; each reader reports it anew, because an end may have been reported meanwhile.
  private var isOpen = false
  /// The last row itself states that the run has ended.
  private var isDone = false

  /// - Parameter redactor: removes secrets from lines that are no rows.
  package init(context: ReaderContext, redactor: Redactor? = nil) {
    self.redactor = redactor
    path = context.file.path
    cutter = LineCutter(context)
    readHead(context.head)
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    readLines(bytes, at: offset, isFinal: isFinal, nowNs: nowNs, budget: budget, into: &delta)
  }

  package var waitsForNewline: Bool { true }
  package var lineBytesMax: Int { TrainingLimits.lineBytesMax }

  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) {
    if mark != 0, !isDone { update(.completed, nowNs: nowNs, &delta) }
  }

  mutating func read(
    _ bytes: Span<UInt8>, _ line: LineCutter.Line, at offset: UInt64, nowNs: Int64, into delta: inout FileDelta
  ) -> Int {
    if line.content.isEmpty { return 1 }
    let isHeader = offset + UInt64(line.start) == 0
    guard line.kind == .whole, row.split(bytes, line.content) else {
      return keep(bytes, line, at: offset, nowNs: nowNs, into: &delta)
    }
    if isHeader {
      takeNames(row.names(bytes))
      return line.content.count
    }
    guard let names, names.count == row.fields.count else {
      return keep(bytes, line, at: offset, nowNs: nowNs, into: &delta)
    }
    var step = step(bytes, names, nowNs: nowNs)
    guard !step.metrics.isEmpty else { return keep(bytes, line, at: offset, nowNs: nowNs, into: &delta) }
    if mark == 0 { mark = mark(bytes, line.content) }
    step.run = run
    isDone = step.isDone
    if !isOpen, !step.isDone { update(.running, nowNs: step.timeNs, &delta) }
    if step.isDone { update(.completed, nowNs: step.timeNs, &delta) }
    delta.steps.append(step)
    return step.encodedBytes
  }

  private func keep(
    _ bytes: Span<UInt8>, _ line: LineCutter.Line, at offset: UInt64, nowNs: Int64, into delta: inout FileDelta
  ) -> Int {
    MalformedLines.append(bytes, line, at: offset, nowNs: nowNs, redactor, to: &delta.lines)
    return line.content.count
  }

  private mutating func step(_ bytes: Span<UInt8>, _ names: [String], nowNs: Int64) -> TrainingStep {
    figures.removeAll()
    for (name, field) in zip(names, row.fields) {
      guard let value = DecimalNumber.parseLogged(bytes, field) else { continue }
      figures.add(name, value)
    }
    var step = TrainingStep()
    step.metrics = figures.complete
    step.takeStepAndReward()
    step.timeNs = step.writtenNs ?? nowNs
    return step
  }

  private mutating func update(_ state: RunState, nowNs: Int64, _ delta: inout FileDelta) {
    isOpen = state == .running
    guard let place else { return }
    var update = TrainingRun.update(
      place, state, framework: framework, source: path, timeNs: nowNs, begins: true)
    update.mark = mark
    delta.runs.append(update)
  }

  private var kind: TrainingFormats.LoggerKind { TrainingFormats.LoggerKind(path: path, names: names ?? []) }

  private var framework: String {
    switch kind {
    case .lightning: "lightning"
    case .keras: "keras"
    case .known: names?.contains("training_iteration") == true ? ResultReader.framework : MonitorReader.framework
    }
  }
}

// MARK: The run

extension ProgressReader {
  private mutating func readHead(_ bytes: [UInt8]) {
    LineCutter.forEachLine(bytes.span) { line in
      if line.content.isEmpty { return true }
      guard line.kind == .whole, row.split(bytes.span, line.content) else { return true }
      if line.start == 0 {
        takeNames(row.names(bytes.span))
        return true
      }
      guard let names, names.count == row.fields.count, !step(bytes.span, names, nowNs: 0).metrics.isEmpty else {
        return true
      }
      mark = mark(bytes.span, line.content)
      return false
    }
  }

  private mutating func takeNames(_ names: [String]) {
    self.names = names
    place = RunPlace(path, .progressCSV)
    run = place?.run ?? ""
  }

  /// The row without the empty fields that rewriting adds; Lightning sorts its columns anew, so that their order says nothing.
  private func mark(_ bytes: Span<UInt8>, _ line: Range<Int>) -> UInt64 {
    let text = line.map { bytes[$0] }
    func hash(_ bytes: some Sequence<UInt8>) -> UInt64 { max(1, ContentHash.of(Array(bytes).span)) }
    if kind == .lightning {
      let fields = text.split(separator: UInt8(ascii: ",")).sorted { $0.lexicographicallyPrecedes($1) }
      return hash(fields.joined(separator: [UInt8(ascii: ",")]))
    }
    return hash(text.reversed().drop { $0 == UInt8(ascii: ",") }.reversed())
  }
}
