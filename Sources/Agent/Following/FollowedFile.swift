internal import FleetModel

/// One generation of one followed file, and how far it was read.
final class FollowedFile {
  enum Phase: Equatable {
    case following
    /// It repeats another that is followed: not read as long as that one is there.
    case copy(of: FileKey)
    /// Its bytes are gone: what is left is to report so, once all before is committed.
    case lost(Loss)
    /// The last delta has been handed out; its commit ends this file.
    case finishing
  }

  struct Node: Hashable {
    var device: UInt64
    var inode: UInt64
  }

  /// Bytes before an offset that the tail hash covers.
  static let tailBytes: UInt64 = 64
  static let headBytes = 1024

  var identity: FileIdentity
  var phase = Phase.following
  var handle: FileHandle?
  /// The loss that its last delta reported: to be reported again where that delta did not arrive.
  var reportedLoss: Loss?
  /// A name under which the patterns find it now; nil: renamed away or deleted.
  var path: String?
  /// Next byte to read, and the hash of what lies before it.
  var offset: UInt64 = 0
  var tailHash = ContentHash().value
  /// What the collector has acknowledged.
  var committed: UInt64 = 0
  var readTimes = ReadTimes()
  var size: UInt64 = 0
  var modifiedNs: Int64 = 0
  /// Its time of change when the bytes before the offset were last found unchanged.
  var checkedModifiedNs: Int64 = -1
  var links: UInt32 = 1
  /// User id of its owner, who has a share of the places.
  var owner: UInt32 = 0
  /// Its names, as `Followers.byPath` has them.
  var names: [String] = []
  /// No text, by its first bytes.
  var content = BinaryContent.Kind.text
  /// Length of the file when nothing but NULs was found behind the offset: there is nothing to read while it is so long.
  var holeEnd: UInt64 = 0
  /// What `--from` leaves out before `skipped`, to be reported with it.
  var leftOut: Loss?
  /// When it was last seen to be longer than before.
  var grownNs: Int64
  var lookedNs: Int64
  /// Bytes per second it grew by when it last grew.
  var growthRate = 0.0
  /// End of the whole lines that its reader holds back, and when the last of them was seen. A progress bar that is drawn behind them makes
  /// the file grow, but not the record.
  private(set) var heldRecord: (end: UInt64, sinceNs: Int64) = (0, 0)
  /// By how much it last grew: so much may be written at once again.
  var grownBytes: UInt64 = 0
  /// The block that buffered writers write at once.
  private static let blockBytes: UInt64 = 4096
  var detachedNs: Int64 = 0
  var usedNs: Int64 = 0
  var reader: (any FormatReader)?
  /// Of a database, instead of a reader.
  var database: TrackioDatabase?
  /// That its database is damaged was reported.
  var isDamageReported = false
  /// Of a generation that was written over: reports what follows from its end, also where that must be reported again.
  var ending: (any FormatReader)?
  /// Its format is known: from its mark, or from its first line.
  var isFormatKnown = false
  /// The file that had this name before; a record may go on from there.
  var predecessor: FileKey?
  /// What lies before was sent under another key.
  var skipped: (to: UInt64, tailHash: UInt64) = (0, ContentHash().value)
  /// The collector needs a delta that skips everything before `skipped`: a restart would read it again.
  var reportsSkip = false
  var isSkipReported = false
  /// The next line is longer than a usual chunk; so much must be read at once to see its end, or that it is too long. 0: it is not.
  var longLineBytes = 0
  var isQueued = false
  var isUrgent = false
  var isHeld = false
  var heldUntilNs: Int64 = 0
  var scan: UInt64 = 0
  /// When the bytes before the offset were first found to be others, and what the look before that saw; nil: they are the same.
  var changed: (sinceNs: Int64, before: FileLook)?
  /// When rows of it were last read; 0: not by this process.
  var readNs: Int64 = 0
  /// Who wrote to it has closed it since it last grew.
  var isClosed = false
  /// The end of its run was reported, and no row has come since.
  var isEndReported = false
  /// Of a history: it was looked through for what was reported of its run.
  var isHistorySearched = false
  /// Where its content says more of its run than its path; nil: not looked at.
  var place: RunPlace?
  /// The last run that was reported of it.
  var run: String?
  /// It states that its run has ended.
  var statesEnd = false
  /// The collector has everything that was reported of it: it has a mark, or an ack came.
  var isKnownCentrally = false

