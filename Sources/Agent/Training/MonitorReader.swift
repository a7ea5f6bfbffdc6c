package import FleetModel

/// Reads `monitor.csv` of Stable-Baselines3: each row is one episode that has ended, with its return and length.
///
/// Episodes are numbered by the index of their row, from 1, and by environment, where each has its own file. Their time is `t_start + t` as long as the file holds it: a
/// program that appends starts `t` again at 0 without a new `t_start`, and from there the time of reading stands in.
/// Columns beyond `r,l,t` go along as a step of the episode.
/// - Source: stable_baselines3/common/monitor.py.
package struct MonitorReader: LinedReader {
  private let place: RunPlace
  private let run: String
  private let path: String
  private let redactor: Redactor?
  private var head = MonitorHead()
  private var clock = MonitorClock()
  /// Index in the file of the cutter's first line, from 0; nil where it is not known.
  private var firstLine: UInt64?
  var cutter: LineCutter
  private var row = DelimitedRow()
  private var extras = RowFigures()
  /// The run was reported as going on; each reader reports it anew, because an end may have been reported meanwhile.
  private var isOpen = false

  /// - Parameter redactor: removes secrets from lines that are no rows.
  package init(context: ReaderContext, redactor: Redactor? = nil) {
    self.redactor = redactor
    path = context.file.path
    place = RunPlace(path, .monitorCSV)
    run = place.run
    cutter = LineCutter(context)
    let isFromStart = UInt64(context.preceding.count) >= context.offset
    firstLine =
      isFromStart ? UInt64(context.preceding.count { $0 == UInt8(ascii: "\n") }) : context.linesBefore
    readHead(context.head)
    readClock(context.preceding, isFromStart: isFromStart)
  }

  package mutating func read(
    _ bytes: Span<UInt8>, at offset: UInt64, isFinal: Bool, nowNs: Int64, budget: Int, into delta: inout FileDelta
  ) -> Int {
    let position = readLines(
      bytes, at: offset, isFinal: isFinal, nowNs: nowNs, budget: budget, into: &delta)
    if !isOpen, position > 0 {
      isOpen = true
      delta.runs.append(
        TrainingRun.update(
          place, .running, framework: Self.framework, source: path, timeNs: nowNs, begins: head.lines > 0))
    }
    return position
  }

  package var waitsForNewline: Bool { true }
  package var lineBytesMax: Int { TrainingLimits.lineBytesMax }

  package mutating func finish(nowNs: Int64, into delta: inout FileDelta) {
    isOpen = false
    delta.runs.append(TrainingRun.update(place, .completed, framework: Self.framework, source: path, timeNs: nowNs))
  }

  mutating func read(
    _ bytes: Span<UInt8>, _ line: LineCutter.Line, at offset: UInt64, nowNs: Int64, into delta: inout FileDelta
  ) -> Int {
    let number = firstLine.map { $0 + line.number }
    if head.take(bytes, line.content, number: number, &row) { return line.content.count + 1 }
    guard line.kind == .whole, let figures = figures(bytes, line.content) else {
      MalformedLines.append(bytes, line, at: offset, nowNs: nowNs, redactor, to: &delta.lines)
      return line.content.count
    }
    var episode = EpisodeSummary()
    episode.run = run
    // Where lines were not counted, the row's offset is larger than any count, and as unique.
    let index = number.map { $0 >= head.lines ? $0 - head.lines + 1 : 0 } ?? offset + UInt64(line.content.lowerBound)
    episode.episode =
      min(Int64(clamping: index), TrainingStep.episodesPerEnvironment - 1)
      + place.environment * TrainingStep.episodesPerEnvironment
    episode.state = .completed
    episode.finalReward = figures.reward
    episode.finalSteps = figures.length
    episode.startedNs = clock.ns(clock.lastSeconds, start: head.startSeconds) ?? 0
    clock.advance(to: figures.seconds)
    episode.timeNs = clock.ns(figures.seconds, start: head.startSeconds) ?? nowNs
    if clock.isAppended { episode.startedNs = 0 }
    delta.episodes.append(episode)
    return addExtras(bytes, of: episode, to: &delta) + 128 + run.utf8.count
  }

  private mutating func figures(_ bytes: Span<UInt8>, _ line: Range<Int>)
    -> (reward: Double, length: Int64, seconds: Double)?
  {
    // A program that appends with other `info_keywords` writes no new head; `r,l,t` stand first in each of its rows all the same.
    guard row.split(bytes, line), row.fields.count == head.names.count || row.fields.count >= 3 && head.isInOrder,
      let reward = DecimalNumber.parse(bytes, row.fields[head.returnColumn]),
      let length = DecimalNumber.parseInteger(bytes, row.fields[head.lengthColumn]), length >= 0,
      let seconds = DecimalNumber.parse(bytes, row.fields[head.timeColumn])
    else { return nil }
    return (reward, length, seconds)
  }

  /// What the environment adds to its rows (`info_keywords`).
  private mutating func addExtras(
    _ bytes: Span<UInt8>, of episode: EpisodeSummary, to delta: inout FileDelta
  ) -> Int {
    guard row.fields.count > 3 else { return 0 }
    extras.removeAll()
    let isAsHead = row.fields.count == head.names.count
    var step = TrainingStep()
    step.run = run
    step.timeNs = episode.timeNs
    step.episode = episode.episode
    step.step = episode.finalSteps
    step.reward = episode.finalReward
    for (index, field) in row.fields.enumerated() {
      if index == head.returnColumn || index == head.lengthColumn || index == head.timeColumn { continue }
      guard let value = DecimalNumber.parseLogged(bytes, field) else { continue }
      // Without a head of its own a column has no name but its position.
      extras.add(isAsHead ? head.names[index] : "column_\(index + 1)", value)
    }
    guard !extras.metrics.isEmpty else { return 0 }
    step.metrics = extras.complete
    delta.steps.append(step)
    return step.encodedBytes
  }

  package static let framework = "stable-baselines3"
}

// MARK: Starting in the middle of a file

extension MonitorReader {
  private mutating func readHead(_ bytes: [UInt8]) {
    LineCutter.forEachLine(bytes.span) { line in
      head.take(bytes.span, line.content, number: line.number, &row)
    }
  }

  /// Runs the clock over the rows before the offset.
  private mutating func readClock(_ bytes: [UInt8], isFromStart: Bool) {
    // Where the first line's start is missing, it is no row.
    let start = isFromStart ? 0 : LineCutter.newline(bytes.span, from: 0).map { $0 + 1 } ?? bytes.count
    LineCutter.forEachLine(bytes.span, from: start) { line in
      if let figures = figures(bytes.span, line.content) { clock.advance(to: figures.seconds) }
      return true
    }
  }
}
