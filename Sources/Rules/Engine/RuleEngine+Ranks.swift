internal import FleetModel

/// Ranks of one run, on one host or on the hosts of a job, as far as they report to this collector: which of them is behind the others.
///
/// Costs: a row of a file with a rank is noted; all else happens every ten seconds, and only where a rule asks for it and runs have ranks.
extension RuleEngine {
  // MARK: what is known of ranks

  /// What the agent reports of a run: its job, the ranks that run beside each other, the end of a file.
  func noteRank(_ update: RunUpdate, _ host: inout HostState) {
    if stragglerRules.isEmpty { return }
    let isOfHosts = ProcessJob.Kind.ofHosts.contains { update.job.hasPrefix($0.rawValue + ":") }
    let isEnd = update.state == .completed || update.state == .failed
    guard isOfHosts || isEnd && !host.ranked.isEmpty || update.rank != nil,
      let run = host.known(.run, update.run),
      let place = rankedRun(run, &host, makes: isOfHosts || update.rank != nil)
    else { return }
    if isOfHosts { host.ranked[place].job = ContentHash.of(Array("\(update.job)\n\(update.run)".utf8).span) }
    if let rank = update.rank { host.ranked[place].note(rank: Int32(clamping: rank)) }
    if isEnd, let file = host.known(.file, update.source) { host.ranked[place].end(file: file) }
  }

  private func rankedRun(_ run: Int, _ host: inout HostState, makes: Bool) -> Int? {
    if let known = host.ranked.firstIndex(where: { $0.run == run }) { return known }
    guard makes, host.ranked.count < RankLimits.runsMax else { return nil }
    host.ranked.append(RankedRun(run: run))
    return host.ranked.count - 1
  }

  /// Rows of a file that are new.
  func noteRankRows(_ steps: ArraySlice<TrainingStep>, _ entity: Int, _ file: FileIdentity, _ host: inout HostState) {
    guard !stragglerRules.isEmpty, let name = steps.last?.run else { return }
    let rank = file.rank
    // Files of which no rank is known stand for their host in its job.
    guard rank != nil || !host.ranked.isEmpty, let run = host.known(.run, name),
      let place = rankedRun(run, &host, makes: rank != nil),
      rank != nil || host.ranked[place].job != 0,
      let track = host.ranked[place].track(entity, rank: rank, shape: file.shape, inode: file.inode)
    else { return }
    host.ranked[place].note(offsetNs: host.offsetNs)
    let offsetNs = host.ranked[place].offsetNs
    for step in steps where step.run == name && (0...RuleLimits.timeNsMax).contains(step.timeNs) {
      let timeNs = min(max(0, step.timeNs.addingClamped(offsetNs)), arrivedNs)
      host.ranked[place].tracks[track].add(step, timeNs: timeNs, nowNs: arrivedNs)
    }
  }

  // MARK: the comparison

  /// Compares all ranks with each other, and judges the rules that ask for it.
  func compareRanks(_ nowNs: Int64) {
    if stragglerRules.isEmpty || nowNs.subtractingClamped(comparedNs) < RankLimits.compareNs { return }
    comparedNs = nowNs
    let cells = hosts.values.filter { !$0.state.ranked.isEmpty }.sorted {
      ($0.state.id.high, $0.state.id.low) < ($1.state.id.high, $1.state.id.low)
    }
    var found: [RankPlace: [(RankDeviation, RankComparison)]] = [:]
    for group in rankGroups(cells, nowNs) {
      guard let comparison = RankComparison(group, nowNs: nowNs) else { continue }
      for peer in comparison.level() {
        let (host, run, file) = (group[peer].host, group[peer].run, group[peer].track.file)
        let tracks = cells[host].state.ranked[run].tracks
        guard let track = tracks.firstIndex(where: { $0.file == file }) else { continue }
        cells[host].state.ranked[run].tracks[track].noteLevel()
      }
      let deviations = comparison.deviations()
      for peer in group { found[RankPlace(peer), default: []] += [] }
      for deviation in deviations {
        found[RankPlace(group[deviation.peer]), default: []].append((deviation, comparison))
      }
    }
    for (rule, node) in stragglerRules { judgeStragglers(rule, node, cells, found, nowNs) }
  }

  /// Ranks whose way is known, those of one run together.
  private func rankGroups(_ cells: [HostCell], _ nowNs: Int64) -> [[RankPeer]] {
    var groups: [UInt64: [RankPeer]] = [:]
    for (place, cell) in cells.enumerated() where areRanksCurrent(cell.state, nowNs) {
      for (number, ranked) in cell.state.ranked.enumerated() where !cell.state.entities[ranked.run].hasEnded {
        let hasRanks = ranked.tracks.contains { $0.rank != nil }
        if !hasRanks, ranked.job == 0 { continue }
        for track in ranked.tracks where (track.rank != nil) == hasRanks && track.isWarm(nowNs) {
          var key = ContentHash()
          let words: [UInt64] =
            ranked.job != 0
            ? [ranked.job, track.shape] : [cell.state.id.high, cell.state.id.low, UInt64(ranked.run), track.shape]
          for word in words {
            for shift in 0..<8 { key.update(UInt8(truncatingIfNeeded: word >> (8 * UInt64(shift)))) }
          }
          groups[key.value, default: []].append(RankPeer(host: place, run: number, track: track))
        }
      }
    }
    return groups.values.map { Self.withoutCopies($0, cells) }
  }

