internal import FleetModel

/// The database as the collectors rely on it: `fence` and `commit` of `FleetModel/Commit.swift`, each one transaction.
///
/// Rows are kept as what the model check needs of them.
final class SimulatedStore {
  struct SpoolKey: Hashable {
    var host: HostID
    var spool: SpoolID
    var lane: Lane
  }

  struct FileKeyOfHost: Hashable {
    var host: HostID
    var key: FileKey
  }

  struct StoredFile {
    var identity: FileIdentity
    var offset: UInt64
    var tailHash: UInt64
    var isFinished: Bool
  }

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

  private(set) var epochs: [HostID: UInt64] = [:]
  private(set) var marks: [SpoolKey: UInt64] = [:]
  private(set) var files: [FileKeyOfHost: StoredFile] = [:]
  /// Samples by their id, and how often each was stored.
  private(set) var samples: [Int64: Int] = [:]
  private(set) var lines: [StoredLine] = []
  private(set) var losses: [StoredLoss] = []
  private(set) var commits = 0

  func fence(_ host: HostID, spool: SpoolID) -> Fence {
    let epoch = (epochs[host] ?? 0) + 1
    epochs[host] = epoch
    let lanes = Lane.allCases.compactMap { lane in
      marks[SpoolKey(host: host, spool: spool, lane: lane)].map { LaneMark(lane: lane, sequence: $0) }
    }
    let open = files.filter { $0.key.host == host && !$0.value.isFinished }.sorted { $0.key.key < $1.key.key }
    return Fence(
      hostNumber: 1, hostName: "host", epoch: epoch, lanes: lanes,
      files: open.map { FileMark(file: $0.value.identity, offset: $0.value.offset, tailHash: $0.value.tailHash) },
      isSuspectedClone: false)
  }

  /// One transaction: all of it, with what became of each batch.
  func commit(_ batches: [StagedBatch]) -> [CommitOutcome] {
    commits += 1
    return batches.map { commit($0) }
  }

  private enum Fit { case fits, duplicate, ahead }

  private func commit(_ staged: StagedBatch) -> CommitOutcome {
    guard epochs[staged.host] == staged.epoch else { return .fenced }
    // Parts of one batch may follow each other: they are checked in order against the marks as they move.
    var newMarks: [SpoolKey: UInt64] = [:]
    var newFiles: [FileKeyOfHost: StoredFile] = [:]
    var isNew = staged.batch.spooled.isEmpty && staged.batch.files.isEmpty
    var fitting: (parts: [SpooledRecords], deltas: [FileDelta]) = ([], [])
    for part in staged.batch.spooled {
      let key = SpoolKey(host: staged.host, spool: staged.spool, lane: part.lane)
      let mark = newMarks[key] ?? marks[key] ?? 0
      switch Self.fit(from: part.firstSequence - 1, to: part.lastSequence, mark: mark) {
      case .ahead: return .outOfOrder
      case .duplicate: continue
      case .fits: break
      }
      newMarks[key] = part.lastSequence
      fitting.parts.append(part)
    }
    for delta in staged.batch.files {
      let key = FileKeyOfHost(host: staged.host, key: delta.file.key)
      let stored = newFiles[key] ?? files[key]
      let isAgain = stored.map { delta.to <= $0.offset && ($0.isFinished || !delta.isFinished) } ?? false
      if isAgain, delta.from != delta.to || stored?.isFinished == true { continue }
      guard delta.from == stored?.offset ?? 0 else { return .outOfOrder }
      newFiles[key] = StoredFile(
        identity: delta.file, offset: delta.to, tailHash: delta.tailHash, isFinished: delta.isFinished)
      fitting.deltas.append(delta)
    }
    isNew = isNew || !fitting.parts.isEmpty || !fitting.deltas.isEmpty
    marks.merge(newMarks) { $1 }
    files.merge(newFiles) { $1 }
    for part in fitting.parts { store(part, of: staged) }
    for delta in fitting.deltas { store(delta, of: staged) }
    return isNew ? .committed : .duplicate
  }

  private static func fit(from: UInt64, to: UInt64, mark: UInt64) -> Fit {
    if to <= mark { return .duplicate }
    return from == mark ? .fits : .ahead
  }

  private func store(_ part: SpooledRecords, of staged: StagedBatch) {
    for sample in part.records.hosts { samples[sample.timeNs, default: 0] += 1 }
    for loss in part.records.losses {
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
