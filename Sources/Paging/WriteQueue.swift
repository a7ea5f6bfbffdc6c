package import FleetModel
package import Incidents

/// A change on its way to the database.
package struct NumberedChange: Sendable, Equatable {
  /// 1, 2, 3… of this process.
  package let number: UInt64
  package var change: IncidentChange
  /// CLOCK_MONOTONIC, ns: when it began to wait for the database.
  package let takenNs: Int64

  package init(number: UInt64, change: IncidentChange, takenNs: Int64) {
    self.number = number
    self.change = change
    self.takenNs = takenNs
  }
}

/// From now on the rows of changes up to a number are the database's.
package struct Release: Sendable, Equatable {
  /// 1, 2, 3…
  package let number: UInt64
  package let through: UInt64
  /// Sent, or begun, from memory.
  package let pages: [LocalPage]
  /// Until when receivers asked to be sent nothing, ns since 1970.
  package let pauses: [String: Int64]

  package init(number: UInt64, through: UInt64, pages: [LocalPage], pauses: [String: Int64] = [:]) {
    self.number = number
    self.through = through
    self.pages = pages
    self.pauses = pauses
  }
}

/// The database's side of the hand-over: what is to be written, in which transactions, and when the rows may be claimed.
///
/// Pure. One group of changes is one transaction, and its rows are reserved under a name of their own. A COMMIT without an answer is
/// repeated with the same group and the same name: what it may have written is known and is written once.
package struct WriteQueue: Sendable {
  package enum Limits {
    /// Changes of one transaction: the first page of a storm must not wait for its last incident.
    package static let groupMax = 100
  }

  package struct Group: Sendable, Equatable {
    package var changes: [NumberedChange]
    package let reservation: String
  }

  package struct Reconciliation: Sendable, Equatable {
    /// The last release that it is of.
    fileprivate let release: UInt64
    package let pages: [LocalPage]
    /// Reservations whose rows may be claimed.
    package let freeing: [String]
    /// A later one that may not.
    package let holding: String?
    package let pauses: [String: Int64]
  }

  private let holder: String
  private var waiting: [NumberedChange] = []
  private var group: Group?
  private var groups = 0
  private var reservations: [(through: UInt64, name: String)] = []
  private var releases: [Release] = []
  /// The rows up to this change's number are in the database.
  package private(set) var committed: UInt64 = 0
  /// Nothing is sent from memory about changes up to this number.
  package private(set) var released: UInt64 = 0
  /// The rows have everything that was reported up to this release.
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

  /// What the next transaction writes; the same until `wrote` is called.
  package mutating func nextGroup() -> Group? {
    if group == nil, !waiting.isEmpty {
      groups += 1
      group = Group(changes: Array(waiting.prefix(Limits.groupMax)), reservation: Reservation.name(holder, groups))
      waiting.removeFirst(min(waiting.count, Limits.groupMax))
    }
    return group
  }

  /// What evidence was found.
  package mutating func replace(_ changes: [NumberedChange]) { group?.changes = changes }

  package mutating func wroteGroup() {
    guard let done = group else { return }
    group = nil
    committed = max(committed, done.changes.last?.number ?? 0)
    reservations.append((committed, done.reservation))
  }

  /// What is to be noted of messages sent from memory, and whose rows may be claimed after that.
  package var nextReconciliation: Reconciliation? {
    let free = reservations.filter { $0.through <= released }.map(\.name)
    if releases.isEmpty && free.isEmpty { return nil }
    return Reconciliation(
      release: releases.last?.number ?? reconciled, pages: releases.flatMap(\.pages), freeing: free,
      holding: reservations.last { $0.through > released }?.name,
      pauses: releases.last?.pauses ?? [:])
  }

  /// At the end, when nothing is sent from memory any more.
  package var allReservations: [String] { reservations.map(\.name) }

  package mutating func wrote(_ done: Reconciliation) {
    reservations.removeAll { done.freeing.contains($0.name) }
    reconciled = max(reconciled, done.release)
    releases.removeAll { $0.number <= done.release }
  }
}
