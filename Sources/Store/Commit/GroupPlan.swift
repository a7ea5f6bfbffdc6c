package import FleetModel

/// The committed marks, as the database has them and as a group advances them.
package struct Marks: Sendable {
  package struct LaneKey: Hashable, Sendable {
    package let host: Int32
    package let spool: SpoolID
    package let lane: Lane

    package init(host: Int32, spool: SpoolID, lane: Lane) {
      self.host = host
      self.spool = spool
      self.lane = lane
    }
  }

  package struct FileOfHost: Hashable, Sendable {
    package let host: Int32
    package let key: FileKey

    package init(host: Int32, key: FileKey) {
      self.host = host
      self.key = key
    }
  }

  package struct FilePosition: Sendable {
    /// nil while the file has no row yet.
    package var number: Int32?
    package var offset: UInt64
    package var isFinished: Bool
  }

  /// Epochs of the hosts that are locked.
  package var epochs: [Int32: UInt64] = [:]
  package var lanes: [LaneKey: UInt64] = [:]
  package var files: [FileOfHost: FilePosition] = [:]
  /// How far the aggregates have been made, µs since 1970; `.min` = not at all.
  package var aggregatedUs: Int64 = .min
  /// Files without a mark whose first bytes were beyond the host's quota: what follows of them is passed over.
  package var refusedFiles: Set<FileOfHost> = []

  package init() {}
}

/// What of a group is to be stored: each batch is decided after those before it, and each as a whole.
package struct GroupPlan {
  package struct Part {
    /// Index of the batch in the group.
    package let batch: Int
    /// Of its spooled parts, or of its file deltas.
    package let index: Int
    /// Sequences up to here are committed already; only a gap record can reach over it.
    package let clippedTo: UInt64
  }

  package private(set) var marks: Marks
  package private(set) var outcomes: [CommitOutcome] = []
  package private(set) var spooled: [Part] = []
  package private(set) var files: [Part] = []
  package private(set) var movedLanes: Set<Marks.LaneKey> = []
  /// In the order in which they were first moved; the last delta of each file has its tail hash.
  package private(set) var movedFiles: [Marks.FileOfHost: (batch: Int, index: Int)] = [:]
  /// By host, the batch whose rule state is to be saved: the newest state of each.
  package private(set) var states: [Int32: Int] = [:]
  /// Streams with a batch that does not fit: what follows in them must not be acked before it.
  private var broken: Set<Int32> = []

  package init(_ group: [StagedBatch], marks: Marks) {
    self.marks = marks
    for (index, staged) in group.enumerated() {
      let outcome = decide(staged, index)
      outcomes.append(outcome)
      // A state goes with the facts that it came from: where they are not taken, it is not either.
      guard outcome == .committed || outcome == .duplicate, let state = staged.ruleState else { continue }
      let known = states[staged.hostNumber].flatMap { group[$0].ruleState?.version }
      if state.version.replaces(known) { states[staged.hostNumber] = index }
    }
  }

  var isEmpty: Bool { !outcomes.contains(.committed) && states.isEmpty }

  /// What a batch would change: nothing of it is, where one of its parts does not fit.
  private struct Change {
    var lanes: [(key: Marks.LaneKey, sequence: UInt64)] = []
    var files: [(key: Marks.FileOfHost, position: Marks.FilePosition, index: Int)] = []
    var spooled: [Part] = []
    var deltas: [Part] = []
  }

  private mutating func decide(_ staged: StagedBatch, _ index: Int) -> CommitOutcome {
    guard marks.epochs[staged.hostNumber] == staged.epoch else { return .fenced }
    if broken.contains(staged.hostNumber) { return .outOfOrder }
    var change = Change()
    for part in staged.batch.spooled.indices where !fit(staged, spooledAt: part, index, &change) {
      return breakOff(staged)
    }
    for part in staged.batch.files.indices where !fit(staged, fileAt: part, index, &change) {
      return breakOff(staged)
    }
    carryOut(change, index)
    let isNew = !change.spooled.isEmpty || !change.deltas.isEmpty
    let hasParts = !staged.batch.spooled.isEmpty || !staged.batch.files.isEmpty
    return isNew || !hasParts ? .committed : .duplicate
  }

  private mutating func breakOff(_ staged: StagedBatch) -> CommitOutcome {
    broken.insert(staged.hostNumber)
    return .outOfOrder
  }

  private mutating func carryOut(_ change: Change, _ batch: Int) {
    for (key, sequence) in change.lanes {
      marks.lanes[key] = sequence
      movedLanes.insert(key)
    }
    for (key, position, index) in change.files {
      marks.files[key] = position
      movedFiles[key] = (batch, index)
    }
    spooled += change.spooled
    files += change.deltas
  }

  /// - Returns: whether it follows what is committed, or is committed already.
  private func fit(_ staged: StagedBatch, spooledAt part: Int, _ batch: Int, _ change: inout Change) -> Bool {
    let records = staged.batch.spooled[part]
    let key = Marks.LaneKey(host: staged.hostNumber, spool: staged.spool, lane: records.lane)
    let mark = change.lanes.last { $0.key == key }?.sequence ?? marks.lanes[key] ?? 0
    guard records.lastSequence > mark else { return true }
    // A gap record may have swallowed sequences whose ack the agent never saw.
    let swallows = records.firstSequence <= mark && records.firstSequence < records.lastSequence
    guard records.firstSequence == mark + 1 || swallows else { return false }
    change.lanes.append((key, records.lastSequence))
    change.spooled.append(Part(batch: batch, index: part, clippedTo: mark))
    return true
  }

  private func fit(_ staged: StagedBatch, fileAt part: Int, _ batch: Int, _ change: inout Change) -> Bool {
    let delta = staged.batch.files[part]
    let key = Marks.FileOfHost(host: staged.hostNumber, key: delta.file.key)
    let known = change.files.last { $0.key == key }?.position ?? marks.files[key]
    if known == nil, delta.from > 0, marks.refusedFiles.contains(key) { return true }
    var position = known ?? Marks.FilePosition(number: nil, offset: 0, isFinished: false)
    if delta.to < position.offset { return true }
    guard delta.to >= delta.from else { return false }
    if delta.to == position.offset {
      // An empty delta brings nothing but the end of the file, the file itself, or how its run stands; the last may come twice.
      let isEnd = delta.isFinished && !position.isFinished
      let reportsState = !position.isFinished && delta.steps.isEmpty && !(delta.runs.isEmpty && delta.episodes.isEmpty)
      guard delta.from == delta.to, isEnd || known == nil || reportsState else { return true }
    } else if delta.from != position.offset {
      return false
    }
    position.offset = delta.to
    position.isFinished = delta.isFinished
    change.files.append((key, position, part))
    change.deltas.append(Part(batch: batch, index: part, clippedTo: 0))
    return true
  }
}
