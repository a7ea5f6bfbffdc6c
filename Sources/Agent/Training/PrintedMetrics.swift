internal import Files
internal import FleetModel

/// The numbers that training programs print among their log lines: the line stays what it is, its numbers are a row of a run as well.
///
/// Recognised by how a line begins, so that a plain line costs a look at its first byte, and one with a time a look at its first
/// separators. The run is that of the file's place; a row has the line's time, or that of its reading.
/// - Source: nanoGPT train.py; Megatron-LM training.py (`training_log`); DeepSpeed engine.py (`_report_progress`); torchtitan
///   components/metrics.py; transformers trainer_callback.py (`PrinterCallback`); CleanRL; XGBoost callback.py (`EvaluationMonitor`);
///   LightGBM callback.py (`log_evaluation`); Keras progbar.py; stable_baselines3/common/logger.py (`HumanOutputFormat`).
struct PrintedMetrics {
  /// Beyond this a line is prose or data.
  private static let lineBytesMax = 4096
  /// Longer ones without `:` and `=` are none: `step 10 loss 0.25` may be one.
  private static let wordsBytesMax = 48
  /// Separators looked at behind a line's time: those of file names and ranks stand before the step.
  private static let separatorsMax = 4
  /// Of a date and a time, which hold separators of their own.
  private static let timeBytes = 20

  private let place: RunPlace
  private let run: String
  private let path: String
  private var table = PrintedTable()
  /// Of the last `Epoch 3/10`, which stands before the lines that it is about.
  private var epoch: Int64?
  /// A row was reported since the run was last reported as ended.
  private(set) var isOpen = false
  private var figures = RowFigures()
  /// What the host's owner declares.
  private var declared: MatchedMetrics

  /// - Parameter path: of the file, or the name of its stream.
  init(path: String, declared: MatchedMetrics = MatchedMetrics()) {
    self.declared = declared
    self.path = path
    place = RunPlace(path, .log)
    run = place.run
  }

  /// The same state in another reader, which reports its run anew.
  func handedOver() -> PrintedMetrics {
    var other = self
    other.isOpen = false
    return other
  }

  // MARK: Prefilter

  /// What a line may be, by its start.
  enum Shape {
    /// `step 10: …`, `iteration 10/ 100 | …`, `global_step=10, …`: from where on.
    case stepped(Int)
    /// Python's dict of a row.
    case dict(Int)
    /// `[10]` and a tab.
    case rounds(Int)
    /// `10/100 ━━━`
    case bar(Int)
    case epoch(Int)
    case tableRow, tableRule
  }

