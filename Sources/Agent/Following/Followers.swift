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
  private(set) var patterns = FollowedPatterns()
  /// When each pattern was first followed, which of them no pass has gone through since, and what becomes of older files.
  private(set) var firstFollowed = FirstFollowed()
  var freshPatterns: Set<String> = []
  private(set) var from = FollowFrom.start
  /// Paths that were closed, by who wrote to them, before the pass that finds them.
  var closed: NameSet = []

  /// In the order in which they were found.
  var files: [FollowedFile] = []
  var byKey: [FileKey: FollowedFile] = [:]
  var byNode: [FollowedFile.Node: FollowedFile] = [:]
  var byPath = NameTable<FollowedFile>()
  var retired: [RetiredFile] = []
  /// Known, and without a place.
  var parked = ParkedFiles()
  /// Those with something to read, or to report; one delta each in turn.
  private(set) var ready: [FollowedFile] = []
  /// Those that were written to a moment ago and have little unread: they do not wait for a turn of thousands that have a backlog.
  private var urgent: [FollowedFile] = []
  /// Taken from `urgent` in a row.
  private var urgentTurns = 0
  private var held: [FollowedFile] = []
  /// When the first of `held` is looked at again, or some time before: no look at all of them is needed to know it. `.max` where there is none.
  package private(set) var nextHeldNs = Int64.max
  /// The only large buffer: a file's next bytes.
  var buffer: [UInt8] = []
  var openFiles: [FollowedFile] = []
  var openCount: Int { openFiles.count }
  /// Of the last look at all names, or at some.
  var scanNumber: UInt64 = 0
  /// Of the last look at all of them.
  var passNumber: UInt64 = 0
  /// The pass that is under way.
  var pass: DiscoveryPass?
  /// Chosen by the last pass, not opened yet.
  var starting: [StartingFile] = []
  /// Names that came, went or moved, to be looked at one by one.
  var changedNames: NameSet = []
  /// Of the last whole pass.
  package internal(set) var figures = FollowingFigures()
  var lastNames = 0
  /// One whole pass has been made since the start: until then a file cannot be distinguished from another's copy, or from a mark's.
  var hasListed = false
  /// Marks of a Welcome that came before that.
  private var pendingMarks: [FileMark]?
  /// The last long listing of neighbours: many files of one directory ask for it at once.
  var neighbourList: (directory: String, files: [FoundFile], untilNs: Int64)?
  var nextScanNs = Int64.min
  var lastScanNs = Int64.min
  var nextSliceNs = Int64.min
  private var nextNamesNs = Int64.min
  /// The last turn ended before every file in the queue was looked at.
  private var hasMoreLooks = false
  private(set) var lastNowNs = Int64.min
  /// By directory, the runs that were reported of files in it.
  var runsByDirectory: [String: [String]] = [:]
  /// Losses reported so far.
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
  /// - Parameters:
  ///   - patterns: absolute, as in glob(7) and with `**`.
  ///   - excluding: patterns of files that are left alone; one without a slash means a name in any directory.
  ///   - firstFollowed: when each pattern was first followed; files of a pattern that is not in it have no history.
  ///   - fresh: patterns that are followed for the first time.
  package func follow(
    _ patterns: [String], excluding: [String] = [], firstFollowed: FirstFollowed = FirstFollowed(),
    fresh: [String] = [],
    from: FollowFrom = .start
  ) {
    let wanted = FollowedPatterns(
      included: patterns.map { GlobPattern($0) }, excluded: excluding.map { GlobPattern.exclusion($0) })
    self.firstFollowed = firstFollowed
    self.from = from
    freshPatterns.formUnion(fresh)
    if wanted != self.patterns { pass = nil }
    self.patterns = wanted
    for file in files where wanted.excludes(file.path ?? file.identity.path) { exclude(file) }
    nextScanNs = Int64.min
  }

  /// Which lines of logs are rows as well, from now on.
  package func declare(_ metrics: MatchedMetrics) {
    guard readers.declare(metrics) else { return }
    // Made anew, each from the bytes before its offset.
    for file in files where file.identity.format == .log { file.reader = nil }
  }

  package var followedCount: Int { files.count }
  /// Files followed at a time.
  package var places: Int { limits.files }
  package var parkedCount: Int { parked.count }
  package var refusedTotal: UInt64 { fileSystem.refusedTotal }
  package var backlogBytes: UInt64 { files.reduce(0) { $0.addingClamped($1.unread) } }

  /// When `nextDelta` may have something new even if nothing changes outside, never before the last tick; nil before the first one.
  package var nextDeadlineNs: Int64? {
    guard lastNowNs != Int64.min else { return nil }
    if pass != nil || !starting.isEmpty || hasMoreLooks { return max(nextSliceNs, lastNowNs) }
    let scanNs = changedNames.isEmpty ? nextScanNs : min(nextScanNs, nextNamesNs)
    // What is due at once has no time of its own.
    return max(lastNowNs, min(scanNs, nextHeldNs))
  }

  // MARK: DeltaSource

  package func nextDelta(byteBudget: Int, nowNs: Int64) -> FileDelta? {
    if nowNs &- lastNowNs >= limits.sliceEveryNs || lastNowNs == .min || nowNs < lastNowNs || nextScanNs <= nowNs {
      tick(nowNs: nowNs)
    }
    guard pendingMarks == nil else { return nil }
    // A file that has nothing after all is taken from the queue; how many of them one turn may cost is bounded.
    var tries = limits.looksPerTurn
    defer { hasMoreLooks = tries == 0 && !(ready.isEmpty && urgent.isEmpty) }
    while tries > 0, let file = nextInQueue() {
      tries -= 1
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
    file.readTimes.drop(before: file.committed)
    file.isKnownCentrally = true
    file.leftOut = nil
    if file.phase == .finishing, offset >= file.offset { finished(file) }
    if case .lost = file.phase { enqueue(file) }
  }

  /// The collector has the last delta. A writer that still has the file open may have added to it meanwhile.
  func finished(_ file: FollowedFile) {
    guard !file.identity.format.isDatabase, let handle = file.handle, let status = fileSystem.status(of: handle),
      status.sizeBytes > file.offset
    else {
      return forget(file)
    }
    goOnUnderNewKey(file)
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
    file.isSkipReported = false
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
    note(fileSystem.takeChanges(), nowNs: nowNs)
    if !changedNames.isEmpty, hasListed, starting.isEmpty, nowNs >= nextNamesNs {
      nextNamesNs = nowNs + limits.scanAfterChangeNs
      lookAtChangedNames(nowNs: nowNs)
    }
    if pass == nil, starting.isEmpty, nowNs >= nextScanNs { beginPass(nowNs: nowNs) }
    if nowNs >= nextSliceNs {
      nextSliceNs = nowNs + limits.sliceEveryNs
      if pass != nil { continuePass(nowNs: nowNs) } else if !starting.isEmpty { startSome(nowNs: nowNs) }
    }
    if hasListed, starting.isEmpty, let marks = pendingMarks {
      pendingMarks = nil
      goOn(from: marks, nowNs: nowNs)
    }
    releaseHeld(nowNs: nowNs)
  }

  /// Everything un-acked is forgotten; where the files are not known yet, they go on once they are.
  package func resume(from marks: [FileMark], nowNs: Int64) {
    pendingMarks = marks
    tick(nowNs: nowNs)
  }

  private func note(_ changes: FollowedChanges, nowNs: Int64) {
    // Of few files all are looked at at once: what belongs together in a rotation is then seen together.
    let names = max(lastNames, pass?.listing.figures.names ?? 0)
    let isWhole = changes.isStructural || !changes.names.isEmpty && names <= limits.wholePassNames
    if isWhole { nextScanNs = min(nextScanNs, max(nowNs, lastScanNs &+ limits.scanAfterChangeNs)) }
    if !isWhole { for path in changes.names { remember(path, nowNs: nowNs) } }
    for path in changes.modified {
      if !closed.isEmpty { closed.remove(path) }
      guard let file = byPath[path] else {
        // It may have given its place back, or wait for one.
        if figures.matched > UInt64(files.count) { remember(path, nowNs: nowNs) }
        continue
      }
      file.isClosed = false
      enqueueUrgent(file)
    }
    for path in changes.closed.names {
      guard let file = byPath[path] else {
        if closed.count < limits.files { closed.insert(path) }
        continue
      }
      file.isClosed = true
      if file.identity.format != .log { enqueue(file) }
    }
  }

  private func remember(_ path: String, nowNs: Int64) {
    guard changedNames.count < limits.changedNames else {
      nextScanNs = min(nextScanNs, nowNs)
      return
    }
    if changedNames.isEmpty { nextNamesNs = max(nextNamesNs, nowNs) }
    changedNames.insert(path)
  }

  private static let clockStepNs: Int64 = 60_000_000_000

  /// The wall clock was set: what was so many seconds ago before it is so still.
  private func clockStepped(by stepNs: Int64) {
    if stepNs < 0 {
      firstFollowed.setBack(by: Int64(0).subtractingClamped(stepNs), nowNs: lastNowNs.addingClamped(stepNs))
    }
    if nextScanNs != .min { nextScanNs = min(nextScanNs &+ stepNs, lastNowNs &+ stepNs) }
    if lastScanNs != .min { lastScanNs &+= stepNs }
    if nextSliceNs != .min { nextSliceNs &+= stepNs }
    if nextNamesNs != .min { nextNamesNs &+= stepNs }
    neighbourList = nil
    parked.clockStepped(by: stepNs)
    for file in files { file.clockStepped(by: stepNs) }
    if nextHeldNs != .max { nextHeldNs &+= stepNs }
  }

  private func releaseHeld(nowNs: Int64) {
    guard nextHeldNs <= nowNs else { return }
    for file in held where file.heldUntilNs <= nowNs {
      file.isHeld = false
      enqueue(file)
    }
    held.removeAll { !$0.isHeld }
    nextHeldNs = held.reduce(.max) { min($0, $1.heldUntilNs) }
  }

  // MARK: Queues

  /// After so many turns of those that were written to, one is for those with a backlog.
  private static let urgentTurnsMax = 15

  private func nextInQueue() -> FollowedFile? {
    if !urgent.isEmpty, urgentTurns < Self.urgentTurnsMax || ready.isEmpty {
      urgentTurns += 1
      let file = urgent.removeFirst()
      file.isUrgent = false
      return file
    }
    urgentTurns = 0
    guard !ready.isEmpty else { return nil }
    let file = ready.removeFirst()
    file.isQueued = false
    return file
  }

  /// It was written to: its lines come before the backlog of others, unless it has one itself.
  func enqueueUrgent(_ file: FollowedFile) {
    guard file.unread <= UInt64(limits.chunkBytes) else { return enqueue(file) }
    guard !file.isUrgent else { return }
    file.isUrgent = true
    urgent.append(file)
  }

  func enqueue(_ file: FollowedFile) {
    guard !file.isQueued else { return }
    file.isQueued = true
    ready.append(file)
  }

  /// Looks at the file again at `untilNs`, or when it changes.
  func hold(_ file: FollowedFile, untilNs: Int64) {
    file.heldUntilNs = untilNs
    nextHeldNs = min(nextHeldNs, untilNs)
    guard !file.isHeld else { return }
    file.isHeld = true
    held.append(file)
  }

  func clearQueues() {
    for file in files {
      file.isQueued = false
      file.isUrgent = false
      file.isHeld = false
    }
    ready.removeAll()
    urgent.removeAll()
    held.removeAll()
    nextHeldNs = .max
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

  /// Nothing more will be reported of it.
  func forget(_ file: FollowedFile) {
    let sentBytes = file.reportedLoss?.from ?? file.offset
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
    if file.isQueued { ready.removeAll { $0 === file } }
    if file.isUrgent { urgent.removeAll { $0 === file } }
    held.removeAll { $0 === file }
    if byKey[file.key] === file { byKey[file.key] = nil }
    if byNode[file.node] === file { byNode[file.node] = nil }
    pass?.forget(file)
    for path in file.names where byPath[path] === file { byPath[path] = nil }
    file.names = []
  }

  /// The name leads to the file.
  func setName(_ path: String, _ file: FollowedFile) {
    if byPath[path] !== file { byPath[path] = file }
    if !file.names.contains(where: path.hasBytes) { file.names.append(path) }
    pass?.names[path] = file
  }

  func unsetName(_ path: String, _ file: FollowedFile) {
    if byPath[path] === file { byPath[path] = nil }
    if pass?.names[path] === file { pass?.names[path] = nil }
    file.names.removeAll(where: path.hasBytes)
  }

  func close(_ file: FollowedFile) {
    if file.handle != nil { close([file]) }
  }

  func close(_ files: [FollowedFile]) {
    for file in files {
      guard let handle = file.handle else { continue }
      fileSystem.close(handle)
      file.handle = nil
    }
    openFiles.removeAll { $0.handle == nil }
  }

  /// Another file goes on with its descriptor.
  func giveHandleAway(_ file: FollowedFile) {
    file.handle = nil
    openFiles.removeAll { $0 === file }
  }

  /// The file is open from now on.
  func opened(_ file: FollowedFile, _ handle: FileHandle) {
    file.handle = handle
    openFiles.append(file)
  }
}
