package import FleetModel

/// How far things are committed, as the database says and as a group moves it on.
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

  package struct FilePlace: Sendable {
    /// nil while the file has no row yet.
    package var number: Int32?
    package var offset: UInt64
    package var isFinished: Bool
  }

  /// Epochs of the hosts that are locked.
  package var epochs: [Int32: UInt64] = [:]
  package var lanes: [LaneKey: UInt64] = [:]
  package var files: [FileOfHost: FilePlace] = [:]

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
  /// In the order in which they were first moved; the last delta of each file tells its tail hash.
  package private(set) var movedFiles: [Marks.FileOfHost: (batch: Int, index: Int)] = [:]
  /// Streams with a batch that does not fit: what follows in them must not be acked before it.
  private var broken: Set<Int32> = []

  package init(_ group: [StagedBatch], marks: Marks) {
    self.marks = marks
    for (index, staged) in group.enumerated() { outcomes.append(decide(staged, index)) }
  }

  var isEmpty: Bool { !outcomes.contains(.committed) }

  private mutating func decide(_ staged: StagedBatch, _ index: Int) -> CommitOutcome {
    guard marks.epochs[staged.hostNumber] == staged.epoch else { return .fenced }
    if broken.contains(staged.hostNumber) { return .outOfOrder }
    let before = self
    var hasNew = false
    for part in staged.batch.spooled.indices {
      switch fit(staged, spooledAt: part, index) {
      case .fits: hasNew = true
      case .known: break
      case .gap: return breakOff(before, staged)
      }
    }
    for part in staged.batch.files.indices {
      switch fit(staged, fileAt: part, index) {
      case .fits: hasNew = true
      case .known: break
      case .gap: return breakOff(before, staged)
      }
    }
    let hasParts = !staged.batch.spooled.isEmpty || !staged.batch.files.isEmpty
    return hasNew || !hasParts ? .committed : .duplicate
  }

  private mutating func breakOff(_ before: GroupPlan, _ staged: StagedBatch) -> CommitOutcome {
    self = before
    broken.insert(staged.hostNumber)
    return .outOfOrder
  }

  private enum Fit { case fits, known, gap }

  private mutating func fit(_ staged: StagedBatch, spooledAt part: Int, _ batch: Int) -> Fit {
    let records = staged.batch.spooled[part]
    let key = Marks.LaneKey(host: staged.hostNumber, spool: staged.spool, lane: records.lane)
    let mark = marks.lanes[key] ?? 0
    guard records.lastSequence > mark else { return .known }
    // A gap record may have swallowed sequences whose ack the agent never saw.
    let swallows = records.firstSequence <= mark && records.firstSequence < records.lastSequence
    guard records.firstSequence == mark + 1 || swallows else { return .gap }
    marks.lanes[key] = records.lastSequence
    movedLanes.insert(key)
    spooled.append(Part(batch: batch, index: part, clippedTo: mark))
    return .fits
  }

  private mutating func fit(_ staged: StagedBatch, fileAt part: Int, _ batch: Int) -> Fit {
    let delta = staged.batch.files[part]
    let key = Marks.FileOfHost(host: staged.hostNumber, key: delta.file.key)
    var place = marks.files[key] ?? Marks.FilePlace(number: nil, offset: 0, isFinished: false)
    let isEnd = delta.isFinished && !place.isFinished
    if delta.to < delta.from || delta.to < place.offset { return delta.to < place.offset ? .known : .gap }
    if delta.to == place.offset {
      // An empty delta brings nothing but the end of the file, the file itself, or how its run stands; the last is the same told twice.
      let isNew = place.number == nil && marks.files[key] == nil
      let tellsState = !place.isFinished && delta.steps.isEmpty && !(delta.runs.isEmpty && delta.episodes.isEmpty)
      guard delta.from == delta.to, isEnd || isNew || tellsState else { return .known }
    } else if delta.from != place.offset {
      return .gap
    }
    place.offset = delta.to
    place.isFinished = delta.isFinished
    marks.files[key] = place
    movedFiles[key] = (batch, part)
    files.append(Part(batch: batch, index: part, clippedTo: 0))
    return .fits
  }
}
