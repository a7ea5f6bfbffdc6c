internal import FleetModel

/// A run of a host of which ranks are known, or that belongs to a job of several hosts.
struct RankedRun: Equatable {
  /// Among the host's entities.
  let run: Int
  /// Of its job and its name, the same on each host of the job; 0: it is of this host alone.
  var job: UInt64 = 0
  /// Ranks whose processes run on this host, in no order.
  var ranks: [Int32] = []
  var tracks: [RankTrack] = []
  /// Collector's clock less the host's; `Int64.max` = not known yet. A batch that was held up makes the difference too large for as long as it
  /// takes, so that the least of the last ones counts.
  var offsetNs = Int64.max

  init(run: Int) { self.run = run }

  mutating func note(rank: Int32) {
    if ranks.count < RankLimits.ranksMax, !ranks.contains(rank) { ranks.append(rank) }
  }

  mutating func note(offsetNs now: Int64) {
    offsetNs = min(now, offsetNs.addingClamped(RankLimits.driftNs))
  }

  /// The place of a file's track, made where there is none; nil where there are too many.
  mutating func track(_ file: Int, rank: Int32?, shape: UInt64, inode: UInt64) -> Int? {
    if let known = tracks.firstIndex(where: { $0.file == file }) {
      tracks[known].inode = inode
      return known
    }
    guard tracks.count < RankLimits.tracksMax else { return nil }
    tracks.append(RankTrack(file: file, rank: rank, shape: shape, inode: inode))
    return tracks.count - 1
  }

  /// Its program has closed a file, or has ended.
  mutating func end(file: Int) {
    if let known = tracks.firstIndex(where: { $0.file == file }) { tracks[known].hasEnded = true }
  }

  var bytes: Int {
    var bytes = 64 + ranks.capacity * 4 + tracks.capacity * MemoryLayout<RankTrack>.stride
    for track in tracks {
      bytes += track.points.capacity * MemoryLayout<RankPoint>.stride + track.figure.values.capacity * 8
    }
    return bytes
  }
}

/// Bounds of what is kept of ranks, each with its reason.
enum RankLimits {
  /// More runs with ranks than train on one host at once.
  static let runsMax = 64
  /// Files of one run on one host: more than there are ranks on a host.
  static let tracksMax = 256
  static let ranksMax = 256
  /// Clocks of hosts drift by less from batch to batch.
  static let driftNs: Int64 = 1_000_000
  /// Points of a track and the time between two of them: together ten minutes at least.
  static let pointsMax = 32
  static let spacingNs: Int64 = 20_000_000_000
  /// Values of a track's own step time of which the median counts, and how many there must be.
  static let figuresMax = 9
  static let figuresMin = 5
  /// Rows among which the name of the step time is looked for.
  static let namedRowsMax = 64
  /// Rows in a row with a lower step after which a program is taken to have begun anew; single ones are out of order.
  static let backRowsMax = 8
  /// Programs compile, fill caches and read data in their first minutes.
  static let warmUpNs: Int64 = 180_000_000_000
  /// Two ranks that are no further apart are level: they log at other moments.
  static let levelNs: Int64 = 20_000_000_000
  /// So many comparisons must have found a rank level with the others before it can fall behind them: programs that only lie side by
  /// side never are.
  static let levelChecks: UInt8 = 6
  /// A rank without rows for less than this, and for less than so many of its longest pauses, may only print seldom.
  static let quietNs: Int64 = 180_000_000_000
  static let quietPauses: Int64 = 5
  /// Rows and arrivals of rows before a rank's pauses are known: a buffer writes many rows at once, and then none for long.
  static let rowsMin = 10
  static let arrivalsMin = 4
  /// Fewer ranks have no median.
  static let ranksMin = 3
  /// Time between two comparisons.
  static let compareNs: Int64 = 10_000_000_000
  /// Ranks of one run that are looked at closely: the worst ones.
  static let candidatesMax = 32
}

/// Where a rank was, and when.
struct RankPoint: Equatable {
  /// The collector's clock.
  var timeNs: Int64
  var step: Int64
}

