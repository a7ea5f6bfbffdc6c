internal import FleetModel

/// Parts of followed files: their lines, rows and notices.
extension RuleEngine {
  func observe(_ delta: FileDelta, _ host: inout HostState) {
    guard let entity = thing(.file, delta.file.path, &host, arrivedNs - host.offsetNs) else { return }
    let place = progress(of: delta, &host, entity)
    let seen = host.files[place].offset
    guard delta.to > seen || delta.from == delta.to else { return }
    let (steps, episodes) = unseenRows(of: delta, &host.files[place])
    host.files[place].offset = max(seen, delta.to)
    noteLateness(of: delta, &host)
    let history = delta.file.historyBytes
    if history > seen, !delta.lines.isEmpty {
      observeHistory(&host) { engine, state in
        engine.observeFile(delta, in: seen..<history, &state)
      }
    }
    if delta.to <= history {
      observeHistory(&host) { engine, state in
        engine.observeRows(steps, episodes, &state, isFromStart: delta.from == 0, isLate: false)
        for run in delta.runs { engine.observe(run, &state, isLate: false) }
      }
      return noteRuns(of: steps, episodes, &host)
    }
    occasionNs = firstRead(delta, host)
    observeLines(delta.lines, path: delta.file.path, &host, entity, in: max(seen, history)..<UInt64.max)
    noteFailures(delta.lines, path: delta.file.path, &host, entity, in: max(seen, history)..<UInt64.max)
    occasionNs = nil
    observeRows(steps, episodes, &host, isFromStart: delta.from == 0, isLate: false)
    noteRankRows(steps, entity, delta.file, &host)
    for run in delta.runs { observe(run, &host, isLate: false) }
    noteRunFile(steps.last?.run ?? episodes.last?.run ?? delta.runs.last?.run, entity, &host)
    if !eventRules.isEmpty { for loss in delta.losses { observe(loss, &host) } }
  }

  /// nil where the agent does not say, or its clock has been set back since. The host's clock is known from samples, which a collector that was
  /// stopped receives late.
  private func firstRead(_ delta: FileDelta, _ host: borrowing HostState) -> Int64? {
    let nowNs = arrivedNs - host.offsetNs
    guard delta.readNs > 0, delta.readNs.subtractingClamped(nowNs) < RuleLimits.liveNs else { return nil }
    return delta.readNs
  }

  private func observeFile(_ delta: FileDelta, in range: Range<UInt64>, _ host: inout HostState) {
    guard let entity = thing(.file, delta.file.path, &host, arrivedNs - host.offsetNs) else { return }
    observeLines(delta.lines, path: delta.file.path, &host, entity, in: range)
  }

  /// A run that goes on while its agent is installed: its next steps are not its first, and nothing of it is missing. One that has
  /// been quiet for long is over.
  private func noteRuns(
    of steps: ArraySlice<TrainingStep>, _ episodes: ArraySlice<EpisodeSummary>, _ host: inout HostState
  ) {
    let nowNs = arrivedNs - host.offsetNs
    func isUnderWay(_ timeNs: Int64) -> Bool {
      timeNs >= nowNs - RuleLimits.liveRunNs && timeNs <= RuleLimits.timeNsMax
    }
    for step in steps where isUnderWay(step.timeNs) {
      guard let entity = thing(.run, step.run, &host, step.timeNs) else { continue }
      host.entities[entity].set(.progressed, true)
      if step.reward.isFinite { host.entities[entity].set(.rewarded, true) }
    }
    for episode in episodes where isUnderWay(episode.timeNs) {
      guard let entity = thing(.run, episode.run, &host, episode.timeNs) else { continue }
      host.entities[entity].set(.progressed, true)
      let place = run(entity, &host)
      _ = host.runs[place].numbers.note(episode.episode, hasEnded: episode.state == .completed)
    }
  }

  // MARK: what was seen

  /// Where the file's progress is kept; made on first sight.
  private func progress(of delta: FileDelta, _ host: inout HostState, _ entity: Int) -> Int {
    if let known = host.files.firstIndex(where: { $0.key == delta.file.key }) { return known }
    // Of a name, the newest file and one that was rotated away are enough.
    if host.files.count(where: { $0.entity == entity }) > 1,
      let oldest = host.files.firstIndex(where: { $0.entity == entity })
    {
      host.files.remove(at: oldest)
    }
    host.files.append(FileProgress(entity: entity, key: delta.file.key, offset: 0))
    return host.files.count - 1
  }

  /// The rows of a part that were not judged, and notes them as judged.
  private func unseenRows(
    of delta: FileDelta, _ file: inout FileProgress
  ) -> (ArraySlice<TrainingStep>, ArraySlice<EpisodeSummary>) {
    var (steps, ended) = (0, 0)
    if delta.from < file.offset {
      for part in file.parts where part.from >= delta.from {
        steps += Int(part.steps)
        ended += Int(part.episodes)
      }
    }
    let newSteps = delta.steps.dropFirst(steps)
    // Only what has ended is counted: an episode under way is reported again by each part.
    var (first, left) = (0, ended)
    while left > 0, first < delta.episodes.count {
      if delta.episodes[first].state != .running { left -= 1 }
      first += 1
    }
    let newEpisodes = delta.episodes[first...]
    let part = RowPart(
      from: max(delta.from, file.offset), steps: UInt32(clamping: newSteps.count),
      episodes: UInt32(clamping: newEpisodes.count { $0.state != .running }))
    if part.steps > 0 || part.episodes > 0 {
      if file.parts.count >= RuleLimits.rowPartsMax { file.parts.removeFirst() }
      file.parts.append(part)
    }
    return (newSteps, newEpisodes)
  }

  /// Counts of what is older than now do not end by the clock while more of it comes.
  private func noteLateness(of delta: FileDelta, _ host: inout HostState) {
    guard let newestUs = delta.lines.timesUs.last else { return }
    if arrivedNs - host.offsetNs - Int64(nsOfUs: newestUs) > RuleLimits.liveNs { host.lateNs = arrivedNs }
  }
}

extension Int64 {
  /// Nanoseconds of a time in microseconds, of which a host may send any: within `RuleLimits.timeNsMax`.
  init(nsOfUs us: Int64) {
    let limitUs = RuleLimits.timeNsMax / 1000
    self = Swift.min(Swift.max(us, -limitUs), limitUs) * 1000
  }
}
