package import FleetModel

/// Decides when one host's rule state has to be saved, and whether by this collector. No I/O and no clock: the
/// simulated fleet runs it as well.
///
/// A state is saved with the batch that changed it, in one transaction, and only by the collector that has the host's
/// newest stream. A change that judging the facts again would not repeat is saved at once, others from time to time.
package struct RuleStateLedger: Sendable {
  /// Epoch of the stream that the state in memory comes from; 0 = no state in memory.
  package private(set) var epoch: UInt64 = 0
  /// That stream is another collector's, which alone saves the state.
  package private(set) var isBorrowed = false
  /// Number of the newest record of findings about the host: a state that holds them is saved after that record is in
  /// the database.
  package private(set) var record: UInt64 = 0
  /// Changed since a batch last carried it.
  package private(set) var isChanged = false
  private var isDue = false

  package init() {}

  /// Whether the next batch of the host must carry the state.
  package var needsSave: Bool { isDue && !isBorrowed && epoch > 0 }

  /// - Parameter sequence: sequence of the state in memory.
  package func version(_ sequence: UInt64) -> RuleStateVersion? {
    epoch == 0 ? nil : RuleStateVersion(epoch: epoch, sequence: sequence)
  }

  /// To be called when a stream of the host begins on this collector.
  ///
  /// - Parameters:
  ///   - kept: version in the database, read when the stream's fence was raised, so that no older stream can save
  ///     another one later.
  ///   - sequence: sequence of the state in memory.
  /// - Returns: whether the saved state is newer than the one in memory and has to be restored.
  package mutating func streamBegan(epoch: UInt64, kept: RuleStateVersion?, sequence: UInt64) -> Bool {
    let own = version(sequence)
    let takesKept = kept?.replaces(own) ?? false
    // Batches of the stream before that carried the state may not have been committed. Their facts come again and are
    // not judged a second time, so that the first batch has to carry the state that they changed.
    isDue = !takesKept && own != nil && (isChanged || kept != own)
    isChanged = isDue
    isBorrowed = false
    self.epoch = epoch
    return takesKept
  }

  /// To be called when the state in memory was replaced by one that another collector saved.
  package mutating func borrowed(_ kept: RuleStateVersion) {
    epoch = kept.epoch
    isBorrowed = true
    (isChanged, isDue) = (false, false)
  }

  /// To be called when a newer stream of the host is on another collector.
  package mutating func movedAway() { isBorrowed = true }

  /// - Parameter mustSave: judging the same facts again would not repeat the change, or not in time.
  package mutating func changed(mustSave: Bool) {
    isChanged = true
    if mustSave { isDue = true }
  }

  /// To be called when a batch of the host has been judged and its findings were passed to `found`.
  ///
  /// - Parameters:
  ///   - isUrgent: the change must be saved with this batch.
  ///   - maySave: no finding in the state waits for a diagnosis.
  /// - Returns: whether the batch carries the state, and the record after which it passes the gate; a state also holds
  ///   findings of ticks.
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

  /// To be called when a batch carries the state.
  package mutating func carried() { (isChanged, isDue) = (false, false) }
}
