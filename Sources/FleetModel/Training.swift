/// A run as its files or the program itself tell of it.
package struct RunUpdate: Sendable, Equatable {
  package var timeNs: Int64 = 0
  /// unique on its host.
  package var run: String = ""
  package var state: RunState = .unknown
  package var framework: String = ""
  /// file path, or "socket".
  package var source: String = ""
  /// JSON object.
  package var detail: String = ""

  package init() {}
}

/// One step, or one logged iteration, of a run.
package struct TrainingStep: Sendable, Equatable {
  package var timeNs: Int64 = 0
  package var run: String = ""
  /// -1 = the writer does not count episodes.
  package var episode: Int64 = -1
  package var step: Int64 = 0
  package var reward: Double = .nan
  package var action: Double = .nan
  package var balance: Double = .nan
  package var sharesHeld: Double = .nan
  package var price: Double = .nan
  package var portfolioValue: Double = .nan
  package var position: Double = .nan
  /// what else the writer tells.
  package var metrics: [Metric] = []

  package init() {}
}

/// A named number beside a step.
package struct Metric: Sendable, Equatable {
  package var name: String = ""
  package var value: Double = .nan

  package init() {}
}

/// Mergeable: two summaries of neighbouring ranges of one episode combine to the summary of both.
package struct EpisodeSummary: Sendable, Equatable {
  /// of the last step.
  package var timeNs: Int64 = 0
  package var run: String = ""
  package var episode: Int64 = 0
  package var state: EpisodeState = .running
  package var startedNs: Int64 = 0
  package var steps: UInt64 = 0
  package var firstStep: Int64 = 0
  package var lastStep: Int64 = 0
  package var rewardSum: Double = 0
  package var rewardMinimum: Double = .nan
  package var rewardMaximum: Double = .nan
  package var rewardSquareSum: Double = 0
  package var valueCount: UInt64 = 0
  package var valueFirst: Double = .nan
  package var valueLast: Double = .nan
  package var valuePeak: Double = .nan
  package var valueTrough: Double = .nan
  /// largest (peak - later value) / peak inside the range.
  package var drawdownMaximumRatio: Double = 0
  package var returnCount: UInt64 = 0
  package var returnSum: Double = 0
  package var returnSquareSum: Double = 0
  /// of the negative ones.
  package var returnDownsideSquareSum: Double = 0
  /// those with both ends inside the range.
  package var tradesClosed: UInt64 = 0
  /// of them, with a higher value at the end than at the start.
  package var tradesWon: UInt64 = 0
  /// the range starts inside a trade.
  package var hasHeadTrade: Bool = false
  package var headPosition: Double = .nan
  package var headEndValue: Double = .nan
  package var headIsWholeRange: Bool = false
  /// the range ends inside a trade.
  package var hasTailTrade: Bool = false
  package var tailPosition: Double = .nan
  package var tailStartValue: Double = .nan
  package var firstValueOfRange: Double = .nan
  /// the length that the writer itself reports, 0 = it does not.
  package var finalSteps: Int64 = 0
  /// the return that the writer itself reports, NaN = it does not.
  package var finalReward: Double = .nan

  package init() {}
}

package enum RunState: UInt8, Sendable, CaseIterable {
  case unknown = 0
  case running = 1
  case completed = 2
  case failed = 3
}

package enum EpisodeState: UInt8, Sendable, CaseIterable {
  case running = 0
  case completed = 1
  case forceClosed = 2
}
