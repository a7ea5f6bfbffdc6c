internal import FleetModel

/// What is reported of runs and episodes, and what follows from it.
extension RuleEngine {
  /// - Parameter isLate: from a backlog: a newer report may contradict it, so that only its having been reported counts.
  func observe(_ update: RunUpdate, _ host: inout HostState, isLate: Bool) {
    let before = host.known(.run, update.run).map { host.entities[$0].markNs } ?? 0
    guard let entity = thing(.run, update.run, &host, update.timeNs) else { return }
    if !isLate || update.timeNs >= before {
      switch update.state {
      case .unknown: break
      case .running: begins(update, &host, entity)
      case .completed, .failed: ends(update, &host, entity)
      }
    }
    // The history of a file has a state of its own, in which no ranks are compared.
    if host.role == .current { noteRank(update, &host) }
    // Parameters, without a word on the state.
    if update.state == .unknown, update.source.isEmpty { return }
    if let moment = RunMoment(update.state) { happened(moment, to: entity, &host, update.timeNs, update.detail) }
  }

  private func begins(_ update: RunUpdate, _ host: inout HostState, _ entity: Int) {
    let place = run(entity, &host)
    let marks = host.entities[entity].marks
    let isAgain = host.runs[place].startedNs > 0 && !marks.contains(.progressed) && !marks.contains(.ended)
    // The same word once more.
    if host.runs[place].startedNs == update.timeNs { return }
    // Reported again of a run that goes on, as after a restart of the agent.
    if host.runs[place].startedNs > 0, !isAgain, !marks.contains(.ended) {
      if update.source == Self.declaredSource { host.entities[entity].set(.declared, true) }
      return
    }
    if isAgain, host.runs[place].startedNs < update.timeNs {
      happened(.fruitless, to: entity, &host, update.timeNs, "began again without a step")
    }
    let isRestart = isAgain || failedBefore(update, &host, entity)
    let announced = Self.announcedEpisodes(update.detail)
    // The steps of a file's first range are seen before the word that it has begun.
    host.entities[entity].marks.subtract([.ended, .failed])
    if host.runs[place].startedNs > 0 || !marks.contains(.progressed) {
      host.entities[entity].set(.progressed, false)
      host.runs[place] = RunProgress(entity: entity)
    }
    host.runs[place].startedNs = update.timeNs
    host.runs[place].announced = announced
    if update.source == Self.declaredSource { host.entities[entity].set(.declared, true) }
    if isRestart { happened(.restarted, to: entity, &host, update.timeNs, update.detail) }
  }

  /// The agent's word for programs that report by themselves.
  private static let declaredSource = "socket"

  /// Another run of the same kind failed a short time ago, or ended without a step.
  private func failedBefore(_ update: RunUpdate, _ host: inout HostState, _ entity: Int) -> Bool {
    if host.entities[entity].marks.contains(.failed) { return true }
    let kind = RunHistory.kind(of: update.run)
    var found = false
    for other in host.entities.indices where other != entity && host.entities[other].kind == .run {
      let thing = host.entities[other]
      guard update.timeNs - thing.markNs < RuleLimits.restartNs, RunHistory.kind(of: thing.name) == kind else {
        continue
      }
      if thing.marks.contains(.failed) { found = true }
      // It was reported as running, made no step, and a training process has ended since: this one was it.
      guard !thing.hasEnded, !thing.marks.contains(.progressed),
        let run = host.runs.first(where: { $0.entity == other }), run.startedNs > 0, run.startedNs < host.processEndNs
      else { continue }
      host.entities[other].marks.formUnion([.ended, .failed])
      happened(.fruitless, to: other, &host, update.timeNs, "its process ended without a step")
      found = true
    }
    return found
  }

  private func ends(_ update: RunUpdate, _ host: inout HostState, _ entity: Int) {
    let marks = host.entities[entity].marks
    let place = run(entity, &host)
    let progress = host.runs[place]
    if !marks.contains(.progressed), progress.startedNs > 0, !marks.contains(.ended) {
      happened(.fruitless, to: entity, &host, update.timeNs, update.detail)
    }
    host.entities[entity].set(.ended, true)
    host.entities[entity].set(.failed, update.state == .failed)
    guard !marks.contains(.ended), progress.startedNs > 0 else { return }
    for number in progress.numbers.rest() { missing(number, entity, &host, update.timeNs) }
    guard update.state == .completed else { return }
    if progress.announced > 0, progress.numbers.count < Int64(progress.announced) {
      happened(
        episode: .missing, to: entity, &host, update.timeNs,
        "\(progress.numbers.count) of \(progress.announced) announced episodes")
    }
    let seconds = Double(update.timeNs - progress.startedNs) / 1e9
    guard needsHistory, seconds > 0 else { return }
    let kind = RunHistory.kind(of: update.run)
    if let known = host.histories.firstIndex(where: { $0.kind == kind }) {
      host.histories[known].add(seconds)
    } else {
      if host.histories.count >= RuleLimits.historiesMax { host.histories.removeFirst() }
      var history = RunHistory(kind: kind)
      history.add(seconds)
      host.histories.append(history)
    }
  }

