package import FleetModel

/// What of one host's rule state has to be saved, and by whom. No I/O and no clock: the simulated fleet runs it as well.
///
/// A state is saved with the batch that changed it, in one transaction, and only by the collector that has the host's newest stream.
/// What cannot be repeated by judging the facts again is owed at once; the rest falls due now and then.
package struct RuleStateLedger: Sendable {
  /// Of the stream that the state in memory comes from; 0 = there is none in memory.
  package private(set) var epoch: UInt64 = 0
  /// That stream is another collector's: the state is read here, and saved there alone.
  package private(set) var isBorrowed = false
  /// Number of the newest record of findings about the host: a state that holds them is saved after it is in the database.
  package private(set) var record: UInt64 = 0
  /// Changed since it was last given to a batch.
  package private(set) var isChanged = false
  private var isDue = false

  package init() {}

  /// The next batch of the host carries the state.
  package var needsSave: Bool { isDue && !isBorrowed && epoch > 0 }

  /// - Parameter sequence: of the state in memory.
  package func version(_ sequence: UInt64) -> RuleStateVersion? {
    epoch == 0 ? nil : RuleStateVersion(epoch: epoch, sequence: sequence)
  }

  /// A stream of the host begins on this collector.
  ///
  /// - Parameters:
  ///   - kept: what the database has, as the stream's fence read it: nothing of an older stream can be saved any more.
  ///   - sequence: of the state in memory.
  /// - Returns: whether the kept state is newer than the one in memory, and to be taken up.
  package mutating func streamBegan(epoch: UInt64, kept: RuleStateVersion?, sequence: UInt64) -> Bool {
    let own = version(sequence)
    let takesKept = kept?.replaces(own) ?? false
    // What was given to batches of the stream before may never have been committed: facts that come again are not judged again, so
    // that the first of them has to carry what they have changed.
    isDue = !takesKept && own != nil && (isChanged || kept != own)
    isChanged = isDue
    isBorrowed = false
    self.epoch = epoch
    return takesKept
  }

  /// The state in memory is now a copy of what another collector has saved.
  package mutating func borrowed(_ kept: RuleStateVersion) {
    epoch = kept.epoch
    isBorrowed = true
    (isChanged, isDue) = (false, false)
  }

  /// A newer stream of the host is another collector's.
  package mutating func movedAway() { isBorrowed = true }

  /// - Parameter mustSave: the same facts would not change it in the same way again, or not in time.
  package mutating func changed(mustSave: Bool) {
    isChanged = true
    if mustSave { isDue = true }
  }

  /// A batch of the host has been judged, and its findings are recorded under `found`.
  ///
  /// - Parameters:
  ///   - isUrgent: it changed what must be kept.
  ///   - maySave: nothing that the state holds waits for more than the database.
  /// - Returns: whether the batch carries the state, and after which record it passes: a state holds what ticks have found, too.
  package mutating func judged(
    isUrgent: Bool, hasFindings: Bool, maySave: Bool = true
  ) -> (carries: Bool, after: UInt64) {
    changed(mustSave: isUrgent)
    let carries = needsSave && maySave
    if carries { carried() }
    return (carries, carries || hasFindings ? record : 0)
  }

  package mutating func fellDue() { if isChanged { isDue = true } }
  package mutating func found(_ record: UInt64) { self.record = max(self.record, record) }

  /// The state, with all that it holds, has been given to a batch.
  package mutating func carried() { (isChanged, isDue) = (false, false) }
}
