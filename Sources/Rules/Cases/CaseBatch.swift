internal import FleetModel

/// Gathers what a case's host reports at one time.
struct CaseBatch {
  let timeNs: Int64
  private var records = Records()
  private var health: AgentHealth?
  private var files: [FileDelta] = []
  /// The host's clock less the collector's.
  private var skewNs: Int64 = 0

  init(timeNs: Int64, hasHost: Bool) {
    self.timeNs = timeNs
    guard hasHost else { return }
    var host = HostSample()
    host.timeNs = timeNs
    records.hosts = [host]
  }

  var isEmpty: Bool { records.isEmpty && files.isEmpty && health == nil }

  var batch: Batch {
    var batch = Batch()
    batch.wallNs = timeNs + skewNs
    batch.health = health
    batch.files = files
    if !records.isEmpty {
      batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    }
    return batch
  }

  mutating func add(_ input: CaseInput, _ index: Int, _ offsets: inout [String: UInt64]) {
    switch input.kind {
    case .series(let metric, let entity, nil, let values): add(metric, entity, values[index])
    case .series(let metric, let entity, let rank?, let values):
      let run = entity.isEmpty ? "run" : entity
      add(metric, run, values[index], step: index + 1, ofFile: "/srv/\(run)/rank_\(rank).log", &offsets)
    case .lines(let path, let level, let lines, let isRedacted):
      add(lines[index], path, level, isRedacted, &offsets[path, default: 0])
    case .event(let kind, let subject, let message, let reason, let end):
      guard let kind else {
        var loss = Loss()
        loss.timeNs = timeNs
        loss.subject = subject
        loss.reason = reason
        return records.losses.append(loss)
      }
      var event = Event()
      event.timeNs = timeNs
      event.kind = kind
      event.subject = subject
      event.message = message
      event.processEnd = end
      records.events.append(event)
    case .run(let name, let state, let isDeclared, let announced):
      var run = RunUpdate()
      run.source = isDeclared ? "socket" : "/srv/\(name)"
      run.detail = announced > 0 ? "{\"episodes\": \(announced)}" : "{}"
      run.timeNs = timeNs
      run.run = name
      run.state = state
      records.runs.append(run)
    case .episode(let run, let state, let number, let steps):
      var episode = EpisodeSummary()
      episode.timeNs = timeNs
      episode.run = run
      episode.episode = number + Int64(index)
      episode.finalSteps = Int64(steps)
      if state == .running { episode.startedNs = timeNs }
      episode.state = state
      records.episodes.append(episode)
    case .probe(let name, let state):
      var probe = ProbeResult()
      probe.timeNs = timeNs
      probe.name = name
      probe.state = state
      records.probes.append(probe)
    case .silence: break
    }
  }

  mutating func addProcess() {
    var process = ProcessSample()
    process.timeNs = timeNs
    process.name = "python"
    records.processes.append(process)
  }

  private mutating func add(
    _ line: String, _ path: String, _ level: Level, _ isRedacted: Bool, _ offset: inout UInt64
  ) {
    let bytes = Array(line.utf8)
    let hash = ContentHash.of(Array(path.utf8).span)
    var delta = FileDelta(
      file: FileIdentity(key: FileKey(high: 1, low: hash), path: path), from: offset,
      to: offset + UInt64(bytes.count) + 1)
    delta.lines.text = bytes
    delta.lines.lengths = [UInt32(bytes.count)]
    delta.lines.advances = [UInt32(bytes.count + 1)]
    delta.lines.timesUs = [timeNs / 1000]
    delta.lines.levels = [level.rawValue]
    delta.lines.flags = [isRedacted ? LineFlags.redacted.rawValue : 0]
    delta.lines.firstOffset = offset
    offset = delta.to
    files.append(delta)
  }

