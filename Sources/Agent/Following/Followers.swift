package import FleetModel

/// Follows log and training files to their last byte: what is read goes out as deltas, each byte range once and in order,
/// and what cannot be read any more goes out as a loss.
///
/// Single-threaded and without a clock: time comes with each call, everything else through `FollowedFileSystem`, so that
/// the simulation can run it. Memory is one read buffer and some hundred bytes a file, whatever the backlog.
package final class Followers: DeltaSource {
  let fileSystem: any FollowedFileSystem
  let readers: FormatReaders
  let limits: FollowingLimits
  let makeKey: () -> FileKey
  private(set) var patterns: [GlobPattern] = []
  /// Paths that were closed, by who wrote to them, before the scan that finds them.
  private(set) var closed: Set<String> = []

  /// In the order in which they were found.
  var files: [FollowedFile] = []
  var byKey: [FileKey: FollowedFile] = [:]
  var byNode: [FollowedFile.Node: FollowedFile] = [:]
  var byPath: [String: FollowedFile] = [:]
  var retired: [RetiredFile] = []
  /// Those with something to read, or to say; one delta each in turn.
  private var ready: [FollowedFile] = []
  private var held: [FollowedFile] = []
  /// The only large buffer: a file's next bytes.
  var buffer: [UInt8] = []
  var openCount = 0
  var scanNumber: UInt64 = 0
  private var nextScanNs = Int64.min
  private var lastScanNs = Int64.min
  private var lastNowNs = Int64.min
  /// Found, but beyond `limits.files`.
  package internal(set) var unfollowedTotal: UInt64 = 0
  /// Losses told so far.
  package internal(set) var lossesTotal: UInt64 = 0

  /// - Parameter makeKey: random keys, never the same twice.
  package init(
    fileSystem: any FollowedFileSystem, readers: FormatReaders, limits: FollowingLimits = FollowingLimits(),
    makeKey: @escaping () -> FileKey
  ) {
    self.fileSystem = fileSystem
    self.readers = readers
    self.limits = limits
    self.makeKey = makeKey
  }

  /// What to follow from now on; files found by earlier patterns are read to their end.
  /// - Parameter patterns: absolute, as in glob(7) and with `**`.
  package func follow(_ patterns: [String]) {
    self.patterns = patterns.map(GlobPattern.init)
    nextScanNs = Int64.min
  }

  package var followedCount: Int { files.count }
  package var refusedTotal: UInt64 { fileSystem.refusedTotal }
  package var backlogBytes: UInt64 { files.reduce(0) { $0 + $1.unread } }

  /// When `nextDelta` may have something new even if nothing changes outside; nil before the first tick.
  package var nextDeadlineNs: Int64? {
    guard nextScanNs != Int64.min else { return nil }
    return held.reduce(nextScanNs) { min($0, $1.heldUntilNs) }
  }

  // MARK: DeltaSource

  package func nextDelta(byteBudget: Int, nowNs: Int64) -> FileDelta? {
    tick(nowNs: nowNs)
    // A file that has nothing after all is taken from the queue, so this ends.
    var tries = ready.count + files.count
    while !ready.isEmpty, tries > 0 {
      tries -= 1
      let file = ready.removeFirst()
      file.isQueued = false
      if let delta = delta(of: file, byteBudget: byteBudget, nowNs: nowNs) {
        lossesTotal += UInt64(delta.losses.count)
        return delta
      }
    }
    return nil
  }

  package func committed(_ file: FileKey, offset: UInt64) {
    guard let file = byKey[file] else { return }
    file.committed = max(file.committed, offset)
    file.isKnownCentrally = true
    if file.phase == .finishing, offset >= file.offset {
      // A writer that still has it open may have added to it meanwhile.
      guard let handle = file.handle, let status = fileSystem.status(of: handle), status.sizeBytes > file.offset else {
        return forget(file)
      }
      goOnUnderNewKey(file)
    }
    if case .lost = file.phase { enqueue(file) }
  }

  /// The collector has closed the old key's book: it keeps no mark to go on from.
  private func goOnUnderNewKey(_ file: FollowedFile) {
    let (offset, tailHash) = (file.offset, file.tailHash)
    byKey[file.key] = nil
    file.identity.key = makeKey()
    file.rewind(to: offset, tailHash: tailHash)
    skip(file, to: offset, tailHash: tailHash)
    file.committed = 0
    file.isKnownCentrally = false
    file.isSkipTold = false
    byKey[file.key] = file
    enqueue(file)
  }

  /// Looks at what has changed outside. `nextDelta` does this too.
  package func tick(nowNs: Int64) {
    // Looks are seconds apart; a step beyond that is the clock's, or the host slept.
    if lastNowNs != .min, nowNs < lastNowNs || nowNs - lastNowNs > Self.clockStepNs {
      clockStepped(by: nowNs - lastNowNs)
    }
    lastNowNs = nowNs
    let changes = fileSystem.takeChanges()
    note(changes)
    if changes.isStructural { nextScanNs = min(nextScanNs, max(nowNs, lastScanNs &+ limits.scanAfterChangeNs)) }
    if nowNs >= nextScanNs {
      lastScanNs = nowNs
      nextScanNs = nowNs + limits.scanEveryNs
      scan(nowNs: nowNs)
      closed.removeAll()
    }
    releaseHeld(nowNs: nowNs)
  }

  private func note(_ changes: FollowedChanges) {
    for path in changes.modified {
      if !closed.isEmpty { closed.remove(path) }
      guard let file = byPath[path] else { continue }
      file.isClosed = false
      enqueue(file)
    }
    for path in changes.closed {
      guard let file = byPath[path] else {
        if closed.count < limits.files { closed.insert(path) }
        continue
      }
      file.isClosed = true
      if file.identity.format != .log { enqueue(file) }
    }
  }

  private static let clockStepNs: Int64 = 60_000_000_000

  /// The wall clock was set: what was so many seconds ago before it is so still.
  private func clockStepped(by stepNs: Int64) {
    if nextScanNs != .min { nextScanNs = min(nextScanNs &+ stepNs, lastNowNs &+ stepNs) }
    if lastScanNs != .min { lastScanNs &+= stepNs }
    for file in files {
      file.grownNs &+= stepNs
      file.lookedNs &+= stepNs
      file.detachedNs &+= stepNs
      file.usedNs &+= stepNs
      file.changed?.sinceNs &+= stepNs
      file.heldUntilNs &+= stepNs
    }
  }

  private func releaseHeld(nowNs: Int64) {
    guard held.contains(where: { $0.heldUntilNs <= nowNs }) else { return }
    for file in held where file.heldUntilNs <= nowNs {
      file.isHeld = false
      enqueue(file)
    }
    held.removeAll { !$0.isHeld }
  }

  // MARK: Queues

  func enqueue(_ file: FollowedFile) {
    guard !file.isQueued else { return }
    file.isQueued = true
    ready.append(file)
  }

  /// Looks at the file again at `untilNs`, or when it changes.
  func hold(_ file: FollowedFile, untilNs: Int64) {
    file.heldUntilNs = untilNs
    guard !file.isHeld else { return }
    file.isHeld = true
    held.append(file)
  }

  func clearQueues() {
    for file in files {
      file.isQueued = false
      file.isHeld = false
    }
    ready.removeAll()
    held.removeAll()
  }

  // MARK: Files

  func bufferHash(_ range: Range<Int>) -> UInt64 {
    let bytes = buffer
    return ContentHash.of(bytes.span.extracting(range))
  }

  func newIdentity(path: String, status: FollowedStatus, generation: UInt32) -> FileIdentity {
    var identity = FileIdentity(key: makeKey(), path: path)
    identity.device = status.device
    identity.inode = status.inode
    identity.birthNs = status.birthNs
    identity.generation = generation
    return identity
  }

  func add(_ file: FollowedFile) {
    files.append(file)
    byKey[file.key] = file
  }

  /// Nothing more will be said of it.
  func forget(_ file: FollowedFile) {
    let sentBytes = file.toldLoss?.from ?? file.offset
    if file.phase == .finishing, sentBytes > 0 {
      if retired.count >= limits.retired { retired.removeFirst() }
      retired.append(
        RetiredFile(
          node: file.node, birthNs: file.identity.birthNs, key: file.key, path: file.identity.path,
          offset: sentBytes, tailHash: file.tailHash))
    }
    close(file)
    remove(file)
  }

  func remove(_ file: FollowedFile) {
    files.removeAll { $0 === file }
    ready.removeAll { $0 === file }
    held.removeAll { $0 === file }
    if byKey[file.key] === file { byKey[file.key] = nil }
    if byNode[file.node] === file { byNode[file.node] = nil }
    // A file may have several names.
    for path in byPath.filter({ $0.value === file }).keys { byPath[path] = nil }
  }

  func close(_ file: FollowedFile) {
    guard let handle = file.handle else { return }
    fileSystem.close(handle)
    file.handle = nil
    openCount -= 1
  }
}
