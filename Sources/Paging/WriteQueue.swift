package import FleetModel
package import Incidents

/// A change to be written to the database.
package struct NumberedChange: Sendable, Equatable {
  /// 1, 2, 3… in this process.
  package let number: UInt64
  package var change: IncidentChange
  /// CLOCK_MONOTONIC, ns, when it was received: from then on it waits for the database.
  package let takenNs: Int64

  package init(number: UInt64, change: IncidentChange, takenNs: Int64) {
    self.number = number
    self.change = change
    self.takenNs = takenNs
  }
}

/// Reports that nothing more is sent from memory about changes up to a number, with what was sent.
package struct Release: Sendable, Equatable {
  /// 1, 2, 3…
  package let number: UInt64
  package let through: UInt64
  /// Messages sent, or begun, from memory.
  package let pages: [LocalPage]
  /// Ends of the pauses that receivers asked for, ns since 1970.
  package let pauses: [String: Int64]

  package init(number: UInt64, through: UInt64, pages: [LocalPage], pauses: [String: Int64] = [:]) {
    self.number = number
    self.through = through
    self.pages = pages
    self.pauses = pauses
  }
}

/// The database's side of the hand-over: decides what each transaction writes, and when the rows may be claimed.
///
/// Pure. One group of changes is one transaction, and its rows are reserved under a name of their own. A COMMIT without
/// an answer is repeated with the same group and the same name: changes that it did write are ignored the second time.
package struct WriteQueue: Sendable {
  package enum Limits {
    /// Changes of one transaction: in a storm, pages of the first group are sent while later groups are written.
    package static let groupMax = 100
  }

  package struct Group: Sendable, Equatable {
    package var changes: [NumberedChange]
    package let reservation: String
  }

  package struct Reconciliation: Sendable, Equatable {
    /// Number of the newest release that it includes.
    fileprivate let release: UInt64
    package let pages: [LocalPage]
    /// Reservations whose rows may be claimed afterwards.
    package let freeing: [String]
    /// The newest reservation that is not freed yet.
    package let holding: String?
    package let pauses: [String: Int64]
  }

  private let holder: String
  private var waiting: [NumberedChange] = []
  private var group: Group?
  private var groups = 0
  private var reservations: [(through: UInt64, name: String)] = []
  private var releases: [Release] = []
  /// Number of the newest change that is committed.
  package private(set) var committed: UInt64 = 0
  /// Number of the newest change about which nothing more is sent from memory.
  package private(set) var released: UInt64 = 0
  /// Number of the newest release whose reports are recorded in the rows.
  package private(set) var reconciled: UInt64 = 0

  /// - Parameter holder: names this process among all collectors.
  package init(holder: String) { self.holder = holder }

  package var count: Int { waiting.count + (group?.changes.count ?? 0) }
  package var isIdle: Bool { count == 0 && releases.isEmpty }

  package mutating func add(_ changes: [NumberedChange]) { waiting += changes }

  package mutating func add(_ release: Release) {
    releases.append(release)
    released = max(released, release.through)
  }

  /// What the next transaction writes; the same until `wroteGroup` is called.
  package mutating func nextGroup() -> Group? {
    if group == nil, !waiting.isEmpty {
      groups += 1
      group = Group(changes: Array(waiting.prefix(Limits.groupMax)), reservation: Reservation.name(holder, groups))
      waiting.removeFirst(min(waiting.count, Limits.groupMax))
    }
    return group
  }

  /// Replaces the changes of the current group by the same with evidence.
  package mutating func replace(_ changes: [NumberedChange]) { group?.changes = changes }

  package mutating func wroteGroup() {
    guard let done = group else { return }
    group = nil
    committed = max(committed, done.changes.last?.number ?? 0)
    reservations.append((committed, done.reservation))
  }

  /// Messages sent from memory that are to be recorded in the rows, and reservations that are to be freed; nil for
  /// none.
  package var nextReconciliation: Reconciliation? {
    let free = reservations.filter { $0.through <= released }.map(\.name)
    if releases.isEmpty && free.isEmpty { return nil }
    return Reconciliation(
      release: releases.last?.number ?? reconciled, pages: releases.flatMap(\.pages), freeing: free,
      holding: reservations.last { $0.through > released }?.name,
      pauses: releases.last?.pauses ?? [:])
  }

  /// All reservations that are not freed, for the end, when nothing is sent from memory any more.
  package var allReservations: [String] { reservations.map(\.name) }

  package mutating func wrote(_ done: Reconciliation) {
    reservations.removeAll { done.freeing.contains($0.name) }
    reconciled = max(reconciled, done.release)
    releases.removeAll { $0.number <= done.release }
  }
}