  private mutating func add(_ metric: RuleMetric, _ entity: String, _ value: Double) {
    if metric.name == MetricCatalogue.skewName {
      skewNs = Int64(number: value * 1e9)
      health = health ?? AgentHealth()
      return
    }
    guard let writer = metric.writer else { return addNamed(metric, entity, value) }
    switch writer {
    case .host(let write):
      if records.hosts.isEmpty { records.hosts = [HostSample()] }
      records.hosts[0].timeNs = timeNs
      write(&records.hosts[0], value)
    case .agent(let write):
      var health = health ?? AgentHealth()
      write(&health, value)
      self.health = health
    case .gpu(let write):
      let index = UInt32(entity) ?? 0
      edit(&records.gpus, { $0.index == index }, { write(&$0, value) }) {
        $0.timeNs = timeNs; $0.index = index
      }
    case .disk(let write):
      let name = entity.isEmpty ? "/" : entity
      edit(&records.disks, { $0.mountPoint == name }, { write(&$0, value) }) {
        $0.timeNs = timeNs; $0.mountPoint = name
      }
    case .interface(let write):
      edit(&records.networks, { $0.interface == entity }, { write(&$0, value) }) {
        $0.timeNs = timeNs; $0.interface = entity
      }
    case .process(let write):
      let name = entity.isEmpty ? "python" : entity
      edit(&records.processes, { $0.name == name }, { write(&$0, value) }) {
        $0.timeNs = timeNs; $0.name = name
        $0.state = "S"
      }
    case .probe(let write):
      edit(&records.probes, { $0.name == entity }, { write(&$0, value) }) {
        $0.timeNs = timeNs; $0.name = entity; $0.state = .ok
      }
    case .training(let write):
      let run = entity.isEmpty ? "run" : entity
      edit(&records.steps, { $0.run == run }, { write(&$0, value) }) {
        $0.timeNs = timeNs; $0.run = run
      }
    case .episode(let write):
      let run = entity.isEmpty ? "run" : entity
      edit(&records.episodes, { $0.run == run }, { write(&$0, value) }) {
        $0.timeNs = timeNs
        $0.run = run
        $0.episode = timeNs
        $0.state = .completed
      }
    }
  }

  /// What one rank of a run logs of one step.
  private mutating func add(
    _ metric: RuleMetric, _ run: String, _ value: Double, step: Int, ofFile path: String,
    _ offsets: inout [String: UInt64]
  ) {
    var row = CaseBatch(timeNs: timeNs, hasHost: false)
    row.add(metric, run, value)
    guard var found = row.records.steps.first else { return }
    if let place = files.firstIndex(where: { $0.file.path == path }) {
      files[place].steps[0].metrics += found.metrics
      return
    }
    found.step = Int64(step)
    let offset = offsets[path, default: 0]
    let key = FileKey(high: 1, low: ContentHash.of(Array(path.utf8).span))
    var delta = FileDelta(file: FileIdentity(key: key, path: path), from: offset, to: offset + 1)
    delta.steps = [found]
    offsets[path] = delta.to
    files.append(delta)
  }

  private mutating func addNamed(_ metric: RuleMetric, _ entity: String, _ value: Double) {
    let run = entity.isEmpty ? "run" : entity
    var named = Metric()
    named.name = String(metric.name.dropFirst(MetricCatalogue.namedPrefix.count))
    named.value = value
    edit(&records.steps, { $0.run == run }, { $0.metrics.append(named) }) {
      $0.timeNs = timeNs; $0.run = run
    }
  }
}

extension TrainingStep: CaseRecord {}
extension EpisodeSummary: CaseRecord {}
extension GPUSample: CaseRecord {}
extension DiskSample: CaseRecord {}
extension NetworkSample: CaseRecord {}
extension ProcessSample: CaseRecord {}
extension ProbeResult: CaseRecord {}

/// A report that can be made empty and then filled.
private protocol CaseRecord { init() }

/// Changes the record that fits, or a new one.
private func edit<Record: CaseRecord>(
  _ records: inout [Record], _ isMeant: (Record) -> Bool, _ write: (inout Record) -> Void,
  _ begin: (inout Record) -> Void
) {
  if let place = records.firstIndex(where: isMeant) { return write(&records[place]) }
  var record = Record()
  begin(&record)
  write(&record)
  records.append(record)
}
