internal import Files
internal import FleetModel
internal import Rules

/// What concerns the whole fleet: the lease, hosts of other collectors, incidents whose rule no longer exists.
extension RuleRun {
  func lease(_ isHeld: Bool, _ memory: RulesThread.FleetMemory?) {
    engine.runsFleetRules = isHeld
    guard isHeld, let memory else { return }
    let nowNs = Clock.wallNs()
    var states = Dictionary(memory.states.map { ($0.hostNumber, $0) }) { first, _ in first }
    fleetFence = memory.fence
    if let fleet = states.removeValue(forKey: 0) {
      try? engine.restore(fleet.bytes, of: RuleEngine.fleetID, name: "fleet", labels: [:])
      for incident in fleet.ended { _ = engine.rearm(incident, on: nil) }
    }
    for known in memory.hosts where hosts[known.id]?.session == nil {
      register(known)
      if let saved = states[known.number] { borrow(saved, known) }
      engine.know(known.id, name: known.name, labels: known.labels, lastSeenNs: known.lastSeenNs)
    }
    engine.adoptSilence(openIncidents(memory))
    // Until now there may have been no collector to report to: silence is counted from now on, unless its incident is
    // open.
    for known in memory.hosts where hosts[known.id]?.session == nil && known.lastSeenNs > 0 {
      engine.excuse(known.id, silentNs: nowNs - known.lastSeenNs, nowNs: nowNs)
    }
    endOrphans(memory.open, nowNs)
  }

  /// Restores the state of a host that has no stream here, to judge its silence. Another collector may continue from
  /// the same state, so that it is never saved from here.
  private func borrow(_ saved: SavedRuleState, _ known: KnownHost) {
    let own = hosts[known.id]?.ledger.version(engine.sequence(of: known.id))
    guard saved.version.replaces(own) else { return }
    restore(saved, known)
    hosts[known.id]?.ledger.borrowed(saved.version)
    engine.setElsewhere(known.id, true)
  }

  private func openIncidents(_ memory: RulesThread.FleetMemory) -> [HostID: [(rule: String, sinceNs: Int64)]] {
    let ids = Dictionary(memory.hosts.map { ($0.number, $0.id) }) { first, _ in first }
    var open: [HostID: [(rule: String, sinceNs: Int64)]] = [:]
    for incident in memory.open where incident.entity.isEmpty {
      guard let id = incident.hostNumber.flatMap({ ids[$0] }) else { continue }
      open[id, default: []].append((incident.rule, incident.openedNs))
    }
    return open
  }

  func register(_ known: KnownHost) {
    if hosts[known.id] == nil { hosts[known.id] = Host(known: known) }
    if hosts[known.id]?.session == nil { hosts[known.id]?.known = known }
  }

  /// Ends incidents whose rule no longer exists: no rule would end them.
  func endOrphans(_ open: [OpenIncident], _ nowNs: Int64) {
    let orphans = open.filter { rules[$0.rule] == nil && !$0.rule.hasPrefix(OwnRule.prefix) }
    if orphans.isEmpty { return }
    lastRecord += 1
    let changes = orphans.map { orphan in
      IncidentChange(
        .cleared, rule: orphan.rule, severity: .p3, hostNumber: orphan.hostNumber, entity: orphan.entity,
        eventNs: nowNs, detectedNs: nowNs)
    }
    fleetRecord = lastRecord
    post(RuleRecord(number: lastRecord, changes: changes, reply: thread.mailbox))
  }

  /// Arms the rules of incidents that people have ended. The engine takes them for open and would report nothing
  /// further while their conditions hold.
  func rearm(_ ended: [EndedIncident]) {
    for incident in ended {
      let host = incident.hostNumber.flatMap { number in hosts.first { $0.value.known.number == number }?.key }
      // The host is unknown here: the collector that receives its stream reads the end together with its rule state.
      if incident.hostNumber != nil, host == nil { continue }
      for id in engine.rearm(incident, on: host) { requireSave(of: id) }
    }
  }

  func fleet(_ known: [KnownHost]?) {
    let nowNs = Clock.wallNs()
    guard let known else {
      // Without the database it is not known whether these hosts report to another collector.
      for (id, host) in hosts where host.session == nil { engine.excuse(id, silentNs: .max / 2, nowNs: nowNs) }
      return
    }
    for host in known {
      register(host)
      engine.know(host.id, name: host.name, labels: host.labels, lastSeenNs: host.lastSeenNs)
      if let own = hosts[host.id], own.session == nil, host.epoch > own.ledger.epoch {
        hosts[host.id]?.ledger.movedAway()
        engine.setElsewhere(host.id, true)
      }
    }
    let ids = Set(known.map(\.id))
    for (id, host) in hosts where host.session == nil && !ids.contains(id) {
      recordWithoutBatch(engine.forget(id, nowNs: nowNs))
      hosts[id] = nil
    }
  }
}
