package import FleetModel

/// Findings before facts: batches wait here until the findings that they, or the states with them, hold are in the database, and with
/// them what follows them of their streams. No I/O: the simulated fleet runs it as well.
package struct FindingGate<Session: Hashable & Sendable>: Sendable {
  package struct Held: Sendable {
    package let batch: StagedBatch
    package let session: Session
    /// Encoded size.
    package let bytes: Int
    /// Passes when this record is in the database; 0: as soon as what is before it has passed.
    fileprivate let record: UInt64
    fileprivate let arrival: UInt64
  }

  private var held: [Session: [Held]] = [:]
  private var arrivals: UInt64 = 0
  /// Records up to this one are in the database.
  package private(set) var recordedThrough: UInt64 = 0

  package init() {}

  package var isEmpty: Bool { held.isEmpty }

  /// - Parameters:
  ///   - session: the stream whose batches it must not overtake; nil: there is none.
  ///   - record: the newest record of findings that a batch, or a state, holds; 0: none.
  package func isOpen(to session: Session?, after record: UInt64) -> Bool {
    record <= recordedThrough && (session.map { held[$0] == nil } ?? true)
  }

  /// - Returns: whether it passes at once; else it is kept here.
  package mutating func pass(_ batch: StagedBatch, of session: Session, bytes: Int, after record: UInt64) -> Bool {
    if isOpen(to: session, after: record) { return true }
    arrivals += 1
    held[session, default: []].append(
      Held(batch: batch, session: session, bytes: bytes, record: record, arrival: arrivals))
    return false
  }

  /// A record and all before it are in the database.
  /// - Returns: what passes now, in the order in which it came.
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

  /// A stream is over: what waits of it goes nowhere, its agent sends it again.
  package mutating func release(_ session: Session) -> [Held] { held.removeValue(forKey: session) ?? [] }
}