  /// What its last report says is what is: the host is live, judged here, and sends no backlog.
  private func areRanksCurrent(_ host: borrowing HostState, _ nowNs: Int64) -> Bool {
    !host.isElsewhere && nowNs.subtractingClamped(host.arrivedNs) <= RuleLimits.liveNs
      && (host.lateNs == 0 || nowNs.subtractingClamped(host.lateNs) > RuleLimits.lateQuietNs)
  }

  /// One track of each rank of a host: the newest, as after a rotation. Of hosts that mount one file system, and all read the same files, the
  /// host on which the rank runs counts, else the one that has read most.
  private static func withoutCopies(_ peers: [RankPeer], _ cells: [HostCell]) -> [RankPeer] {
    func isOwn(_ peer: RankPeer) -> Bool {
      peer.track.rank.map { cells[peer.host].state.ranked[peer.run].ranks.contains($0) } ?? false
    }
    func isBetter(_ a: RankPeer, _ b: RankPeer) -> Bool {
      (isOwn(a) ? 1 : 0, a.track.latest.step, a.track.arrivedNs) > (
        isOwn(b) ? 1 : 0, b.track.latest.step, b.track.arrivedNs
      )
    }
    var kept: [RankPeer] = []
    var places: [RankName: Int] = [:]
    for peer in peers {
      let names = [
        RankName(host: peer.host, rank: peer.track.rank, inode: 0),
        RankName(host: -1, rank: peer.track.rank, inode: peer.track.inode),
      ].filter { $0.host >= 0 || $0.inode != 0 }
      let known = names.lazy.compactMap { places[$0] }.first
      let place = known ?? kept.count
      if known == nil { kept.append(peer) } else if isBetter(peer, kept[place]) { kept[place] = peer }
      for name in names { places[name] = place }
    }
    return kept
  }

  private func judgeStragglers(
    _ rule: CompiledRule, _ node: Int, _ cells: [HostCell],
    _ found: [RankPlace: [(deviation: RankDeviation, comparison: RankComparison)]], _ nowNs: Int64
  ) {
    let (limit, behindNs) = (rule.nodes[node].limit, rule.nodes[node].windowNs)
    // Of one job one host is named: the one that is open or under way already, else the worst.
    var named: [UInt64: (weight: (Int, Double), place: RankPlace)] = [:]
    var worst: [RankPlace: (RankDeviation, RankComparison, Int)] = [:]
    for (place, all) in found {
      let behind = all.filter { $0.deviation.exceeds(limit, behindNs: behindNs) }
      guard let first = behind.max(by: { $0.deviation.weight < $1.deviation.weight }) else { continue }
      worst[place] = (first.deviation, first.comparison, behind.count)
      let ranked = cells[place.host].state.ranked[place.run]
      guard ranked.job != 0 else { continue }
      let slots = cells[place.host].state.slots
      let isOpen = slots[SlotTable.key(rule.place, Self.openNode, ranked.run)] != nil
      let isHeld = slots[SlotTable.key(rule.place, node, ranked.run, Self.holdSub)] != nil
      let weight = (isOpen ? 2 : isHeld ? 1 : 0, first.deviation.weight)
      if let other = named[ranked.job], other.weight > weight || other.weight == weight && other.place < place {
        continue
      }
      named[ranked.job] = (weight, place)
    }
    for (host, cell) in cells.enumerated() where !cell.state.isExcluded(rule.place) {
      for run in cell.state.ranked.indices {
        let place = RankPlace(host: host, run: run)
        let job = cell.state.ranked[run].job
        let isMeant = worst[place] != nil && (job == 0 || named[job]?.place == place)
        // Of a run that has ended there is nothing left to compare, and no rank is behind.
        let isKnown = found[place] != nil || cell.state.entities[cell.state.ranked[run].run].hasEnded
        let truth: Truth = isMeant ? .yes : isKnown ? .no : .unknown
        if isMeant, let (deviation, comparison, count) = worst[place] {
          occasion = .note(text(deviation, comparison, count, cell.state, nowNs))
        }
        rememberStraggler(truth, rule, node, &cell.state, cell.state.ranked[run].run, nowNs)
        occasion = nil
      }
    }
  }

