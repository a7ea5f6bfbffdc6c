package import FleetModel

/// Runs the rules on what arrives: facts in, transitions out. No clock, no I/O, nothing shared: its owner calls it from one thread.
///
/// - Each fact counts once: a sequence of a spool, a part of a file that was judged are passed over, so that what an agent sends again
///   after a reconnect changes nothing. Times decide nothing here: a clock that was ahead and is set back hides no fact.
/// - Times of holds and windows are those of the samples, so that a backlog is judged as if it had come in time; silence and
///   the end of an occurrence go by the collector's clock, and only while the host is live: no data is never "fine".
/// - Cost: `signalbox-bench rules` prints µs a rule and sample, bytes a host and ns a log line.
package final class RuleEngine {
  var rules: [CompiledRule] = []
  var hosts: [HostID: HostCell] = [:]
  /// Stands for the fleet where a host is named.
  package static let fleetID = HostID(high: 0, low: 0)
  /// Rules of the whole fleet keep their state here.
  var fleet = HostCell(HostState(id: fleetID, name: "fleet", labels: [:]))
  /// Rules that read a kind of report, with the conditions that do.
  var byFamily: [[FamilyReader]] = []
  /// How each kind of report's values are read.
  var readers: [[MetricReader]] = []
  var lineMatcher = LineMatcher([])
  typealias EventReader = (rule: CompiledRule, node: Int, query: EventQuery)
  typealias RunReader = (rule: CompiledRule, node: Int, moment: RunMoment)
  typealias EpisodeReader = (rule: CompiledRule, node: Int, moment: EpisodeMoment)
  typealias ProbeReader = (rule: CompiledRule, node: Int, name: Wildcard, state: ProbeState)
  var eventRules: [EventReader] = []
  var runRules: [RunReader] = []
  var episodeRules: [EpisodeReader] = []
  var probeRules: [ProbeReader] = []
  typealias FailureReader = (rule: CompiledRule, node: Int, query: FailureQuery)
  var failureRules: [FailureReader] = []
  var failureMatcher = FailureMatcher([])
  var intervalRules: [(rule: CompiledRule, node: Int)] = []
  /// Lines that are taken back where their file goes on.
  var goingOn: [(rule: CompiledRule, node: Int)] = []
  /// Conditions that compare ranks, and when they last did, by the collector's clock.
  var stragglerRules: [(rule: CompiledRule, node: Int)] = []
  var comparedNs: Int64 = 0
  var timedRules: [CompiledRule] = []
  var fleetRules: [CompiledRule] = []
  var needsProgress = false
  var needsEpisodes = false
  var needsHistory = false

  /// Of the report at hand.
  var values: [Double] = []
  /// The largest of each value among the GPUs of the batch at hand, where more than one reports it; else NaN.
  var peerValues: [Double] = []
  /// Values of a GPU that are held against those of the others.
  var peerPlaces: [Int] = []
  /// The entity at hand has not been reported before.
  var isFirstSample = false
  /// While the samples of many entities of one kind are read: rules about another kind of entity, to be judged once after them.
  var deferred: [Int] = []
  /// When a forecast of the rule at hand comes true, by condition: ns from now.
  var forecasts: [Int: Int64] = [:]
  /// The evidence if the fact at hand opens something.
  var occasion: Evidence?
  var transitions: [Transition] = []
  var arrivedNs: Int64 = 0
  /// When what is being judged was first read on its host, for a line; nil for everything else.
  var occasionNs: Int64?

  /// Fleet rules and the silence of hosts are judged by one collector only: by that which holds the lease.
  package var runsFleetRules = true
  /// Entities beyond `RuleLimits.entitiesMax` of a host.
  package internal(set) var untrackedEntities: UInt64 = 0
  /// Findings of history beyond `RuleLimits.historyFindingsMax` of a host.
  package internal(set) var historyFindingsOmitted: UInt64 = 0
  /// Raised lines and ends of processes that were dropped beyond the bounds of `FailureWatch`.
  package internal(set) var untrackedFailures: UInt64 = 0
  /// Entities that rules looked at: what a batch costs, without a clock.
  package internal(set) var looks: UInt64 = 0
  package private(set) var set = RuleSet()

  package init(_ set: RuleSet) {
    compile(set)
  }

  /// The rules that are open somewhere, with since when; the hosts' clocks.
  package var open: [(rule: String, host: HostID, entity: RuleEntity, sinceNs: Int64)] {
    (hosts.values + [fleet]).flatMap { host in
      host.state.slots.slots.filter { SlotTable.node($0.key) == Self.openNode }.map { slot in
        let entity = host.state.entities[SlotTable.entity(slot.key)]
        return (
          rules[SlotTable.rule(slot.key)].rule.id, host.state.id, RuleEntity(kind: entity.kind, name: entity.name),
          slot.a
        )
      }
    }
  }

  /// Hosts that the engine knows.
  package var hostCount: Int { hosts.count }

  /// Bytes on the heap for a host; 0 where it is not known.
  package func stateBytes(of host: HostID) -> Int { hosts[host]?.state.bytes ?? 0 }

  /// Whether the host's state has changed in a way that its next samples cannot make good, since it was last asked: something
  /// happened, opened or cleared. Such a state is to be kept before the facts that it came from are committed.
  package func takeUrgency(of host: HostID) -> Bool {
    guard let cell = cell(host), cell.state.isUrgent else { return false }
    cell.state.isUrgent = false
    return true
  }

  /// Hosts that a rule has found silent.
  package var silentHosts: Set<HostID> {
    let places = rules.filter(\.watchesHost).map(\.place)
    return Set(
      hosts.values.filter { host in
        places.contains { host.state.slots.hasAny($0, Self.openNode) }
      }.map { $0.state.id })
  }

  /// The collector itself received nothing for so long: no host was silent. Hosts whose silence is reported already stay silent.
  package func excuse(_ host: HostID, silentNs: Int64, nowNs: Int64) {
    guard let cell = hosts[host], cell.state.arrivedNs > 0 else { return }
    let isToldOf = cell.state.slots.slots.contains { slot in
      SlotTable.node(slot.key) == Self.openNode && rules[SlotTable.rule(slot.key)].watchesHost
    }
    if !isToldOf { cell.state.arrivedNs = min(nowNs, cell.state.arrivedNs.addingClamped(silentNs)) }
  }

  /// Forgets a host that left the fleet. Its incidents end with it.
  package func forget(_ host: HostID, nowNs: Int64) -> [Transition] {
    guard let cell = hosts.removeValue(forKey: host) else { return [] }
    arrivedNs = nowNs
    for slot in cell.state.slots.slots where SlotTable.node(slot.key) == Self.openNode {
      let timeNs = max(slot.a, cell.state.entities[0].markNs)
      emit(.cleared(.gone), rules[SlotTable.rule(slot.key)], &cell.state, SlotTable.entity(slot.key), timeNs)
    }
    return takeTransitions()
  }

  /// The host's state, made on first sight. Labels may change at any time.
  ///
  /// - Parameter lastSeenNs: the collector's clock at its last report to any collector.
  package func know(_ host: HostID, name: String, labels: [String: String], lastSeenNs: Int64) {
    let cell = cell(of: host, name: name, labels: labels)
    cell.state.arrivedNs = max(cell.state.arrivedNs, min(lastSeenNs, RuleLimits.timeNsMax))
  }

  /// Takes incidents that go on for open where the host's state does not have them, so that the host's facts end them.
  ///
  /// Not those about the host's silence: whoever judges the fleet has those (`adoptSilence`).
  /// - Parameter nowNs: the collector's clock.
  /// - Returns: how many are taken up.
  package func adopt(
    _ incidents: [OpenIncident], of host: HostID, name: String, labels: [String: String], nowNs: Int64
  ) -> Int {
    arrivedNs = nowNs
    let cell = cell(of: host, name: name, labels: labels)
    var adopted = 0
    for incident in incidents {
      guard let rule = rules.first(where: { $0.rule.id == incident.rule }), !rule.watchesHost, rule.scope != .fleet,
        let entity = RuleEntity(incident.entity, of: rule.rule.scope),
        let place = rule.scope == .host ? 0 : cell.state.entity(entity.kind, entity.name)
      else { continue }
      let sinceNs = min(max(0, incident.lastEventNs), RuleLimits.timeNsMax)
      if cell.state.slots[SlotTable.key(rule.place, Self.openNode, place)] != nil { continue }
      // One that is not reported any more is gone after a while, and its incident ends.
      if cell.state.entities[place].markNs == 0 { cell.state.entities[place].markNs = max(1, sinceNs) }
      open(rule, &cell.state, place, sinceNs)
      cell.state.isUrgent = true
      adopted += 1
    }
    return adopted
  }

  func cell(of host: HostID, name: String, labels: [String: String]) -> HostCell {
    if let known = hosts[host] {
      if known.state.labels != labels {
        known.state.labels = labels
        exclude(&known.state)
      }
      return known
    }
    let cell = HostCell(HostState(id: host, name: name, labels: labels))
    exclude(&cell.state)
    hosts[host] = cell
    return cell
  }

  /// nil where it is not known; the fleet's own is one, too.
  func cell(_ host: HostID) -> HostCell? { host == fleet.state.id ? fleet : hosts[host] }

  /// Marks the rules whose labels the host lacks, and those that a late state cannot answer.
  func exclude(_ host: inout HostState) {
    host.excluded = []
    for rule in rules where !rule.isJudged(in: host.role) || !StarPattern.match(rule.rule.match, host.labels) {
      while host.excluded.count <= rule.place >> 6 { host.excluded.append(0) }
      host.excluded[rule.place >> 6] |= 1 << UInt64(rule.place & 63)
    }
  }

  func takeTransitions() -> [Transition] {
    defer { transitions.removeAll(keepingCapacity: true) }
    return transitions
  }

  // MARK: compiling

  func compile(_ set: RuleSet) {
    self.set = set
    var places: [String: Int] = [:]
    // Made in variables of their own: what is changed in place in an object is guarded wherever it is read.
    var readers: [[MetricReader]] = MetricFamily.allCases.map { _ in [] }
    func value(_ metric: RuleMetric) -> Int {
      if let place = places[metric.name] { return place }
      let family = Int(metric.reader.family.rawValue)
      readers[family].append(metric.reader)
      places[metric.name] = readers[family].count - 1
      return readers[family].count - 1
    }
    rules = set.rules.enumerated().map { CompiledRule($0.element, place: $0.offset, values: value) }
    self.readers = readers
    let ids = Dictionary(rules.map { ($0.rule.id, $0.place) }) { first, _ in first }
    for rule in rules { rule.resolve(ids) }
    values = [Double](repeating: .nan, count: max(1, readers.map(\.count).max() ?? 0))
    byFamily = MetricFamily.allCases.map { family in
      rules.compactMap { rule in
        let leaves = rule.leaves(of: family)
        return leaves.isEmpty ? nil : FamilyReader(rule, leaves)
      }
    }
    peerPlaces = Array(
      Set(
        rules.flatMap(\.nodes).filter { $0.family == .gpu && $0.measure == .against && $0.baseline == .peers }.map(
          \.value)))
    timedRules = rules.filter { $0.isTimed }
    fleetRules = rules.filter { $0.rule.scope == .fleet }
    needsProgress = !readers[Int(MetricFamily.progress.rawValue)].isEmpty
    needsHistory = readers[Int(MetricFamily.progress.rawValue)].contains { reader in
      if case .progress(.elapsedRatio) = reader { true } else { false }
    }
    needsEpisodes =
      !readers[Int(MetricFamily.episode.rawValue)].isEmpty || needsProgress
      || rules.contains { $0.nodes.contains { $0.phase == .episode } }
    goingOn = rules.flatMap { rule in rule.nodes.indices.filter { rule.nodes[$0].goesOnNs > 0 }.map { (rule, $0) } }
    stragglerRules = rules.flatMap { rule in
      rule.nodes.indices.filter { rule.nodes[$0].operation == .straggler }.map { (rule, $0) }
    }
    intervalRules = rules.flatMap { rule in
      rule.nodes.indices.filter { rule.nodes[$0].operation == .stale && rule.nodes[$0].amount > 0 }.map { (rule, $0) }
    }
    compileOccurrences()
  }

  private func compileOccurrences() {
    var lines: [LineMatcher.Wanted] = []
    var (events, runs) = ([EventReader](), [RunReader]())
    var (episodes, probes) = ([EpisodeReader](), [ProbeReader]())
    var failures: [FailureReader] = []
    for rule in rules {
      // Before the lines that are a share of them.
      for (node, query) in rule.wholes { lines.append((rule, node, query, true)) }
      for (node, occurrence) in rule.occurrences {
        switch occurrence {
        case .line(let query): lines.append((rule, node, query, false))
        case .event(let query): events.append((rule, node, query))
        case .run(let moment): runs.append((rule, node, moment))
        case .episode(let moment): episodes.append((rule, node, moment))
        case .probe(let name, let state): probes.append((rule, node, name, state))
        case .failure(let query): failures.append((rule, node, query))
        }
      }
    }
    (eventRules, runRules, episodeRules, probeRules) = (events, runs, episodes, probes)
    failureRules = failures
    failureMatcher = FailureMatcher(failures.isEmpty ? [] : set.failures)
    lineMatcher = LineMatcher(lines)
  }
}
