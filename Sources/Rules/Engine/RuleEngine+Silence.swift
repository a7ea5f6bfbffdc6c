package import FleetModel

/// What did not come.
extension RuleEngine {
  /// Takes up what is known of the silence of hosts when this engine begins to judge it: exactly the open incidents.
  ///
  /// A saved state does not decide it: the collector that saved it need not be the one that judged the host's silence.
  /// - Parameter open: of each host, the open incidents of its rules, with since when, ns since 1970.
  package func adoptSilence(_ open: [HostID: [(rule: String, sinceNs: Int64)]]) {
    for (id, cell) in hosts {
      for rule in rules where rule.watchesHost && rule.scope == .host {
        let known = open[id]?.first { $0.rule == rule.rule.id }
        let key = SlotTable.key(rule.place, Self.openNode, 0)
        if let known, cell.state.slots[key] == nil {
          self.open(rule, &cell.state, 0, min(max(0, known.sinceNs), RuleLimits.timeNsMax))
        } else if known == nil, cell.state.slots[key] != nil {
          cell.state.slots[key] = nil
          cell.state.slots[SlotTable.key(rule.place, rule.root, 0, Self.openedSub)] = nil
        }
      }
    }
  }

  /// A restored state's slots, with this engine's own about the host's silence where it judges that.
  func ownSilence(of host: HostID, in slots: [Slot]) -> [Slot] {
    guard runsFleetRules, let cell = hosts[host] else { return slots }
    func isAboutSilence(_ slot: Slot) -> Bool {
      rules[SlotTable.rule(slot.key)].watchesHost && SlotTable.entity(slot.key) == 0
    }
    return slots.filter { !isAboutSilence($0) } + cell.state.slots.slots.filter(isAboutSilence)
  }

  func staleness(
    _ place: Int, _ rule: CompiledRule, _ host: borrowing HostState, _ at: Judgement, _ entity: Int
  ) -> Truth {
    let node = rule.nodes[place]
    if node.kind == .host { return host.arrivedNs == 0 ? .unknown : Truth(arrivedNs - host.arrivedNs >= node.windowNs) }
    guard arrivedNs - host.arrivedNs <= RuleLimits.liveNs else { return .unknown }
    let thing = host.entities[entity]
    if thing.markNs == 0 { return .no }
    var since = thing.markNs
    switch node.phase {
    // A run of before the boot is not stalled: it is gone.
    case .any: if thing.hasEnded || (node.kind == .run && host.bootNs > thing.markNs) { return .no }
    case .declared: if thing.hasEnded || !thing.marks.contains(.declared) { return .no }
    case .starting:
      if thing.hasEnded || thing.marks.contains(.progressed) { return .no }
      guard let run = host.runs.first(where: { $0.entity == entity }), run.startedNs > 0 else { return .no }
      since = run.startedNs
    case .episode:
      guard let episode = host.runs.first(where: { $0.entity == entity })?.episodes.first else { return .no }
      since = episode.startedNs > 0 ? episode.startedNs : episode.timeNs
    }
    let stale = Self.longerThanUsual(at.timeNs - since, node, usual: interval(host, rule.place, place, entity))
    return stale == .yes && node.phase == .any && node.kind == .run && isContinued(entity, host) ? .no : stale
  }

  /// Whether the same file went on as another run: it was rotated by renaming, or a restart wrote it anew. Its run's name is that of
  /// the file and a mark of the file's identity.
  private func isContinued(_ entity: Int, _ host: borrowing HostState) -> Bool {
    let ended = host.entities[entity]
    guard let stem = Self.fileStem(ended.name) else { return false }
    return host.runs.contains { run in
      let other = host.entities[run.entity]
      return run.entity != entity && run.startedNs >= ended.markNs && other.markNs >= run.startedNs
        && Self.fileStem(other.name) == stem
    }
  }

  /// `DIR/progress` of `DIR/progress-49dd4e98`; nil where there is no such mark.
  private static func fileStem(_ run: String) -> Substring? {
    guard let dash = run.lastIndex(of: "-") else { return nil }
    let mark = run[run.index(after: dash)...].utf8
    let isMark = mark.count == 8 && mark.allSatisfy { ASCII.isDigit($0) || (97...102).contains($0) }
    return isMark ? run[..<dash] : nil
  }

  /// A line that used to come.
  func missing(
    _ place: Int, _ rule: CompiledRule, _ host: borrowing HostState, _ at: Judgement, _ entity: Int, _ last: Slot
  ) -> Truth {
    guard arrivedNs - host.arrivedNs <= RuleLimits.liveNs else { return .unknown }
    var node = rule.nodes[place]
    node.windowNs = node.missingNs
    return Self.longerThanUsual(arrivedNs - last.a, node, usual: interval(host, rule.place, place, entity))
  }

  private static func longerThanUsual(_ silentNs: Int64, _ node: CompiledNode, usual: Double?) -> Truth {
    if node.amount <= 0 { return Truth(silentNs >= node.windowNs) }
    guard let usual else { return .unknown }
    return Truth(silentNs >= max(node.windowNs, Int64(number: usual * node.amount)))
  }

  /// The usual interval (95th percentile), or the longest one while there are few; nil while there are hardly any.
  private func interval(_ host: borrowing HostState, _ rule: Int, _ place: Int, _ entity: Int) -> Double? {
    let range = host.slots.numbers(rule, place, entity, below: 5)
    guard range.count == 5 else { return nil }
    let markers = host.slots.slots[range]
    let (middle, last) = (markers[markers.startIndex + 2], markers[markers.startIndex + 4])
    guard last.a >= RuleLimits.intervalSamples else { return nil }
    return last.a >= RuleLimits.medianSamples ? middle.number : last.number
  }
}
