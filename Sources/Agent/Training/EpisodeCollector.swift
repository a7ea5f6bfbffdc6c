internal import FleetModel

extension FileDelta {
  /// Adds a step to its episode's summary of this range.
  mutating func addToEpisode(_ step: TrainingStep) {
    if let index = episodeIndex(run: step.run, episode: step.episode) {
      episodes[index].add(step)
    } else {
      episodes.append(EpisodeSummary(step: step))
    }
  }

  /// Reports that an episode has ended, also where its steps lie before this range.
  mutating func completeEpisode(_ episode: Int64, run: String, nowNs: Int64) {
    if let index = episodeIndex(run: run, episode: episode) {
      episodes[index].state = .completed
      return
    }
    var end = EpisodeSummary()
    end.run = run
    end.episode = episode
    end.state = .completed
    end.timeNs = nowNs
    episodes.append(end)
  }

  private func episodeIndex(run: String, episode: Int64) -> Int? {
    let oldest = max(0, episodes.count - TrainingLimits.episodesSearchedMax)
    var index = episodes.count
    while index > oldest {
      index -= 1
      if episodes[index].episode == episode, episodes[index].run == run { return index }
    }
    return nil
  }
}
