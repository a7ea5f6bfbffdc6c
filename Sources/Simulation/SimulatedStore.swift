internal import FleetModel
internal import Store

/// The database as the collectors rely on it: `fence` and `commit` of `FleetModel/Commit.swift`, each one transaction.
///
/// Rows are kept as what the model check needs of them.
final class SimulatedStore {
  struct StoredLine {
    var host: HostID
    var file: FileKey
    var path: String
    var offset: UInt64
    var advance: UInt32
    var flags: LineFlags
    var text: [UInt8]
  }

  struct StoredLoss {
    var host: HostID
    /// Of a spool's loss; nil for a file's.
    var spool: SpoolID?
    var file: FileKey?
    var loss: Loss
  }

  /// As the tables of epochs, lanes and files have them.
  private var marks = Marks()
  private var identities: [FileKey: (file: FileIdentity, tailHash: UInt64)] = [:]
  /// Samples by their id, and how often each was stored.
  private(set) var samples: [Int64: Int] = [:]
  private(set) var lines: [StoredLine] = []
  private(set) var losses: [StoredLoss] = []
  private(set) var commits = 0
  /// The rules' states, by host, and what they hold.
  private(set) var states: [Int32: SavedRuleState] = [:]
  private(set) var modelStates: [Int32: ModelRuleState] = [:]
  /// Findings of the rules, as incidents of the database.
  private(set) var findings: Set<ModelFinding> = []
  /// What of the states is wrong, as soon as it is.
  private(set) var stateFault: String?

  /// Keys under which an inode's content was ever reported.
  func keys(inode: UInt64, birthNs: Int64, of host: HostID) -> [FileKey] {
    marks.files.keys.filter { key in
      guard key.host == number(host), let file = identities[key.key]?.file else { return false }
      return file.inode == inode && file.birthNs == birthNs
    }.map(\.key)
  }

  /// Where the last of the keys ended; nil while one of them is still followed.
  func endOffset(_ keys: [FileKey], of host: HostID) -> UInt64? {
    let positions = keys.compactMap { marks.files[Marks.FileOfHost(host: number(host), key: $0)] }
    return positions.allSatisfy(\.isFinished) ? positions.map(\.offset).max() : nil
  }

  /// Whether a copied generation is finished.
  func isEnded(_ copy: CopiedLines, of host: HostID) -> Bool {
    let keys = keys(inode: copy.inode, birthNs: copy.birthNs, of: host)
    return !keys.isEmpty && endOffset(keys, of: host) != nil
  }

  /// How far a copied generation is committed.
  func committed(_ copy: CopiedLines, of host: HostID) -> UInt64 {
    keys(inode: copy.inode, birthNs: copy.birthNs, of: host)
      .compactMap { marks.files[Marks.FileOfHost(host: number(host), key: $0)]?.offset }.max() ?? 0
  }

  private func number(_ host: HostID) -> Int32 { Int32(truncatingIfNeeded: host.low) }

  func fence(_ host: HostID, spool: SpoolID) -> Fence {
    let number = number(host)
    let epoch = (marks.epochs[number] ?? 0) + 1
    marks.epochs[number] = epoch
    let lanes = Lane.allCases.compactMap { lane in
      marks.lanes[Marks.LaneKey(host: number, spool: spool, lane: lane)].map { LaneMark(lane: lane, sequence: $0) }
    }
    let page = page(number, after: 0)
    var fence = Fence(
      hostNumber: number, hostName: "host", epoch: epoch, lanes: lanes, files: page.files, isSuspectedClone: false)
    fence.moreFilesAfter = page.moreAfter
    fence.ruleState = states[number]
    return fence
  }

  func marks(_ host: HostID, after: Int64) -> FileMarkPage { page(number(host), after: after) }

  /// Small, so that a host with a handful of files has several.
  private static let pageFiles = 2

  private func page(_ host: Int32, after: Int64) -> FileMarkPage {
    let open = marks.files.filter { $0.key.host == host && !$0.value.isFinished }.sorted { $0.key.key < $1.key.key }
    let rest = open.dropFirst(Int(after))
    let files = rest.prefix(Self.pageFiles).compactMap { key, position in
      identities[key.key].map { FileMark(file: $0.file, offset: position.offset, tailHash: $0.tailHash) }
    }
    return FileMarkPage(files: files, moreAfter: rest.count > Self.pageFiles ? after + Int64(Self.pageFiles) : nil)
  }

  /// One transaction: what fits is stored and the marks move, as the real store's plan decides.
  func commit(_ batches: [StagedBatch]) -> [CommitOutcome] {
    commits += 1
    let before = marks
    // Handed over: the plan changes it in position.
    marks = Marks()
    let plan = GroupPlan(batches, marks: before)
    marks = plan.marks
    for part in plan.spooled {
      store(batches[part.batch].batch.spooled[part.index], part.clippedTo, of: batches[part.batch])
    }
    for part in plan.files {
      let staged = batches[part.batch]
      let delta = staged.batch.files[part.index]
      identities[delta.file.key] = (delta.file, delta.tailHash)
      store(delta, of: staged)
    }
    for (host, index) in plan.states.sorted(by: { $0.key < $1.key }) {
      batches[index].ruleState.map { save($0, of: host) }
    }
    checkStates(of: Set(batches.map(\.hostNumber)))
    return plan.outcomes
  }