  init(_ identity: FileIdentity, nowNs: Int64) {
    self.identity = identity
    grownNs = nowNs
    lookedNs = nowNs
    usedNs = nowNs
  }

  var key: FileKey { identity.key }
  /// Followed, or left alone as a copy of another: in either case not at its end.
  var isUntouched: Bool {
    switch phase {
    case .following, .copy: true
    case .lost, .finishing: false
    }
  }
  /// Something of it was handed out, or sent by an earlier agent.
  var isReported: Bool { isKnownCentrally || isSkipReported || offset > skipped.to }
  var node: Node { Node(device: identity.device, inode: identity.inode) }
  var unread: UInt64 { hasUnread ? size - offset : 0 }
  /// Of a database, whose offset is none of its bytes, it is not known before a look.
  private var hasUnread: Bool {
    phase == .following && size > offset && size != holeEnd && !identity.format.isDatabase
  }
  var tailLength: Int { Int(min(Self.tailBytes, offset)) }

  func note(_ status: FollowedStatus, nowNs: Int64) {
    if status.sizeBytes > size {
      let elapsed = max(1_000_000, nowNs - lookedNs)
      grownBytes = status.sizeBytes - size
      growthRate = Double(grownBytes) / (Double(elapsed) / 1e9)
      grownNs = nowNs
    }
    size = status.sizeBytes
    modifiedNs = status.modifiedNs
    links = status.links
    owner = status.owner
    lookedNs = nowNs
  }

  func noteHeldRecord(end: UInt64) {
    if heldRecord.end != end { heldRecord = (end, grownNs) }
  }

  /// The wall clock was set: what was so many seconds ago before it is so still.
  func clockStepped(by stepNs: Int64) {
    grownNs &+= stepNs
    lookedNs &+= stepNs
    detachedNs &+= stepNs
    usedNs &+= stepNs
    changed?.sinceNs &+= stepNs
    heldUntilNs &+= stepNs
    heldRecord.sinceNs &+= stepNs
    database?.clockStepped(by: stepNs)
  }

  /// What the last look saw.
  func look(nowNs: Int64) -> FileLook { FileLook(size: size, growth: growth(until: nowNs)) }

  /// Bytes that may have come between the last look and `nowNs`; none for a file that had been quiet.
  private func growth(until nowNs: Int64) -> UInt64 {
    guard growthRate > 0, lookedNs - grownNs < 2_000_000_000 else { return 0 }
    let bytes = 2 * growthRate * Double(max(0, nowNs - lookedNs)) / 1e9 + Double(min(grownBytes, Self.blockBytes))
    // A training file's rows come one by one: between two looks it got no more of them than in all its life.
    return UInt64(min(bytes, identity.format == .log ? 1e12 : Double(size)))
  }

  /// Goes on from a mark. Of what was read since, only the times are kept.
  func rewind(to offset: UInt64, tailHash: UInt64) {
    self.offset = offset
    self.tailHash = tailHash
    committed = offset
    readTimes.drop(before: offset)
    reader = nil
    // It knows what was read behind the mark as well.
    database = nil
    checkedModifiedNs = -1
    changed = nil
    holeEnd = 0
    heldRecord = (0, 0)
    isEndReported = false
    if phase == .finishing { phase = reportedLoss.map(Phase.lost) ?? .following }
    if case .lost(var loss) = phase {
      loss.from = offset
      loss.to = max(loss.to, offset)
      phase = .lost(loss)
    }
  }
}

/// What was seen of a generation before it was gone: from this its loss is estimated.
struct FileLook {
  var size: UInt64
  /// Bytes that may have come after the look.
  var growth: UInt64
}

/// A finished file, kept in mind for a while.
struct RetiredFile {
  var node: FollowedFile.Node
  var birthNs: Int64
  var key: FileKey
  var path: String
  var offset: UInt64
  var tailHash: UInt64
}
