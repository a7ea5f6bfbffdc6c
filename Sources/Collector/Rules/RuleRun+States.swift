internal import Files
internal import FleetModel
internal import Rules
internal import Synchronization

/// Saves the rule states of hosts.
extension RuleRun {
  /// To be called where something else than a batch, such as a tick, changed a state in a way that judging the facts
  /// again would not repeat. The state is saved as soon as its findings are recorded, or with the next batch where that
  /// comes first.
  func requireSave(of id: HostID) {
    if id == RuleEngine.fleetID {
      fleetNeedsSave = true
    } else {
      hosts[id]?.ledger.changed(mustSave: true)
      unsaved.insert(id)
    }
    maySave = true
  }

  func nextState(of id: HostID) -> SavedRuleState? {
    guard let host = hosts[id] else { return nil }
    let next = engine.nextState(of: id)
    return SavedRuleState(
      hostNumber: host.known.number,
      version: RuleStateVersion(epoch: host.ledger.epoch, sequence: next.sequence), bytes: next.bytes)
  }

  /// Makes the changed states of a part of the hosts due each second, so that each is saved within `saveEveryTicks`:
  /// with its next batch while it has a stream.
  func saveChanged(all: Bool) {
    let part = ticks % Self.saveEveryTicks
    for (id, host) in hosts where host.ledger.isChanged {
      guard all || Int(host.known.number) % Self.saveEveryTicks == part else { continue }
      hosts[id]?.ledger.fellDue()
      if all || host.session == nil { unsaved.insert(id) }
    }
    if engine.runsFleetRules, all || part == 0 { fleetNeedsSave = true }
    if all { saveRequired() }
  }

  /// Saves states that must be saved without waiting for a batch: each as an empty batch, after all that was passed to
  /// the host's writer before, and under the same fence. A state waits until its findings are recorded and no batch of
  /// its stream is held.
  func saveRequired() {
    maySave = false
    for id in unsaved {
      guard let host = hosts[id], host.ledger.needsSave else {
        unsaved.remove(id)
        continue
      }
      // A state with a finding that waits for its diagnosis is not saved: once saved, the finding would not be reported
      // again after a crash.
      guard undiagnosed[id] == nil, gate.isOpen(to: host.session, after: host.ledger.record) else { continue }
      hosts[id]?.ledger.carried()
      guard let state = nextState(of: id) else { continue }
      if thread.save(state, of: id, atNs: Clock.wallNs()) { unsaved.remove(id) } else { requireSave(of: id) }
    }
    if fleetNeedsSave, engine.runsFleetRules, fleetRecord <= gate.recordedThrough { saveFleet() }
  }

  private func saveFleet() {
    fleetNeedsSave = false
    let next = engine.nextState(of: RuleEngine.fleetID)
    let version = RuleStateVersion(epoch: UInt64(clamping: fleetFence), sequence: next.sequence)
    thread.fleetState.withLock { $0 = SavedRuleState(hostNumber: 0, version: version, bytes: next.bytes) }
  }
}
