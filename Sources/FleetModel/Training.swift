/// A run as its files or the program itself report it.
package struct RunUpdate: Sendable, Equatable {
  package var timeNs: Int64 = 0
  /// unique on its host; the same for all sources of a run and all attempts at it.
  package var run: String = ""
  package var state: RunState = .unknown
  package var framework: String = ""
  /// file path, or "socket".
  package var source: String = ""
  /// JSON object.
  package var detail: String = ""
  /// Whether the source has a beginning of its own; counts with the first word of a source, and says nothing new in later ones.
  package var beginning = RunBeginning.none
  /// Of what the source begins with, where a file that is written anew begins with the same; 0 = none.
  package var mark: UInt64 = 0
  /// What people call it; empty = as `run`.
  package var name: String = ""
  /// Of the process that writes it: `ProcessJob.text`; empty = not known.
  package var job: String = ""
  /// Which of a job's processes reports; nil = not known.
  package var rank: UInt32?

  package init() {}
}

/// What the first word of a source means for the count of attempts at its run.
package enum RunBeginning: UInt8, Sendable, CaseIterable {
  /// It goes on where another stopped, as after a rotation.
  case none = 0
  /// It begins here.
  case source = 1
  /// The same, after its other sources were closed by their writer.
  case takeover = 2
}

/// One step, or one logged iteration, of a run.
package struct TrainingStep: Sendable, Equatable {
  package static let noEpisode: Int64 = -1
  /// Episodes of an environment are numbered from its number times this: each environment of a run counts its own.
  package static let episodesPerEnvironment: Int64 = 1_000_000_000_000

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
