package import FleetModel

extension RuleEngine {
  /// Runs the rules on one batch.
  ///
  /// - Parameters:
  ///   - batch: as it came in, before its commit; what was seen before changes nothing.
  ///   - nowNs: the collector's clock, never less than before.
  /// - Returns: what opened and cleared, in order.
  package func observe(
    _ batch: Batch, from host: HostID, name: String, labels: [String: String], nowNs: Int64
  ) -> [Transition] {
    let cell = cell(of: host, name: name, labels: labels)
    arrivedNs = nowNs
    observe(batch, &cell.state)
    return takeTransitions()
  }

  private func observe(_ batch: Batch, _ host: inout HostState) {
    host.arrivedNs = max(host.arrivedNs, arrivedNs)
    if let newest = batch.newestNs, newest > host.entities[0].markNs { host.offsetNs = arrivedNs - newest }
    if let health = batch.health { observe(health, batch.wallNs, &host) }
    for part in batch.spooled { observe(part.records, &host, isLive: part.lane == .live) }
    for delta in batch.files { observe(delta, &host) }
  }

  private func observe(_ records: Records, _ host: inout HostState, isLive: Bool) {
    for sample in records.hosts where isNewer(sample.timeNs, 0, &host) {
      fill(.host) { reader in if case .host(let read) = reader { read(sample) } else { .nan } }
      if sample.uptimeSeconds.isFinite {
        host.bootNs = sample.timeNs - Int64(min(max(sample.uptimeSeconds, 0), 1e9)) * 1_000_000_000
      }
      process(.host, &host, 0, sample.timeNs)
    }
    if !peerPlaces.isEmpty { notePeers(records.gpus) }
    observeGPUs(records.gpus.span, &host)
    observeDisks(records.disks.span, &host)
    observeNetworks(records.networks.span, &host)
    observeProcesses(records.processes.span, &host)
    for probe in records.probes {
      guard let entity = newerThing(.probe, probe.name, probe.timeNs, &host) else { continue }
      fill(.probe) { reader in if case .probe(let read) = reader { read(probe) } else { .nan } }
      process(.probe, &host, entity, probe.timeNs)
      observe(probe, &host, entity)
    }
    for event in records.events where isNewEvent(event.subject, event.timeNs, &host) { observe(event, &host) }
    for loss in records.losses where isNewEvent(loss.subject, loss.timeNs, &host) { observe(loss, &host) }
    for run in records.runs where newerThing(.run, run.run, run.timeNs, &host, orSame: true) != nil {
      observe(run, &host)
    }
    for step in records.steps { observe(step, &host) }
    for episode in records.episodes { observe(episode, &host, isFromStart: false) }
  }

  private func observe(_ delta: FileDelta, _ host: inout HostState) {
    guard let entity = thing(.file, delta.file.path, &host, arrivedNs - host.offsetNs) else { return }
    let seen = seen(delta, &host, entity)
    guard delta.to > seen || delta.from == delta.to else { return }
    observeLines(delta.lines, path: delta.file.path, &host, entity, skippingBefore: seen)
    // What is cut within a part that was seen cannot be told apart: its steps count by their times.
    for step in delta.steps { observe(step, &host) }
    for episode in delta.episodes { observe(episode, &host, isFromStart: delta.from == 0) }
    for run in delta.runs where newerThing(.run, run.run, run.timeNs, &host, orSame: true) != nil {
      observe(run, &host)
    }
    for loss in delta.losses { observe(loss, &host) }
  }

  /// The offset up to which the file has been seen, and notes the new one.
  private func seen(_ delta: FileDelta, _ host: inout HostState, _ entity: Int) -> UInt64 {
    for place in host.files.indices where host.files[place].key == delta.file.key {
      let seen = host.files[place].offset
      host.files[place].offset = max(seen, delta.to)
      return seen
    }
    // Of a name, the newest file and one that was rotated away are enough.
    if host.files.count(where: { $0.entity == entity }) > 1,
      let oldest = host.files.firstIndex(where: { $0.entity == entity })
    {
      host.files.remove(at: oldest)
    }
    host.files.append(FileProgress(entity: entity, key: delta.file.key, offset: delta.to))
    return 0
  }

  // MARK: samples

  /// Reads every metric that a rule asks for.
  @inline(__always)
  func fill(_ family: MetricFamily, _ read: (MetricReader) -> Double) {
    let readers = readers[Int(family.rawValue)]
    var filled = takeValues()
    for place in readers.indices { filled[place] = read(readers[place]) }
    values = filled
  }

  /// In hand while they are written: a variable of an object is guarded anew at each look.
  @inline(__always)
  private func takeValues() -> [Double] {
    let taken = values
    values = []
    return taken
  }

  /// GPUs of one batch were sampled at one time: what each says is held against the others.
  private func notePeers(_ samples: [GPUSample]) {
    let readers = readers[Int(MetricFamily.gpu.rawValue)]
    var peers = [Double](repeating: .nan, count: samples.count > 1 ? readers.count : 0)
    if samples.count > 1 {
      for place in peerPlaces {
        if case .gpu(let read) = readers[place] { peers[place] = Self.largest(samples.span, read) }
      }
    }
    peerValues = peers
  }

  /// NaN where fewer than two tell it.
  private static func largest(_ samples: Span<GPUSample>, _ read: (borrowing GPUSample) -> Double) -> Double {
    var count = 0
    var best = Double.nan
    for index in samples.indices {
      let value = read(samples[index])
      if value.isNaN { continue }
      count += 1
      best = best.isNaN ? value : max(best, value)
    }
    return count > 1 ? best : .nan
  }

