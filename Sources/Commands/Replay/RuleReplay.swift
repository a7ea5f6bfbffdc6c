package import FleetModel
package import Rules
package import Store

/// Runs rules over the past, through the engine that judges the present.
///
/// Facts come in the order of time and are given to the engine second by second, as if each had arrived in the second that
/// it is of; once a second of that time the engine is given the passed time.
package final class RuleReplay {
  /// Facts held before the engine gets them, however many a second has.
  private static let heldMax = 20_000
  private static let secondNs: Int64 = 1_000_000_000

  /// What came of it.
  package struct Past: Sendable {
    package var ledger: ReplayLedger
    package var facts: Int
    /// That reported something.
    package var hosts: Int
  }

  private let engine: RuleEngine
  private let rules: [String: Rule]
  private let hosts: [Int32: KnownHost]
  private let names: [HostID: KnownHost]
  private var ledger = ReplayLedger()
  /// The beginning of the second at hand.
  private var nowNs: Int64
  private var held: [Int32: HeldFacts] = [:]
  private var heldCount = 0
  /// Lines of each host are numbered, so that none looks like one that was seen.
  private var lines: [Int32: UInt64] = [:]
  private var reporting: Set<Int32> = []
  /// Hosts of which a sample has come. What lies before it came out of files that are older than the host's joining: between
  /// those, no host could have been silent.
  private var joined: Set<Int32> = []
  private var facts = 0

  /// - Parameter hosts: those that facts may be of.
  package init(_ set: RuleSet, hosts: [KnownHost], sinceNs: Int64) {
    engine = RuleEngine(set)
    rules = Dictionary(set.rules.map { ($0.id, $0) }) { first, _ in first }
    self.hosts = Dictionary(hosts.map { ($0.number, $0) }) { first, _ in first }
    names = Dictionary(hosts.map { ($0.id, $0) }) { first, _ in first }
    nowNs = sinceNs - sinceNs % Self.secondNs
  }

  /// - Parameter fact: not older than the one before.
  package func take(_ fact: StoredFact) {
    guard hosts[fact.host] != nil else { return }
    if fact.timeNs >= nowNs + Self.secondNs { advance(to: fact.timeNs) }
    if heldCount >= Self.heldMax { tell() }
    held[fact.host, default: HeldFacts()].add(fact, line: &lines[fact.host, default: 0])
    heldCount += 1
    facts += 1
    reporting.insert(fact.host)
    if case .host = fact.kind { joined.insert(fact.host) }
  }

  /// Lets the time pass up to the end, with nothing more to come.
  package func finish(at untilNs: Int64) -> Past {
    advance(to: untilNs)
    return Past(ledger: ledger, facts: facts, hosts: reporting.count)
  }

  private func advance(to timeNs: Int64) {
    tell()
    while nowNs + Self.secondNs <= timeNs {
      nowNs += Self.secondNs
      note(engine.tick(nowNs))
    }
  }

  private func tell() {
    let atNs = nowNs + Self.secondNs
    for number in held.keys.sorted() {
      guard let facts = held[number], let host = hosts[number] else { continue }
      note(engine.observe(facts.batch(atNs), from: host.id, name: host.name, labels: host.labels, nowNs: atNs))
    }
    held.removeAll(keepingCapacity: true)
    heldCount = 0
  }

  private func note(_ found: [Transition]) {
    for transition in found {
      guard let rule = rules[transition.rule], rule.scope != .job || !isOpenElsewhere(transition) else { continue }
      let isTooEarly = rule.watchesHosts && !(names[transition.host].map { joined.contains($0.number) } ?? true)
      if isTooEarly, transition.kind == .opened { continue }
      ledger.take(IncidentChange(transition, of: rule, host: names[transition.host]))
    }
  }

  /// One job on several hosts has one incident.
  private func isOpenElsewhere(_ transition: Transition) -> Bool {
    engine.open.contains {
      $0.rule == transition.rule && $0.host != transition.host && $0.entity == transition.entity
    }
  }
}

/// What a host reports in one second.
private struct HeldFacts {
  private var records = Records()
  private var files: [FileDelta] = []

  func batch(_ nowNs: Int64) -> Batch {
    var batch = Batch()
    batch.wallNs = nowNs
    batch.files = files
    if !records.isEmpty {
      batch.spooled = [SpooledRecords(lane: .live, firstSequence: 1, lastSequence: 1, records: records)]
    }
    return batch
  }

  /// - Parameter line: the number of the host's next line; stands for its offset.
  mutating func add(_ fact: StoredFact, line: inout UInt64) {
    switch fact.kind {
    case .host(let sample): records.hosts.append(sample)
    case .gpu(let sample): records.gpus.append(sample)
    case .disk(let sample): records.disks.append(sample)
    case .network(let sample): records.networks.append(sample)
    case .process(let sample): records.processes.append(sample)
    case .probe(let result): records.probes.append(result)
    case .event(let event): records.events.append(event)
    case .loss(let loss): records.losses.append(loss)
    case .run(let update): records.runs.append(update)
    case .step(let step): records.steps.append(step)
    case .episode(let episode): records.episodes.append(episode)
    case .line(let found):
      add(found, timeUs: fact.timeNs / 1000, number: line)
      line += 1
    }
  }

  private mutating func add(_ line: StoredLine, timeUs: Int64, number: UInt64) {
    let key = FileKey(high: 0, low: UInt64(UInt32(bitPattern: line.file)))
    if files.last?.file.key != key || files.last?.to != number {
      files.append(FileDelta(file: FileIdentity(key: key, path: line.path), from: number, to: number))
      files[files.count - 1].lines.firstOffset = number
    }
    let place = files.count - 1
    files[place].to = number + 1
    files[place].lines.text += line.text
    files[place].lines.lengths.append(UInt32(line.text.count))
    files[place].lines.advances.append(1)
    files[place].lines.timesUs.append(timeUs)
    files[place].lines.levels.append(line.level.rawValue)
    files[place].lines.flags.append(line.flags)
  }
}
