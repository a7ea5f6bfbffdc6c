package import FleetModel

/// Reads `training_log.csv`: one row a step of a trading episode, columns by name in any order.
///
/// Each read gives the steps of its range and one mergeable summary per episode of exactly that range. An episode has ended
/// when a row of another one follows, or when the file is finished. Rows carry no time: theirs is when they were read.
/// A row that cannot be read becomes a log line flagged `malformed`.
/// - Source: the seed's writer (Python `csv`): header line, CRLF, `nan` or an empty field where there is no figure.
package struct TrainingLogReader: LinedReader {
  private let place: RunPlace
  private let run: String
  private let path: String
  private let redactor: Redactor?
  private var columns: TrainingLogColumns
  /// What was rotated goes on without one.
  private var hasHeader: Bool
  /// Of the last row read.
  private var episode: Int64?
  var cutter: LineCutter
  private var row = DelimitedRow()
  /// The run was reported as going on; each reader reports it anew, because an end may have been reported meanwhile.
  private var isOpen = false

  /// - Parameter redactor: removes secrets from lines that are no rows.
  package init(context: ReaderContext, redactor: Redactor? = nil) {
    self.redactor = redactor
    path = context.file.path
    place = RunPlace(path, .trainingLogCSV)
    run = place.run
    cutter = LineCutter(context)
    let header = Self.columns(ofHead: context.head.span)
    columns = header ?? .standard
    hasHeader = header != nil
    episode = lastEpisode(in: context)
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    if offset == 0, let header = Self.columns(ofHead: bytes) { (columns, hasHeader) = (header, true) }
    let position = readLines(
      bytes, at: offset, isFinal: isFinal, nowNs: nowNs, budget: budget, into: &delta)
    if !isOpen, position > 0 { update(.running, nowNs: nowNs, &delta) }
    return position
  }

  private mutating func update(_ state: RunState, nowNs: Int64, _ delta: inout FileDelta) {
    isOpen = state == .running
    delta.runs.append(
      TrainingRun.update(place, state, framework: Self.framework, source: path, timeNs: nowNs, begins: hasHeader))
  }

  mutating func read(
    _ bytes: Span<UInt8>, _ line: LineCutter.Line, at offset: UInt64, nowNs: Int64, into delta: inout FileDelta
  ) -> Int {
    if line.content.isEmpty { return 1 }
    var step = TrainingStep()
    step.run = run
    step.timeNs = nowNs
    guard line.kind == .whole, row.split(bytes, line.content), columns.read(bytes, row.fields, into: &step) else {
      // The header, also where a program that appends writes it again.
      if TrainingLogColumns(bytes, line.content) != nil { return line.content.count }
      MalformedLines.append(bytes, line, at: offset, nowNs: nowNs, redactor, to: &delta.lines)
      return line.content.count
    }
    if let episode, episode != step.episode { delta.completeEpisode(episode, run: run, nowNs: nowNs) }
    episode = step.episode == TrainingStep.noEpisode ? nil : step.episode
    if episode != nil { delta.addToEpisode(step) }
    delta.steps.append(step)
    return step.encodedBytes
  }

  package var waitsForNewline: Bool { true }
  package var lineBytesMax: Int { TrainingLimits.lineBytesMax }

  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) {
    if let episode { delta.completeEpisode(episode, run: run, nowNs: nowNs) }
    update(.completed, nowNs: nowNs, &delta)
  }

  package static let framework = "training_log"
}

// MARK: Starting in the middle of a file

extension TrainingLogReader {
  private static func columns(ofHead bytes: Span<UInt8>) -> TrainingLogColumns? {
    guard let end = LineCutter.newline(bytes, from: 0) else { return nil }
    return TrainingLogColumns(bytes, LineCutter.content(bytes, 0..<end))
  }

  /// The episode of the last readable row before the offset.
  private mutating func lastEpisode(in context: ReaderContext) -> Int64? {
    let bytes = context.preceding.span
    let isFromStart = UInt64(context.preceding.count) >= context.offset
    var end = context.preceding.count
    // What follows the last newline is the head of a line that lies across the offset.
    while end > 0, bytes[end - 1] != UInt8(ascii: "\n") { end -= 1 }
    while end > 0 {
      var start = end - 1
      while start > 0, bytes[start - 1] != UInt8(ascii: "\n") { start -= 1 }
      guard start > 0 || isFromStart else { return nil }
      var step = TrainingStep()
      if row.split(bytes, LineCutter.content(bytes, start..<end - 1)), columns.read(bytes, row.fields, into: &step) {
        return step.episode == TrainingStep.noEpisode ? nil : step.episode
      }
      end = start
    }
    return nil
  }
}