  /// `"episodes": 100` of what a program reports of itself; 0 where it reports none.
  static func announcedEpisodes(_ detail: String) -> Int32 {
    let bytes = Array(detail.utf8)
    let key = Array("\"episodes\":".utf8)
    guard bytes.count > key.count else { return 0 }
    for start in 0...(bytes.count - key.count) where bytes[start..<start + key.count].elementsEqual(key) {
      let digits = bytes[(start + key.count)...].drop { $0 == 32 }.prefix { ASCII.isDigit($0) }
      return Int32(String(decoding: digits, as: UTF8.self)) ?? 0
    }
    return 0
  }

  /// The first step of a run since it began: what was in vain before no longer counts.
  func progressed(_ entity: Int, _ host: inout HostState, _ timeNs: Int64) {
    let place = run(entity, &host)
    if host.runs[place].startedNs == 0 { host.runs[place].startedNs = timeNs }
    if host.entities[entity].marks.contains(.progressed) { return }
    host.entities[entity].set(.progressed, true)
    happened(.progressed, to: entity, &host, timeNs, "first step")
    for (rule, node, moment) in runRules where moment == .fruitless {
      let counted = rule.nodes[node].kind == .host ? 0 : entity
      let range = host.slots.numbers(rule.place, node, counted, below: Self.countSubs)
      if !range.isEmpty { host.slots.remove(range, rule: rule.place) }
    }
  }

  func happened(
    _ moment: RunMoment, to entity: Int, _ host: inout HostState, _ atNs: Int64, _ text: @autoclosure () -> String
  ) {
    for (rule, node, wanted) in runRules where wanted == moment {
      let subject = host.entities[entity].name
      occurred(
        rule, node, &host, entity, atNs: atNs, max(atNs, host.entities[0].markNs),
        .event(subject: subject, text: text()))
    }
  }

  func happened(
    episode moment: EpisodeMoment, to entity: Int, _ host: inout HostState, _ atNs: Int64,
    _ text: @autoclosure () -> String
  ) {
    for (rule, node, wanted) in episodeRules where wanted == moment {
      let subject = host.entities[entity].name
      occurred(
        rule, node, &host, entity, atNs: atNs, max(atNs, host.entities[0].markNs),
        .event(subject: subject, text: text()))
    }
  }

  private func missing(_ number: Int64, _ entity: Int, _ host: inout HostState, _ atNs: Int64) {
    happened(episode: .missing, to: entity, &host, atNs, "episode \(number) was left out")
  }

  func run(_ entity: Int, _ host: inout HostState) -> Int {
    if let place = host.runs.firstIndex(where: { $0.entity == entity }) { return place }
    host.runs.append(RunProgress(entity: entity))
    return host.runs.count - 1
  }

  // MARK: steps

  func progress(_ step: TrainingStep, _ host: inout HostState, _ entity: Int) {
    let place = run(entity, &host)
    var rate = Double.nan
    var elapsed = Double.nan
    if host.runs[place].windowStartNs == 0 || step.timeNs < host.runs[place].windowStartNs {
      host.runs[place].windowStartNs = step.timeNs
      host.runs[place].windowSteps = 0
    } else {
      host.runs[place].windowSteps += 1
    }
    let length = step.timeNs - host.runs[place].windowStartNs
    if length >= RuleLimits.progressNs {
      rate = Double(host.runs[place].windowSteps) * 1e9 / Double(length)
      host.runs[place].windowStartNs = step.timeNs
      host.runs[place].windowSteps = 0
      if needsHistory { elapsed = elapsedRatio(host.runs[place], step, host) }
    }
    let turnover = abs(step.sharesHeld - host.runs[place].sharesHeld) * step.price / step.portfolioValue
    host.runs[place].sharesHeld = step.sharesHeld
    let last = host.runs[place].lastStepNs
    // Rows that were read at once have no interval.
    let interval = last > 0 && step.timeNs > last ? Double(step.timeNs - last) / 1e9 : .nan
    host.runs[place].lastStepNs = step.timeNs
    let action =
      step.action.isNaN ? .nan : host.runs[place].actions.add(step.action, episode: step.episode)
    if rate.isNaN, turnover.isNaN, interval.isNaN, action.isNaN { return }
    fillProgress { metric in
      switch metric {
      case .stepsPerSecond: rate
      case .turnoverRatio: turnover
      case .stepSeconds: interval
      case .elapsedRatio: elapsed
      case .actionShare: action
      case .completedEpisodesRatio: .nan
      }
    }
    process(.progress, &host, entity, step.timeNs)
  }

