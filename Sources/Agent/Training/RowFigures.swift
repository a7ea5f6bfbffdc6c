internal import FleetModel

/// The figures of one row, as many as the limit allows. Kept between rows, so that a row costs no allocation for the list.
///
/// Why not the first so many: a result of many policies has its counters behind hundreds of statistics, and a row without
/// `done` or its step never ends its run. The names that `TrainingStep` reads are taken wherever in the row they stand; what is left out of
/// the others is counted, and the count goes along as a figure of the row.
struct RowFigures {
  /// Name of the figure that holds how many figures of its row were left out; absent where none were.
  static let leftOutName = "signalbox/figures_left_out"

  private(set) var metrics: [Metric] = []
  /// Figures of this row that were left out.
  private(set) var leftOut = 0
  /// Known names taken beyond the limit: a hostile row repeats one without end.
  private var taken = 0

  mutating func removeAll() {
    metrics.removeAll(keepingCapacity: true)
    (leftOut, taken) = (0, 0)
  }

  mutating func add(_ name: String, _ value: Double) {
    if metrics.count >= TrainingLimits.metricsMax {
      guard taken < TrainingStep.knownNames.count, TrainingStep.knownNames.contains(name) else {
        leftOut += 1
        return
      }
      taken += 1
    }
    metrics.append(Metric(name, value))
  }

  /// All of them, with the count of those that were left out.
  var complete: [Metric] { leftOut == 0 ? metrics : metrics + [Metric(Self.leftOutName, Double(leftOut))] }
}