  private func isNewer(_ timeNs: Int64, _ entity: Int, _ host: inout HostState) -> Bool {
    isFirstSample = host.entities[entity].markNs == 0
    guard timeNs > host.entities[entity].markNs, timeNs <= RuleLimits.timeNsMax else { return false }
    host.entities[entity].markNs = timeNs
    return true
  }

  func newerThing(
    _ kind: EntityKind, _ name: String, _ timeNs: Int64, _ host: inout HostState, orSame: Bool = false
  ) -> Int? {
    guard let entity = host.entity(kind, name) else {
      untrackedEntities += 1
      return nil
    }
    let mark = host.entities[entity].markNs
    isFirstSample = mark == 0
    guard timeNs > mark || (orSame && timeNs == mark), timeNs <= RuleLimits.timeNsMax else { return nil }
    host.entities[entity].markNs = timeNs
    return entity
  }

  // Looked at where they lie: a copy of a sample costs as much as most rules.

  private func observeGPUs(_ samples: Span<GPUSample>, _ host: inout HostState) {
    for index in samples.indices {
      let name = String(samples[index].index)
      guard let entity = newerThing(.gpu, name, samples[index].timeNs, &host) else { continue }
      fill(samples[index])
      process(.gpu, &host, entity, samples[index].timeNs)
    }
  }

  private func observeDisks(_ samples: Span<DiskSample>, _ host: inout HostState) {
    for index in samples.indices {
      let name = samples[index].mountPoint
      guard let entity = newerThing(.disk, name, samples[index].timeNs, &host) else { continue }
      fill(samples[index])
      process(.disk, &host, entity, samples[index].timeNs)
    }
  }

  private func observeNetworks(_ samples: Span<NetworkSample>, _ host: inout HostState) {
    for index in samples.indices {
      let name = samples[index].interface
      guard let entity = newerThing(.interface, name, samples[index].timeNs, &host) else { continue }
      fill(samples[index])
      process(.interface, &host, entity, samples[index].timeNs)
    }
  }

  private func observeProcesses(_ samples: Span<ProcessSample>, _ host: inout HostState) {
    for index in samples.indices {
      let timeNs = samples[index].timeNs
      let name = "\(samples[index].name)[\(samples[index].pid)]"
      if let entity = newerThing(.process, name, timeNs, &host) {
        fill(samples[index])
        process(.process, &host, entity, timeNs)
      }
      if samples[index].hasExited, let entity = host.entity(.process, name) {
        host.entities[entity].set(.ended, true)
        host.processEndNs = max(host.processEndNs, min(timeNs, RuleLimits.timeNsMax))
      }
    }
  }

  private func fill(_ sample: borrowing GPUSample) {
    let readers = readers[Int(MetricFamily.gpu.rawValue)]
    var filled = takeValues()
    for place in readers.indices { if case .gpu(let read) = readers[place] { filled[place] = read(sample) } }
    values = filled
  }

  private func fill(_ sample: borrowing DiskSample) {
    let readers = readers[Int(MetricFamily.disk.rawValue)]
    var filled = takeValues()
    for place in readers.indices { if case .disk(let read) = readers[place] { filled[place] = read(sample) } }
    values = filled
  }

  private func fill(_ sample: borrowing NetworkSample) {
    let readers = readers[Int(MetricFamily.interface.rawValue)]
    var filled = takeValues()
    for place in readers.indices { if case .interface(let read) = readers[place] { filled[place] = read(sample) } }
    values = filled
  }

  private func fill(_ sample: borrowing ProcessSample) {
    let readers = readers[Int(MetricFamily.process.rawValue)]
    var filled = takeValues()
    for place in readers.indices { if case .process(let read) = readers[place] { filled[place] = read(sample) } }
    values = filled
  }

  private func observe(_ health: AgentHealth, _ wallNs: Int64, _ host: inout HostState) {
    let skew = wallNs > 0 ? Double(wallNs - arrivedNs) / 1e9 : .nan
    let report = AgentReport(health: health, clockSkewSeconds: skew)
    fill(.agent) { reader in if case .agent(let read) = reader { read(report) } else { .nan } }
    process(.agent, &host, 0, max(min(wallNs, RuleLimits.timeNsMax), host.entities[0].markNs))
  }

  /// An event counts if it is later than the last of the same subject.
  private func isNewEvent(_ subject: String, _ timeNs: Int64, _ host: inout HostState) -> Bool {
    eventRules.isEmpty ? false : newerThing(.device, subject, timeNs, &host) != nil
  }

  // MARK: training

  private func observe(_ step: TrainingStep, _ host: inout HostState) {
    let before = host.entity(.run, step.run).map { host.entities[$0].markNs } ?? 0
    guard let entity = newerThing(.run, step.run, step.timeNs, &host, orSame: true) else { return }
    host.entities[entity].marks.subtract([.ended, .failed])
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

extension Batch {
  /// The newest time of a sample, the agent's clock where there is none; nil where it says none.
  fileprivate var newestNs: Int64? {
    var newest = wallNs
    for part in spooled {
      for sample in part.records.hosts { newest = max(newest, sample.timeNs) }
    }
    return (1...RuleLimits.timeNsMax).contains(newest) ? newest : nil
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
  /// what else is in the step decides: a row with all its other fields, or one of a run that has told rewards.
  fileprivate func lacksReward(isUsual: Bool) -> Bool {
    guard reward.isNaN else { return false }
    let hasAction = action.isFinite || portfolioValue.isFinite
    let isWhole =
      action.isFinite && balance.isFinite && sharesHeld.isFinite && price.isFinite && portfolioValue.isFinite
    return metrics.isEmpty && (isWhole || isUsual) || isUsual && hasAction
  }
}
