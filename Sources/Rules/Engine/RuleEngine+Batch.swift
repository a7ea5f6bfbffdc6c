package import FleetModel

extension RuleEngine {
  /// Runs the rules on one batch.
  ///
  /// - Parameters:
  ///   - batch: as it came in, before its commit; what was judged before changes nothing.
  ///   - spool: whose sequences the batch's are; nil where each spooled record comes once.
  ///   - nowNs: the collector's clock, never less than before.
  /// - Returns: what opened and cleared, in order.
  package func observe(
    _ batch: Batch, from host: HostID, name: String, labels: [String: String], nowNs: Int64, spool: SpoolID? = nil
  ) -> [Transition] {
    let cell = cell(of: host, name: name, labels: labels)
    arrivedNs = nowNs
    observe(batch, spool, &cell.state)
    return takeTransitions()
  }

  private func observe(_ batch: Batch, _ spool: SpoolID?, _ host: inout HostState) {
    host.arrivedNs = max(host.arrivedNs, arrivedNs)
    if let clockNs = batch.clockNs(after: host.entities[0].markNs) { host.offsetNs = arrivedNs - clockNs }
    if let health = batch.health { observe(health, batch.wallNs, &host) }
    for part in batch.spooled {
      if let spool, !host.spool.advance(part, of: spool) { continue }
      observe(part, &host)
    }
    for delta in batch.files { observe(delta, &host) }
  }

  private func observe(_ part: SpooledRecords, _ host: inout HostState) {
    let records = part.records
    let isBackfill = part.lane == .backfill
    if isBackfill, isBehind(records, &host) {
      observeBacklog(records, &host)
    } else {
      observeSamples(records, &host)
    }
    // What happened is counted by its own time, whatever has come before it.
    for probe in records.probes {
      guard let entity = thing(.probe, probe.name, &host, probe.timeNs) else { continue }
      observe(probe, &host, entity)
    }
    for event in records.events { noteFailure(event, &host) }
    if !eventRules.isEmpty {
      for event in records.events { observe(event, &host) }
      for loss in records.losses { observe(loss, &host) }
    }
    for run in records.runs { observe(run, &host, isLate: isBackfill) }
    observeRows(records.steps[...], records.episodes[...], &host, isFromStart: false, isLate: isBackfill)
  }

