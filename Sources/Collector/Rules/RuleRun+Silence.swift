internal import EventLoop
internal import Files
internal import FleetModel
internal import Rules

/// Diagnoses silent hosts before their findings are recorded.
extension RuleRun {
  /// The time in which this collector keeps a host from reporting is no silence of the host: while the database does not take what has come, no
  /// acks go out, and agents send nothing beyond what they may have under way; a host that connects anew is not admitted.
  /// - Parameter gapNs: since the last tick.
  func excuseHeld(_ monotonicNs: Int64, _ gapNs: Int64, _ nowNs: Int64) {
    let health = thread.metrics.health
    let held = [false, true].map { health.heldNs(hasStream: $0, nowNs: monotonicNs) }
    let writers = thread.writers.map { $0.stalledNs(nowNs: monotonicNs) }
    let patienceNs = ThreadHealth.patienceNs
    if max(held.max() ?? 0, writers.max() ?? 0) <= patienceNs { return }
    for (id, host) in hosts {
      let heldNs = max(held[host.session == nil ? 0 : 1], writers[thread.writerIndex(of: id)])
      if heldNs <= patienceNs { continue }
      // With all of it where it has just become so long that it counts.
      engine.excuse(id, silentNs: heldNs - gapNs <= patienceNs ? heldNs : gapNs, nowNs: nowNs)
    }
  }

  /// - Returns: whether the finding is withheld: it waits for its diagnosis, or ended before it.
  func diagnose(_ transition: Transition) -> Bool {
    let id = transition.host
    guard let rule = rules[transition.rule], rule.watchesHosts, let host = hosts[id] else { return false }
    guard transition.kind == .opened else {
      guard var waiting = undiagnosed[id] else { return false }
      let before = waiting.found.count
      waiting.found.removeAll { $0.rule == transition.rule }
      undiagnosed[id] = waiting.found.isEmpty ? nil : waiting
      return waiting.found.count < before
    }
    let deadlineNs = Clock.monotonicNs() + Self.diagnosisNs
    undiagnosed[id, default: Undiagnosed(found: [], deadlineNs: deadlineNs)].found.append(transition)
    let network = Self.network(host.address)
    let silent = engine.silentHosts
    let live = hosts.filter { $0.key != id && $0.value.session != nil && !silent.contains($0.key) }
    let question = SilenceQuestion(
      host: id, address: host.address, end: host.end,
      neighboursLive: live.count { Self.network($0.value.address) == network },
      isWidespread: silent.count >= Self.widespreadMin && silent.count * 2 >= hosts.count)
    if !thread.diagnosis.mailbox.post(.question(question)) { diagnosed(id, nil) }
    return true
  }

  /// The first three numbers of an IPv4 address, or any other address without its last part: hosts with an equal value
  /// count as neighbours.
  private static func network(_ address: String) -> Substring {
    address[..<(address.lastIndex { $0 == "." || $0 == ":" } ?? address.endIndex)]
  }

  /// - Parameter verdict: nil: none was made in time.
  func diagnosed(_ id: HostID, _ verdict: SilenceVerdict?) {
    guard let waiting = undiagnosed.removeValue(forKey: id) else { return }
    let found = waiting.found.map { transition in
      var transition = transition
      if let verdict { transition.evidence.insert(.note(verdict.sentence), at: 0) }
      return transition
    }
    record(found)
    _ = engine.takeUrgency(of: id)
    requireSave(of: id)
  }
}
