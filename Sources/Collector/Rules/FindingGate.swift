package import FleetModel

/// Holds batches back until the findings from them, and those in the rule state that they carry, are in the database;
/// later batches of the same stream wait behind them. Otherwise a crash after the commit of the facts would lose the
/// finding. No I/O: the simulated fleet runs it as well.
package struct FindingGate<Session: Hashable & Sendable>: Sendable {
  package struct Held: Sendable {
    package let batch: StagedBatch
    package let session: Session
    /// Encoded size.
    package let bytes: Int
    /// Number of the record that must be in the database first; 0: it only waits for the batches before it.
    fileprivate let record: UInt64
    fileprivate let arrival: UInt64
  }

  private var held: [Session: [Held]] = [:]
  private var arrivals: UInt64 = 0
  /// Number of the newest record in the database.
  package private(set) var recordedThrough: UInt64 = 0

  package init() {}

  package var isEmpty: Bool { held.isEmpty }

  /// - Parameters:
  ///   - session: the stream whose held batches it must not overtake; nil for none.
  ///   - record: number of the newest record whose findings a batch, or a state, holds; 0 for none.
  package func isOpen(to session: Session?, after record: UInt64) -> Bool {
    record <= recordedThrough && (session.map { held[$0] == nil } ?? true)
  }

  /// - Returns: whether it passes at once; otherwise it is held.
  package mutating func pass(_ batch: StagedBatch, of session: Session, bytes: Int, after record: UInt64) -> Bool {
    if isOpen(to: session, after: record) { return true }
    arrivals += 1
    held[session, default: []].append(
      Held(batch: batch, session: session, bytes: bytes, record: record, arrival: arrivals))
    return false
  }

  /// To be called when a record and all before it are in the database.
  /// - Returns: the batches that pass now, in the order of their arrival.
  package mutating func recorded(_ number: UInt64) -> [Held] {
    recordedThrough = max(recordedThrough, number)
    var passed: [Held] = []
    for (session, batches) in held {
      let passing = batches.prefix { $0.record <= recordedThrough }
      if passing.isEmpty { continue }
      passed += passing
      held[session] = passing.count == batches.count ? nil : Array(batches.dropFirst(passing.count))
    }
    return passed.sorted { $0.arrival < $1.arrival }
  }

  /// To be called at the end of a stream. - Returns: its held batches, which are dropped: the agent sends them again.
  package mutating func release(_ session: Session) -> [Held] { held.removeValue(forKey: session) ?? [] }
}