  private func rememberStraggler(
    _ raw: Truth, _ rule: CompiledRule, _ node: Int, _ host: inout HostState, _ entity: Int, _ nowNs: Int64
  ) {
    let isActive = host.slots.isActive(rule.place)
    if raw != .yes, !isActive { return }
    let timeNs = max(host.entities[0].markNs, nowNs.subtractingClamped(host.offsetNs))
    let held = hold(raw, node, rule.nodes[node].holdNs, rule, &host, Judgement(entity: entity, timeNs: timeNs))
    let key = SlotTable.key(rule.place, node, entity, Self.truthSub)
    if raw == .no {
      host.slots[key] = nil
    } else {
      host.slots.set(key, 0, Int64(raw.rawValue) | Int64(held.rawValue) << 8)
    }
    judge(rule, &host, because: entity, timeNs)
  }

  private func text(
    _ deviation: RankDeviation, _ comparison: RankComparison, _ count: Int, _ host: borrowing HostState, _ nowNs: Int64
  ) -> String {
    let peer = comparison.peers[deviation.peer]
    let own = host.ranked[peer.run].ranks
    let rank = peer.track.rank ?? (own.count == 1 ? own[0] : nil)
    var text = rank.map { "rank \($0)" } ?? "the ranks"
    if count > 1 { text += " and \(count - 1) more" }
    text += " on \(host.name): "
    let others = "the other \(deviation.others) \(peer.track.rank == nil ? "hosts" : "ranks")"
    if deviation.quietSinceNs > 0 {
      let quiet = TimeSpan.text(nowNs.subtractingClamped(deviation.quietSinceNs) / 1_000_000_000 * 1_000_000_000)
      return text + "no step for \(quiet), while \(others) went on by \(deviation.stepsBehind) steps"
    }
    if deviation.figureFactor > 1, deviation.figureFactor >= deviation.weight {
      return text + "its steps take \(Self.times(deviation.figureFactor)) times as long as those of \(others) "
        + "(\(peer.track.figure.name))"
    }
    let behind = TimeSpan.text(deviation.behindNs / 1_000_000_000 * 1_000_000_000)
    text += "\(behind) and \(deviation.stepsBehind) steps behind \(others)"
    return deviation.paceFactor.isNaN
      ? text : text + "; its steps take \(Self.times(deviation.paceFactor)) times as long"
  }

  private static func times(_ factor: Double) -> String {
    "\((min(factor, 1e6) * 100).rounded() / 100)"
  }
}

/// A run of a host, among the hosts at hand.
private struct RankPlace: Hashable, Comparable {
  let host: Int
  let run: Int

  init(host: Int, run: Int) { (self.host, self.run) = (host, run) }
  init(_ peer: RankPeer) { (host, run) = (peer.host, peer.run) }

  static func < (a: RankPlace, b: RankPlace) -> Bool { (a.host, a.run) < (b.host, b.run) }
}

private struct RankName: Hashable {
  let host: Int
  let rank: Int32?
  let inode: UInt64
}

extension FileIdentity {
  /// Of its path without numbers: the same of all ranks' files of one kind. Names of event files hold times and hosts.
  fileprivate var shape: UInt64 {
    var end = Array(path.utf8)[...]
    if format == .eventFile, let slash = end.lastIndex(of: UInt8(ascii: "/")) { end = end[..<slash] }
    var hash = ContentHash()
    var wasDigit = false
    for byte in end {
      let isDigit = ASCII.isDigit(byte)
      if !isDigit || !wasDigit { hash.update(isDigit ? UInt8(ascii: "0") : byte) }
      wasDigit = isDigit
    }
    return hash.value
  }

  /// Which rank writes it, by its path: `rank_3.log`, `local_rank_3/…`, `attempt_0/3/stdout.log` of torch.distributed. Workers and nodes may
  /// do anything beside each other, such as trials of a search.
  var rank: Int32? {
    let bytes = Array(path.utf8).map(ASCII.lower)
    let word = Array("rank".utf8)
    var at = bytes.count - word.count
    while at > 0 {
      if bytes[at] == word[0], bytes[at..<at + word.count].elementsEqual(word), !ASCII.isLetter(bytes[at - 1]) {
        let rest = bytes[(at + word.count)...]
        return Self.number(rest.first.map { "_-".utf8.contains($0) } ?? false ? rest.dropFirst() : rest)
      }
      at -= 1
    }
    let parts = bytes.split(separator: UInt8(ascii: "/"))
    guard let attempt = parts.lastIndex(where: { $0.starts(with: "attempt_".utf8) }), attempt + 1 < parts.count,
      parts[attempt + 1].allSatisfy(ASCII.isDigit)
    else { return nil }
    return Self.number(parts[attempt + 1])
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> Int32? {
    let digits = bytes.prefix { ASCII.isDigit($0) }
    return digits.count <= 9 ? Int32(String(decoding: digits, as: UTF8.self)) : nil
  }
}