/// The rows of one file of a run: those of one rank, or of one host of a job. Learned anew after a restart of the collector.
struct RankTrack: Equatable {
  /// Among the host's entities.
  let file: Int
  /// nil: its name does not say.
  let rank: Int32?
  /// Of the path without its numbers: files of one kind.
  let shape: UInt64
  /// 0: not known. Hosts that mount one file system see the same files.
  var inode: UInt64
  /// Its program has closed it.
  var hasEnded = false

  private(set) var points: [RankPoint] = []
  private(set) var latest = RankPoint(timeNs: 0, step: 0)
  private(set) var figure = RankFigure()
  /// The collector's clock at the first and at the last row since it began.
  private(set) var beganNs: Int64 = 0
  private(set) var arrivedNs: Int64 = 0
  /// The longest of the last pauses between two arrivals.
  private(set) var pauseNs: Int64 = 0
  /// The greatest of the last distances between the steps of two rows.
  private(set) var stride: Int64 = 0
  private(set) var rows = 0
  private var arrivals = 0
  private var backRows = 0
  /// Comparisons that found it level with the others since it began.
  private(set) var levelChecks: UInt8 = 0

  init(file: Int, rank: Int32?, shape: UInt64, inode: UInt64) {
    (self.file, self.rank, self.shape, self.inode) = (file, rank, shape, inode)
  }

  /// Takes the next row.
  ///
  /// - Parameters:
  ///   - timeNs: the row's time, by the collector's clock.
  ///   - nowNs: when it arrived, by the same.
  mutating func add(_ step: TrainingStep, timeNs: Int64, nowNs: Int64) {
    hasEnded = false
    if rows == 0 { beganNs = nowNs }
    guard step.step >= latest.step || rows == 0 else {
      backRows += 1
      if backRows >= RankLimits.backRowsMax || step.step < (points.first?.step ?? 0) {
        beginAnew()
        add(step, timeNs: timeNs, nowNs: nowNs)
      }
      return
    }
    backRows = 0
    figure.add(step.metrics, isFirst: rows < RankLimits.namedRowsMax)
    if rows > 0 {
      let pause = nowNs.subtractingClamped(arrivedNs)
      // Rows that arrive together have none between them.
      if pause > 0 {
        pauseNs = max(pause, pauseNs - pauseNs / 1024)
        arrivals = min(arrivals + 1, RankLimits.arrivalsMin)
      }
      stride = max(step.step.subtractingClamped(latest.step), stride - stride / 16)
    }
    arrivedNs = nowNs
    rows = min(rows + 1, 1 << 30)
    advance(RankPoint(timeNs: max(timeNs, latest.timeNs), step: step.step))
  }

  /// A row of the same step is no progress: the time at which a step was reached is that of its first row.
  private mutating func advance(_ point: RankPoint) {
    guard let last = points.last else {
      points = [point]
      latest = point
      return
    }
    guard point.step > latest.step else { return }
    // Both ends of a pause are kept: between two points the way is taken for straight.
    if point.timeNs.subtractingClamped(latest.timeNs) >= RankLimits.spacingNs, latest.step > last.step { keep(latest) }
    if point.timeNs.subtractingClamped(points[points.count - 1].timeNs) >= RankLimits.spacingNs { keep(point) }
    latest = point
  }

  private mutating func keep(_ point: RankPoint) {
    if points.count >= RankLimits.pointsMax { points.removeFirst() }
    points.append(point)
  }

  /// Another attempt.
  private mutating func beginAnew() {
    self = RankTrack(file: file, rank: rank, shape: shape, inode: inode)
  }

  mutating func noteLevel() { levelChecks = min(levelChecks + 1, RankLimits.levelChecks) }

  /// Its way is known, and it has been on it for some minutes.
  func isWarm(_ nowNs: Int64) -> Bool {
    !hasEnded && rows >= RankLimits.rowsMin && arrivals >= RankLimits.arrivalsMin - 1 && points.count > 1
      && nowNs.subtractingClamped(beganNs) >= RankLimits.warmUpNs
  }

  /// Without a row for far longer than is usual for it.
  func isQuiet(_ nowNs: Int64) -> Bool {
    nowNs.subtractingClamped(arrivedNs)
      > max(RankLimits.quietNs, pauseNs.multipliedClamped(by: RankLimits.quietPauses))
  }

