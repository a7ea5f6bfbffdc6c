/// What is known of an episode from one range of its steps.
///
/// Mergeable: the summaries of two neighbouring ranges combine to the summary of both (`merged(with:)`), so that ranges can
/// be committed one by one and add up in the database, with no state on the host. A step without a finite reward or value
/// counts for `steps` only; its raw figures are in its `TrainingStep`.
package struct EpisodeSummary: Sendable, Equatable {
  /// Latest step, ns since 1970.
  package var timeNs: Int64 = 0
  package var run: String = ""
  package var episode: Int64 = 0
  package var state: EpisodeState = .running
  /// Earliest step, ns since 1970; 0 = unknown.
  package var startedNs: Int64 = 0
  /// 0 = reports only how the episode ended.
  package var steps: UInt64 = 0
  package var firstStep: Int64 = 0
  package var lastStep: Int64 = 0

  /// Finite rewards.
  package var rewardCount: UInt64 = 0
  package var rewardSum: Double = 0
  /// NaN = no reward.
  package var rewardMinimum: Double = .nan
  package var rewardMaximum: Double = .nan
  package var rewardSquareSum: Double = 0

  /// Finite portfolio values. The value's figures are NaN while there is none.
  package var valueCount: UInt64 = 0
  package var valueFirst: Double = .nan
  package var valueLast: Double = .nan
  package var valuePeak: Double = .nan
  package var valueTrough: Double = .nan
  /// Largest (peak - later value) / peak inside the range, 0…1. Losing more than everything is 1.
  package var drawdownMaximumRatio: Double = 0

  /// Step returns value[i] / value[i-1] - 1 inside the range, where value[i-1] > 0.
  package var returnCount: UInt64 = 0
  package var returnSum: Double = 0
  package var returnSquareSum: Double = 0
  /// Of the negative ones.
  package var returnDownsideSquareSum: Double = 0

  /// Trades that neither the head nor the tail of the range belongs to. See `EpisodeMetrics` for what a trade is.
  package var tradesClosed: UInt64 = 0
  /// Of them, those that were won.
  package var tradesWon: UInt64 = 0
  /// Position at the first value; 0 = no trade.
  package var headPosition: Double = .nan
  /// Value where the run of the head's position closes; NaN = the range is one single run.
  package var headEndValue: Double = .nan
  /// Position at the last value.
  package var tailPosition: Double = .nan
  /// Value at the first step of the tail's run.
  package var tailStartValue: Double = .nan

  /// The length that the writer itself reports; 0 = it does not.
  package var finalSteps: Int64 = 0
  /// The return that the writer itself reports; NaN = it does not.
  package var finalReward: Double = .nan

  package init() {}

  /// The summary of one step.
  package init(step: TrainingStep) {
    self.init()
    add(step)
  }
}