  /// The numbers of what is sampled, in the order of their lane.
  func observeSamples(_ records: Records, _ host: inout HostState) {
    for sample in records.hosts where sampled(.host, "", sample.timeNs, &host) != nil {
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
    var seen = SampledThings()
    for probe in records.probes {
      guard let entity = sampled(.probe, probe.name, probe.timeNs, &host) else { continue }
      seen.note(entity, probe.timeNs, self, &host)
      fill(.probe) { reader in if case .probe(let read) = reader { read(probe) } else { .nan } }
      process(.probe, &host, entity, probe.timeNs, isOneOfMany: true)
    }
    seen.judge(self, &host)
  }

  /// Whether samples are not the newest of what they are of, or are of a clock that has been set back since. Those of one record were
  /// taken together.
  private func isBehind(_ records: Records, _ host: inout HostState) -> Bool {
    func isBehind(_ timeNs: Int64, _ place: Int?) -> Bool {
      guard let place, host.entities[place].markNs > 0 else { return false }
      return timeNs <= host.entities[place].markNs || timeNs - (arrivedNs - host.offsetNs) > RuleLimits.clockStepNs
    }
    if let sample = records.hosts.last { return isBehind(sample.timeNs, 0) }
    if let sample = records.gpus.last { return isBehind(sample.timeNs, host.known(.gpu, String(sample.index))) }
    if let sample = records.disks.last { return isBehind(sample.timeNs, host.known(.disk, sample.mountPoint)) }
    if let sample = records.networks.last { return isBehind(sample.timeNs, host.known(.interface, sample.interface)) }
    if let sample = records.processes.last {
      return isBehind(sample.timeNs, host.known(.process, "\(sample.name)[\(sample.pid)]"))
    }
    return records.probes.last.map { isBehind($0.timeNs, host.known(.probe, $0.name)) } ?? false
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

  /// GPUs of one batch were sampled at one time: each one's values are compared with the others'.
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

  /// NaN where fewer than two report it.
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

  // Looked at where they lie: a copy of a sample costs as much as most rules.

  private func observeGPUs(_ samples: Span<GPUSample>, _ host: inout HostState) {
    var seen = SampledThings()
    for index in samples.indices {
      let (name, timeNs) = (String(samples[index].index), samples[index].timeNs)
      guard let entity = sampled(.gpu, name, timeNs, &host) else { continue }
      seen.note(entity, timeNs, self, &host)
      fill(samples[index])
      process(.gpu, &host, entity, timeNs, isOneOfMany: true)
    }
    seen.judge(self, &host)
  }

  private func observeDisks(_ samples: Span<DiskSample>, _ host: inout HostState) {
    var seen = SampledThings()
    for index in samples.indices {
      let (name, timeNs) = (samples[index].mountPoint, samples[index].timeNs)
      guard let entity = sampled(.disk, name, timeNs, &host) else { continue }
      seen.note(entity, timeNs, self, &host)
      fill(samples[index])
      process(.disk, &host, entity, timeNs, isOneOfMany: true)
    }
    seen.judge(self, &host)
  }

  private func observeNetworks(_ samples: Span<NetworkSample>, _ host: inout HostState) {
    var seen = SampledThings()
    for index in samples.indices {
      let (name, timeNs) = (samples[index].interface, samples[index].timeNs)
      guard let entity = sampled(.interface, name, timeNs, &host) else { continue }
      seen.note(entity, timeNs, self, &host)
      fill(samples[index])
      process(.interface, &host, entity, timeNs, isOneOfMany: true)
    }
    seen.judge(self, &host)
  }

  private func observeProcesses(_ samples: Span<ProcessSample>, _ host: inout HostState) {
    var seen = SampledThings()
    for index in samples.indices { observe(samples[index], &seen, &host) }
    seen.judge(self, &host)
  }

  private func observe(_ sample: ProcessSample, _ seen: inout SampledThings, _ host: inout HostState) {
    let name = "\(sample.name)[\(sample.pid)]"
    if let entity = sampled(.process, name, sample.timeNs, &host) {
      seen.note(entity, sample.timeNs, self, &host)
      fill(sample)
      process(.process, &host, entity, sample.timeNs, isOneOfMany: true)
    }
    // A zombie has ended: only its parent has not asked how.
    if sample.hasExited || sample.state == "Z", let entity = host.entity(.process, name) {
      host.entities[entity].set(.ended, true)
      host.processEndNs = max(host.processEndNs, min(sample.timeNs, RuleLimits.timeNsMax))
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
}

extension Batch {
  /// The host's clock when it made the batch: its own word, else the newest sample where that is newer than what is known; nil where
  /// nothing reports it.
  fileprivate func clockNs(after markNs: Int64) -> Int64? {
    if (1...RuleLimits.timeNsMax).contains(wallNs) { return wallNs }
    let newest = spooled.flatMap(\.records.hosts).map(\.timeNs).max() ?? 0
    return newest > markNs && newest <= RuleLimits.timeNsMax ? newest : nil
  }
}

/// Which entities of one kind a part of a batch has reported. Rules about something else than such an entity are judged once after all of
/// them: once for each would look at each entity for each entity.
struct SampledThings {
  private var seen: Set<Int> = []
  private var last = 0
  private var timeNs: Int64 = 0

  /// A second sample of an entity begins another time.
  mutating func note(_ entity: Int, _ timeNs: Int64, _ engine: RuleEngine, _ host: inout HostState) {
    if !seen.insert(entity).inserted {
      judge(engine, &host)
      seen = [entity]
    }
    (last, self.timeNs) = (entity, max(self.timeNs, timeNs))
  }

  mutating func judge(_ engine: RuleEngine, _ host: inout HostState) {
    let places = engine.deferred
    engine.deferred = []
    for place in places { engine.judge(engine.rules[place], &host, because: last, timeNs) }
    timeNs = 0
  }
}
