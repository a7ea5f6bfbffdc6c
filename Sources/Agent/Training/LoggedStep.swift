internal import FleetModel

extension TrainingStep {
  /// Takes step and reward out of the figures of one logged iteration, by the names that the known writers use.
  ///
  /// `step` counts environment steps; where the writer does not, iterations. `reward` is the mean return of recent episodes.
  /// The figures themselves stay in `metrics`.
  /// - Source: Stable-Baselines3 logger keys; RLlib result keys, old stack and new.
  mutating func takeStepAndReward() {
    var stepRank = Int.max
    var rewardRank = Int.max
    for metric in metrics {
      if let rank = Self.stepNames[metric.name], rank < stepRank, let value = Int64(exactly: metric.value) {
        stepRank = rank
        step = value
      } else if let rank = Self.rewardNames[metric.name], rank < rewardRank {
        rewardRank = rank
        reward = metric.value
      }
    }
  }

  /// When the writer logged this, by its own clock; nil where the row does not hold it.
  var writtenNs: Int64? { metrics.first { $0.name == "timestamp" }.flatMap { WrittenTime.ns(seconds: $0.value) } }

  /// The writer states that the run has ended.
  var isDone: Bool { metrics.contains { $0.name == "done" && $0.value == 1 } }

  /// What is read out of the figures; `RowFigures` never leaves one of them out.
  static let knownNames = Set(stepNames.keys).union(rewardNames.keys).union(["timestamp", "done"])

  /// Lower is better.
  private static let stepNames = ranks([
    "time/total_timesteps", "num_env_steps_sampled_lifetime", "env_runners/num_env_steps_sampled_lifetime",
    "timesteps_total", "global_step", "step", "training_iteration", "time/iterations", "time/episodes",
    "epoch",
  ])

  private static let rewardNames = ranks([
    "rollout/ep_rew_mean", "env_runners/episode_return_mean", "episode_reward_mean", "env_runners/episode_reward_mean",
    "eval/mean_reward",
  ])

  private static func ranks(_ names: [String]) -> [String: Int] {
    Dictionary(uniqueKeysWithValues: names.enumerated().map { ($0.element, $0.offset) })
  }
}

/// Times that a writer gives as seconds since 1970.
enum WrittenTime {
  /// - Returns: ns since 1970, or nil where no sane clock shows it: before 2001 or after 2200.
  static func ns(seconds: Double) -> Int64? {
    guard seconds > 1e9, seconds < 7.25e9 else { return nil }
    return Int64(seconds * 1e9)
  }
}