  /// - Parameter isTimed: it begins with a time.
  /// - Returns: nil for nearly all lines.
  @inline(__always) static func shape(_ bytes: Span<UInt8>, _ line: Range<Int>, isTimed: Bool, _ scan: LineScan)
    -> Shape?
  {
    var at = line.lowerBound
    while at < line.upperBound, bytes[at] == UInt8(ascii: " ") { at += 1 }
    guard line.upperBound - at > 3, line.count <= lineBytesMax else { return nil }
    switch bytes[at] {
    case UInt8(ascii: "s"), UInt8(ascii: "S"), UInt8(ascii: "i"), UInt8(ascii: "I"), UInt8(ascii: "e"),
      UInt8(ascii: "E"), UInt8(ascii: "g"):
      // A sentence: `episode 12 finished after 972 steps with…`
      if line.upperBound - at > wordsBytesMax, scan.first(.separator, in: at..<line.upperBound) == nil { return nil }
      // glog's lines begin with a letter and the time.
      if let shape = known(bytes, at..<line.upperBound) { return shape }
    case UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "-"), 0x1b:
      return known(bytes, at..<line.upperBound)
    case UInt8(ascii: "["), UInt8(ascii: "0")...UInt8(ascii: "9"):
      if !isTimed { return numbered(bytes, at..<line.upperBound) }
    default: break
    }
    return isTimed ? anchored(bytes, at..<line.upperBound, scan) : nil
  }

  @inline(never) private static func known(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Shape? {
    let at = line.lowerBound
    switch bytes[at] {
    case UInt8(ascii: "{"): return bytes[at + 1] == UInt8(ascii: "'") ? .dict(at) : nil
    case UInt8(ascii: "|"): return bytes[at + 1] == UInt8(ascii: " ") ? .tableRow : nil
    case UInt8(ascii: "-"):
      return line.count >= 8 && line.allSatisfy { bytes[$0] == UInt8(ascii: "-") } ? .tableRule : nil
    // Colours: Keras and torchtitan.
    case 0x1b: return .bar(at)
    default: break
    }
    let words = ["step", "Step", "iter", "Iter", "global_step", "epoch", "Epoch", "episode", "Episode"]
    guard let word = words.first(where: { bytes.holds($0, at: at) }) else { return nil }
    return word == "Epoch" || word == "epoch" ? .epoch(at) : .stepped(at)
  }

  @inline(never) private static func numbered(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Shape? {
    let isRound = bytes[line.lowerBound] == UInt8(ascii: "[")
    var at = line.lowerBound + (isRound ? 1 : 0)
    let start = at
    while at < line.upperBound, at - start < 12, bytes[at] &- 48 <= 9 { at += 1 }
    guard at > start, at + 1 < line.upperBound else { return nil }
    if !isRound { return bytes[at] == UInt8(ascii: "/") ? .bar(line.lowerBound) : nil }
    return bytes[at] == UInt8(ascii: "]") && bytes[at + 1] == UInt8(ascii: "\t") ? .rounds(line.lowerBound) : nil
  }

  /// Behind a logger's head: `step:` and `step=` (torchtitan, DeepSpeed), `iter=10`, `Epoch 3:`, `Step [100/500]:`, or `consumed samples:` behind
  /// Megatron's iteration.
  private static func anchored(_ bytes: Span<UInt8>, _ line: Range<Int>, _ scan: LineScan) -> Shape? {
    var from = line.lowerBound + timeBytes
    for _ in 0..<separatorsMax {
      guard from < line.upperBound, let at = scan.first(.separator, in: from..<line.upperBound) else { return nil }
      if let shape = counted(bytes, before: at, from: line.lowerBound + timeBytes) { return shape }
      if bytes[at - 1] == UInt8(ascii: "s"), bytes.holds("consumed samples", at: at - 16) {
        return (line.lowerBound..<at).first { bytes.holds("iteration ", at: $0) }.map(Shape.stepped)
      }
      from = at + 1
    }
    return nil
  }

  /// A word of a count that stands before a separator, with its number in between or behind.
  @inline(__always) private static func counted(_ bytes: Span<UInt8>, before at: Int, from start: Int) -> Shape? {
    switch bytes[at - 1] {
    case UInt8(ascii: "p"), UInt8(ascii: "P"), UInt8(ascii: "r"), UInt8(ascii: "R"), UInt8(ascii: "n"),
      UInt8(ascii: "h"),
      UInt8(ascii: "H"), UInt8(ascii: "e"), UInt8(ascii: "]"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return countedWord(bytes, before: at, from: start)
    default: return nil
    }
  }

  @inline(never) private static func countedWord(_ bytes: Span<UInt8>, before at: Int, from start: Int) -> Shape? {
    var end = at
    // `3`, `100/500`, `[3/10]`, `[3][ 50/7330]`
    while end > start, at - end < countBytesMax, isOfCount(bytes[end - 1]) { end -= 1 }
    guard end - start >= 4, let word = word(endingIn: bytes[end - 1]), end - start >= word.utf8.count else {
      return nil
    }
    let begin = end - word.utf8.count
    var at = begin
    for letter in word.utf8 {
      guard ASCII.lower(bytes[at]) == letter else { return nil }
      at += 1
    }
    if begin - 7 >= start, bytes.holds("global_", at: begin - 7) { return .stepped(begin - 7) }
    // `timestep` is a step as well, `arbiter` no iteration; behind a colour there is its `m`.
    let before = begin == start ? 0x20 : bytes[begin - 1]
    let isColoured = before == UInt8(ascii: "m") && begin - 2 >= start && bytes[begin - 2] &- 48 <= 9
    guard word == "step" || isColoured || " ]:[(|".utf8.contains(before) else { return nil }
    return word == "epoch" ? .epoch(begin) : .stepped(begin)
  }

  @inline(__always) private static func word(endingIn letter: UInt8) -> String? {
    switch ASCII.lower(letter) {
    case UInt8(ascii: "p"): "step"
    case UInt8(ascii: "r"): "iter"
    case UInt8(ascii: "n"): "iteration"
    case UInt8(ascii: "e"): "episode"
    case UInt8(ascii: "h"): "epoch"
    default: nil
    }
  }

  private static func isOfCount(_ byte: UInt8) -> Bool {
    byte &- 47 <= 10 || byte == 0x20 || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]")
  }

  /// Of a number between a word and its separator.
  private static let countBytesMax = 24

  // MARK: Rows

  /// - Parameters:
  ///   - line: without its end.
  ///   - timeNs: of the row.
  @inline(never) mutating func take(
    _ bytes: Span<UInt8>, _ line: Range<Int>, _ shape: Shape, timeNs: Int64, into delta: inout FileDelta
  ) {
    let start =
      switch shape {
      case .stepped(let at), .dict(let at), .rounds(let at), .bar(let at), .epoch(let at): at
      case .tableRow, .tableRule: line.lowerBound
      }
    guard (start..<line.upperBound).contains(where: { bytes[$0] == 0x1b }) else {
      return take(bytes, start..<line.upperBound, shape, timeNs, into: &delta)
    }
    let plain = Self.withoutColours(bytes, start..<line.upperBound)
    guard plain.count > 3 else { return }
    var shape = shape
    // Only without its colours it shows what it is.
    if case .bar = shape {
      guard let found = Self.known(plain.span, 0..<plain.count) ?? Self.numbered(plain.span, 0..<plain.count) else {
        return
      }
      shape = found
    }
    take(plain.span, 0..<plain.count, shape, timeNs, into: &delta)
  }

  private mutating func take(
    _ bytes: Span<UInt8>, _ line: Range<Int>, _ shape: Shape, _ timeNs: Int64, into delta: inout FileDelta
  ) {
    figures.removeAll()
    var pairs = PrintedPairs(bytes, line)
    var isTable = false
    var step: Int64? = 0
    var isCertain = false
    switch shape {
    case .stepped: step = pairs.lead(bytes)
    case .epoch:
      step = pairs.lead(bytes)
      if let step { epoch = step }
    case .rounds:
      step = pairs.lead(bytes)
      pairs.takeTabbed(bytes, into: &figures)
      isCertain = true
    case .bar:
      pairs.skipBar(bytes)
      step = epoch ?? 0
    case .dict:
      guard pairs.takeDict(bytes, into: &figures) else { return }
      // Such rows have no step but what part of an epoch they are at: in thousandths of one.
      let part = figures.metrics.first { $0.name == "epoch" }.map { $0.value * 1000 }
      step = part.flatMap { Int64(exactly: $0.rounded()) } ?? 0
    case .tableRow: return table.takeRow(bytes, line)
    case .tableRule:
      guard table.takeRule(into: &figures) else { return }
      (isTable, isCertain) = (true, true)
    }
    guard let step else { return }
    if figures.metrics.isEmpty { pairs.takeAll(bytes, into: &figures) }
    guard !figures.metrics.isEmpty, isCertain || figures.metrics.contains(where: { Self.isOfTraining($0.name) }) else {
      return
    }
    append(step, takesNames: isTable, timeNs, into: &delta)
  }

  var hasDeclared: Bool { !declared.isEmpty }

  /// - Returns: whether the line is a row by a pattern of the host's owner.
  mutating func takeDeclared(
    _ bytes: Span<UInt8>, _ line: Range<Int>, timeNs: Int64, into delta: inout FileDelta
  ) -> Bool {
    figures.removeAll()
    guard let step = declared.read(bytes, line, into: &figures) else { return false }
    append(step, takesNames: false, timeNs, into: &delta)
    return true
  }

  /// - Parameter takesNames: step and reward are among the figures, by their names.
  private mutating func append(_ step: Int64, takesNames: Bool, _ timeNs: Int64, into delta: inout FileDelta) {
    var row = TrainingStep()
    row.run = run
    row.timeNs = timeNs
    row.step = step
    row.metrics = figures.complete
    if takesNames { row.takeStepAndReward() }
    if !isOpen {
      isOpen = true
      delta.runs.append(TrainingRun.update(place, .running, framework: Self.framework, source: path, timeNs: timeNs))
    }
    delta.steps.append(row)
  }

  /// The run of what was printed, by its file's end.
  mutating func finish(nowNs: Int64, into delta: inout FileDelta) {
    guard isOpen else { return }
    isOpen = false
    delta.runs.append(TrainingRun.update(place, .completed, framework: Self.framework, source: path, timeNs: nowNs))
  }

  static let framework = "printed"

  /// `Step 3: removed 5` is no row.
  private static func isOfTraining(_ name: String) -> Bool {
    let name = name.lowercased()
    return words.contains { name.contains($0) }
  }

  private static let words = [
    "loss", "reward", "return", "acc", "lr", "learning", "grad", "perplex", "ppl", "score", "auc", "rmse", "mfu",
  ]

  /// Without the colour sequences of ECMA-48 8.3.117.
  private static func withoutColours(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
    var plain: [UInt8] = []
    var at = range.lowerBound
    while at < range.upperBound {
      if bytes[at] == 0x1b, at + 1 < range.upperBound, bytes[at + 1] == UInt8(ascii: "[") {
        at += 2
        while at < range.upperBound, bytes[at] < 0x40 || bytes[at] > 0x7e { at += 1 }
        at += 1
      } else {
        plain.append(bytes[at])
        at += 1
      }
    }
    return Array(plain.drop { $0 == UInt8(ascii: " ") })
  }
}

/// The box that Stable-Baselines3 prints: groups such as `| rollout/ | |` and below them indented names with values, between two rules.
struct PrintedTable {
  private static let rowsMax = 200

  private var isOpen = false
  private var group: [UInt8] = []
  private var rows: [Metric] = []

  mutating func takeRow(_ bytes: Span<UInt8>, _ line: Range<Int>) {
    guard isOpen, rows.count < Self.rowsMax else { return }
    let bar = UInt8(ascii: "|")
    guard let middle = (line.lowerBound + 1..<line.upperBound).first(where: { bytes[$0] == bar }),
      let end = (middle + 1..<line.upperBound).last(where: { bytes[$0] == bar })
    else {
      self = PrintedTable()
      return
    }
    let cell = (line.lowerBound + 1..<middle).map { bytes[$0] }
    let name = Array(cell.drop { $0 == 0x20 }.reversed().drop { $0 == 0x20 }.reversed())
    if let value = DecimalNumber.parseLogged(bytes, middle + 1..<end) {
      rows.append(Metric(MetricName.text(cell.starts(with: "    ".utf8) ? group + name : name), value))
    } else if name.last == UInt8(ascii: "/") {
      group = name
    }
  }

  /// - Returns: whether the rule ends a table; then its rows are in `figures`.
  mutating func takeRule(into figures: inout RowFigures) -> Bool {
    let isEnd = isOpen && !rows.isEmpty && !group.isEmpty
    if isEnd { for row in rows { figures.add(row.name, row.value) } }
    self = PrintedTable()
    isOpen = !isEnd
    return isEnd
  }
}
