internal import FleetModel

/// Steps and episodes, every one of them, in the order of their file or lane.
extension RuleEngine {
  /// Two kinds of rows of one part, merged by their times: each kind keeps its own order.
  ///
  /// - Parameters:
  ///   - isFromStart: nothing of the run lies before.
  ///   - isLate: from a backlog, beside which newer ones may have come.
  func observeRows(
    _ steps: ArraySlice<TrainingStep>, _ episodes: ArraySlice<EpisodeSummary>, _ host: inout HostState,
    isFromStart: Bool, isLate: Bool
  ) {
    var episode = episodes.startIndex
    for step in steps {
      // An episode's summary has the time of its last step: that step comes first.
      while episode < episodes.endIndex, episodes[episode].timeNs < step.timeNs {
        observe(episodes[episode], &host, isFromStart: isFromStart)
        episode += 1
      }
      observe(step, &host, isLate: isLate)
    }
    for rest in episodes[episode...] { observe(rest, &host, isFromStart: isFromStart) }
  }

  private func observe(_ step: TrainingStep, _ host: inout HostState, isLate: Bool) {
    guard (0...RuleLimits.timeNsMax).contains(step.timeNs) else { return }
    let before = host.known(.run, step.run).map { host.entities[$0].markNs } ?? 0
    guard let entity = thing(.run, step.run, &host, step.timeNs) else { return }
    isFirstSample = before == 0
    // A step of a backlog is no sign that a run which has ended goes on.
    if !isLate || step.timeNs >= before { host.entities[entity].marks.subtract([.ended, .failed]) }
    if before > 0, step.timeNs > before {
      for (rule, node) in intervalRules where rule.nodes[node].phase != .episode && !host.isExcluded(rule.place) {
        observe(Double(step.timeNs - before), 0.95, &host, rule.place, node, entity)
      }
    }
    progressed(entity, &host, step.timeNs)
    var step = step
    if step.reward.isFinite {
      host.entities[entity].set(.rewarded, true)
    } else if step.lacksReward(isUsual: host.entities[entity].marks.contains(.rewarded)) {
      step.reward = .writtenNaN
    }
    fill(.training) { reader in
      switch reader {
      case .training(let read): read(step)
      case .named(let pattern): step.named(pattern)
      default: .nan
      }
    }
    process(.training, &host, entity, step.timeNs)
    if needsProgress { progress(step, &host, entity) }
  }
}

extension TrainingStep {
  /// A number that the program itself names; one that is not finite before all others. NaN where there is none.
  fileprivate func named(_ pattern: Wildcard) -> Double {
    var found = Double.nan
    for metric in metrics where pattern.matches(metric.name) {
      if !metric.value.isFinite { return metric.value.isNaN ? .writtenNaN : metric.value }
      if found.isNaN { found = metric.value }
    }
    return found
  }

  /// A step of a writer that gives a reward with each one has none: it was NaN. Absent and NaN are written alike, so that
  /// what else is in the step decides: a row with all its other fields, or one of a run that has reported rewards.
  fileprivate func lacksReward(isUsual: Bool) -> Bool {
    guard reward.isNaN else { return false }
    let hasAction = action.isFinite || portfolioValue.isFinite
    let isWhole =
      action.isFinite && balance.isFinite && sharesHeld.isFinite && price.isFinite && portfolioValue.isFinite
    return metrics.isEmpty && (isWhole || isUsual) || isUsual && hasAction
  }
}