  // MARK: Rules

  /// One transaction of paging.
  func record(_ found: [ModelFinding]) { findings.formUnion(found) }

  /// In the transaction of a commit, as the statement of the real store does it.
  func save(_ state: SavedRuleState, of host: Int32) {
    guard state.version.replaces(states[host]?.version) else { return }
    let next = ModelRuleState(state.bytes)
    checkProgress(of: host, from: states[host]?.version, to: state.version, next)
    states[host] = state
    modelStates[host] = next
  }

  private func recordFault(_ fault: @autoclosure () -> String) {
    if stateFault == nil { stateFault = fault() }
  }

  private func checkProgress(
    of host: Int32, from old: RuleStateVersion?, to new: RuleStateVersion, _ next: ModelRuleState
  ) {
    if let old, new.epoch < old.epoch || (new.epoch == old.epoch && new.sequence < old.sequence) {
      recordFault(
        "the rule state of host \(host) goes back from \(old.epoch).\(old.sequence) to \(new.epoch).\(new.sequence)")
    }
    let before = modelStates[host]
    for (key, offset) in next.offsets {
      let seen = before?.offsets[key] ?? 0
      if offset < seen { recordFault("the rule state of host \(host) goes back in a file from \(seen) to \(offset)") }
      for finding in ModelFinding.all(in: key, from: min(seen, offset), to: offset) where !findings.contains(finding) {
        recordFault("the rule state of host \(host) holds a finding at \(offset) that is not recorded")
      }
    }
    if next.lastTick > 0, !findings.contains(.tick(next.lastTick)) {
      recordFault("the rule state of host \(host) holds tick \(next.lastTick), which is not recorded")
    }
  }

  /// Committed facts have been judged, and the saved state holds the result: rules that continue from it judge no fact
  /// twice and miss none.
  private func checkStates(of hosts: Set<Int32>) {
    for (place, mark) in marks.files where hosts.contains(place.host) {
      let judged = modelStates[place.host]?.offsets[place.key] ?? 0
      if judged < mark.offset {
        recordFault("the rule state of host \(place.host) has a file judged to \(judged), committed to \(mark.offset)")
      }
    }
  }

  /// When everything has arrived: each byte was judged once.
  var restFault: String? {
    for (host, state) in modelStates.sorted(by: { $0.key < $1.key }) {
      let total = state.offsets.values.reduce(0, +)
      if state.judgedBytes != total { return "the rules of host \(host) judged \(state.judgedBytes) bytes of \(total)" }
      for (key, offset) in state.offsets {
        guard let mark = marks.files[Marks.FileOfHost(host: host, key: key)], offset > mark.offset else { continue }
        // What was judged and not committed when its file went away cannot be sent again.
        if mark.isFinished { continue }
        return "the rule state of host \(host) has a file judged to \(offset), committed to \(mark.offset)"
      }
    }
    return nil
  }

  /// Whether all that the batch has is committed.
  func holds(_ staged: StagedBatch) -> Bool {
    staged.batch.spooled.allSatisfy { part in
      let key = Marks.LaneKey(host: staged.hostNumber, spool: staged.spool, lane: part.lane)
      return part.lastSequence <= marks.lanes[key] ?? 0
    }
      && staged.batch.files.allSatisfy { delta in
        delta.to <= marks.files[Marks.FileOfHost(host: staged.hostNumber, key: delta.file.key)]?.offset ?? 0
      }
  }

  private func store(_ part: SpooledRecords, _ clippedTo: UInt64, of staged: StagedBatch) {
    for sample in part.records.hosts { samples[sample.timeNs, default: 0] += 1 }
    for var loss in part.records.losses {
      loss.from = max(loss.from, clippedTo + 1)
      losses.append(StoredLoss(host: staged.host, spool: staged.spool, file: nil, loss: loss))
    }
  }

  private func store(_ delta: FileDelta, of staged: StagedBatch) {
    var textStart = 0
    var offset = delta.lines.firstOffset
    for index in 0..<delta.lines.count {
      let textEnd = textStart + Int(delta.lines.lengths[index])
      lines.append(
        StoredLine(
          host: staged.host, file: delta.file.key, path: delta.file.path, offset: offset,
          advance: delta.lines.advances[index], flags: LineFlags(rawValue: delta.lines.flags[index]),
          text: Array(delta.lines.text[textStart..<textEnd])))
      textStart = textEnd
      offset += UInt64(delta.lines.advances[index])
    }
    for loss in delta.losses {
      losses.append(StoredLoss(host: staged.host, spool: nil, file: delta.file.key, loss: loss))
    }
  }
}