  /// When it reached a step: `.min` before what is known of it, `.max` not yet.
  func reached(_ step: Int64) -> Int64 {
    guard let first = points.first, step <= latest.step else { return .max }
    if step <= first.step { return step == first.step ? first.timeNs : .min }
    var (low, high) = (0, points.count)
    while low < high {
      let middle = (low + high) >> 1
      if points[middle].step < step { low = middle + 1 } else { high = middle }
    }
    let (before, after) = (points[low - 1], low < points.count ? points[low] : latest)
    let share = Double(step.subtractingClamped(before.step)) / Double(after.step.subtractingClamped(before.step))
    return before.timeNs.addingClamped(Int64(number: Double(after.timeNs.subtractingClamped(before.timeNs)) * share))
  }
}

/// The time of a step, or the steps of a time, as a rank itself prints it.
struct RankFigure: Equatable {
  /// As the program writes it; empty: not found.
  private(set) var name = ""
  /// More is faster.
  private(set) var isRate = false
  private(set) var values: [Double] = []

  /// - Parameter isFirst: its name may still be found.
  mutating func add(_ metrics: [Metric], isFirst: Bool) {
    if name.isEmpty {
      guard isFirst, let found = Self.found(metrics) else { return }
      (name, isRate) = found
    }
    guard let value = metrics.first(where: { $0.name == name })?.value, value.isFinite, value > 0 else { return }
    if values.count >= RankLimits.figuresMax { values.removeFirst() }
    values.append(value)
  }

  /// Of its last values; nil while there are few. One long step, as of a checkpoint, does not change it.
  var median: Double? {
    values.count >= RankLimits.figuresMin ? values.sorted()[values.count / 2] : nil
  }

  private static func found(_ metrics: [Metric]) -> (name: String, isRate: Bool)? {
    for metric in metrics {
      let word = plain(metric.name)
      if times.contains(word) { return (metric.name, false) }
      if rates.contains(word) { return (metric.name, true) }
    }
    return nil
  }

  /// What stands behind the last slash of a path, in small letters, with `_` for each run of other characters, without a unit of time.
  /// A slash between two words of a unit (`it/s`) is part of the name.
  private static func plain(_ name: String) -> String {
    let bytes = Array(name.utf8)
    let slash = bytes.lastIndex(of: UInt8(ascii: "/"))
    let isUnit = slash.map { bytes.count - $0 <= 2 } ?? false
    var word: [UInt8] = []
    for byte in isUnit ? bytes[...] : bytes[(slash.map { $0 + 1 } ?? 0)...] {
      let small = byte &- 65 < 26 ? byte | 0x20 : byte
      if small &- 97 < 26 || small &- 48 < 10 {
        word.append(small)
      } else if let last = word.last, last != UInt8(ascii: "_") {
        word.append(UInt8(ascii: "_"))
      }
    }
    while word.last == UInt8(ascii: "_") { word.removeLast() }
    var text = String(decoding: word, as: UTF8.self)
    if let unit = units.first(where: { text.hasSuffix($0) && !rates.contains(text) }) { text.removeLast(unit.count) }
    return text
  }

  private static let units = ["_ms", "_s", "_sec", "_secs", "_seconds"]

  /// Of a whole step: parts of one differ from rank to rank in a healthy run, as those of stages of a pipeline do.
  /// Source: Megatron-LM training.py (`elapsed time per iteration (ms)`), DeepSpeed, Lightning, MosaicML Composer, torchtitan, tqdm.
  private static let times: Set<String> = [
    "step_time", "time_per_step", "time_step", "iteration_time", "iter_time", "time_per_iteration", "time_per_iter",
    "time_iter", "elapsed_time_per_iteration", "batch_time", "time_per_batch", "train_step_time", "end_to_end",
  ]
  private static let rates: Set<String> = [
    "it_s", "iter_s", "iters_s", "step_s", "steps_s", "samples_s", "tokens_s", "tok_s", "its_per_sec",
    "it_per_sec", "steps_per_second", "steps_per_sec", "iterations_per_second", "samples_per_second",
    "samples_per_sec", "tokens_per_second", "tokens_per_sec", "batches_per_sec", "throughput", "tps", "throughput_tps",
    "train_samples_per_second", "train_steps_per_second",
  ]
}