  private func elapsedRatio(_ run: RunProgress, _ step: TrainingStep, _ host: borrowing HostState) -> Double {
    if host.histories.isEmpty || run.startedNs == 0 { return .nan }
    let kind = RunHistory.kind(of: step.run)
    guard let median = host.histories.first(where: { $0.kind == kind })?.median, median > 0 else { return .nan }
    return Double(step.timeNs - run.startedNs) / 1e9 / median
  }

  private func fillProgress(_ read: (ProgressMetric) -> Double) {
    let readers = readers[Int(MetricFamily.progress.rawValue)]
    for place in readers.indices {
      if case .progress(let metric) = readers[place] { values[place] = read(metric) }
    }
  }

  // MARK: episodes

  /// - Parameter isFromStart: nothing of the run lies before.
  func observe(_ part: EpisodeSummary, _ host: inout HostState, isFromStart: Bool) {
    guard needsEpisodes || !episodeRules.isEmpty, (0...RuleLimits.timeNsMax).contains(part.timeNs),
      let entity = thing(.run, part.run, &host, part.timeNs)
    else { return }
    let place = run(entity, &host)
    note(part, &host, entity, place, isFromStart: isFromStart)
    if part.state != .running || part.steps > 0 { progressed(entity, &host, part.timeNs) }
    var whole = part
    if let before = host.runs[place].episodes.first, before.episode == part.episode {
      whole = before.merged(with: part)
    }
    guard whole.state != .running else {
      host.runs[place].episodes = [whole]
      return
    }
    host.runs[place].episodes = []
    observeLength(whole, &host, entity)
    fill(.episode) { reader in if case .episode(let read) = reader { read(whole) } else { .nan } }
    process(.episode, &host, entity, part.timeNs)
    let ratio = host.runs[place].numbers.completedRatio
    if !ratio.isNaN {
      fillProgress { $0 == .completedEpisodesRatio ? ratio : .nan }
      process(.progress, &host, entity, part.timeNs)
    }
    happened(
      episode: whole.state == .completed ? .completed : .forceClosed, to: entity, &host, part.timeNs,
      "episode \(part.episode)")
    if whole.isHollow {
      happened(episode: .hollow, to: entity, &host, part.timeNs, "episode \(part.episode) has no result")
    }
  }

  private func note(_ part: EpisodeSummary, _ host: inout HostState, _ entity: Int, _ place: Int, isFromStart: Bool) {
    guard part.episode < TrainingStep.episodesPerEnvironment else { return }
    let numbers = host.runs[place].numbers
    if numbers.highest == part.episode, part.state == .running { return }
    if numbers.highest < 0, part.episode > 1, isFromStart || host.entities[entity].marks.contains(.declared) {
      happened(episode: .missing, to: entity, &host, part.timeNs, "the first episode is \(part.episode)")
    }
    for number in host.runs[place].numbers.note(part.episode, hasEnded: part.state == .completed) {
      missing(number, entity, &host, part.timeNs)
    }
    if numbers.highest < part.episode, part.state == .running {
      happened(episode: .running, to: entity, &host, part.timeNs, "episode \(part.episode)")
    }
  }

  /// For those who ask how long episodes usually take.
  private func observeLength(_ whole: EpisodeSummary, _ host: inout HostState, _ entity: Int) {
    guard whole.startedNs > 0, whole.timeNs > whole.startedNs else { return }
    for (rule, node) in intervalRules where rule.nodes[node].phase == .episode && !host.isExcluded(rule.place) {
      observe(Double(whole.timeNs - whole.startedNs), 0.95, &host, rule.place, node, entity)
    }
  }
}

extension RunMoment {
  fileprivate init?(_ state: RunState) {
    switch state {
    case .unknown: self = .unknown
    case .running: self = .running
    case .completed: self = .completed
    case .failed: self = .failed
    }
  }
}

extension EpisodeSummary {
  /// Completed with steps, and every figure is nothing: what a finaliser writes that has no result.
  fileprivate var isHollow: Bool {
    guard state == .completed else { return false }
    let metrics = metrics
    guard metrics.steps > 0 else { return false }
    if valueCount > 0 {
      return metrics.sharpeRatio == 0 && metrics.maxDrawdownRatio == 0 && !(metrics.winRateRatio > 0)
    }
    return metrics.totalReward.isNaN
  }
}
