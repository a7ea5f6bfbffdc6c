/// A run as its files or the program itself report it.
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
  package static let noEpisode: Int64 = -1

  package var timeNs: Int64 = 0
  package var run: String = ""
  /// `noEpisode` = the writer does not count episodes, or the step is of none.
  package var episode = noEpisode
  package var step: Int64 = 0
  package var reward: Double = .nan
  package var action: Double = .nan
  package var balance: Double = .nan
  package var sharesHeld: Double = .nan
  package var price: Double = .nan
  package var portfolioValue: Double = .nan
  package var position: Double = .nan
  /// what else the writer reports.
  package var metrics: [Metric] = []

  package init() {}
}

/// A named number beside a step.
package struct Metric: Sendable, Equatable {
  package var name: String = ""
  package var value: Double = .nan

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
