import Files
import FleetModel
import Foundation
import Paging
import Postgres
import Store
import TestSupport

/// Opens incidents, acknowledges some, ends some, and notes when each of that was committed. It is as stubborn as an agent: what the database
/// did not confirm is said again.
final class IncidentDriver: @unchecked Sendable {
  struct Incident {
    var key: String
    /// Seconds since 1970, when the commit was confirmed.
    var opened: Double
    var acked: Double?
    var resolved: Double?
  }

  private enum Act { case open, acknowledge, resolve }
  private struct Planned {
    var at: Double
    var act: Act
    var index: Int
  }

  private let fleet: PagingFleet
  private var random: SplitMix
  private let lock = NSLock()
  private var incidents: [Incident] = []
  private var isStopping = false
  private let done = DispatchSemaphore(value: 0)

  init(_ fleet: PagingFleet, seed: UInt64) {
    self.fleet = fleet
    random = SplitMix(seed: seed)
  }

  func start() { Thread.detachNewThread { self.run() } }

  /// Opens nothing more, ends what is planned, and returns all incidents.
  func stop() -> [Incident] {
    lock.withLock { isStopping = true }
    done.wait()
    return incidents
  }

  var count: Int { lock.withLock { incidents.count } }

  private func run() {
    defer { done.signal() }
    var store: Store?
    var planned = [Planned(at: 0, act: .open, index: 0)]
    while let next = planned.min(by: { $0.at < $1.at }) {
      let now = Date().timeIntervalSince1970
      if next.act == .open, lock.withLock({ isStopping }) {
        planned.removeAll { $0.act == .open }
        continue
      }
      if next.at > now {
        usleep(UInt32(min(0.05, next.at - now) * 1_000_000))
        continue
      }
      do {
        let open = try store ?? Store.open(fleet.databaseURL)
        store = open
        planned += try perform(next, open)
        planned.removeAll { $0.at == next.at && $0.act == next.act && $0.index == next.index }
      } catch {
        store?.close()
        store = nil
        usleep(100_000)
      }
    }
    store?.close()
  }

  private var pending: IncidentChange?

  private func perform(_ planned: Planned, _ store: Store) throws -> [Planned] {
    let ns = Clock.wallNs()
    switch planned.act {
    case .open:
      let change = pending ?? change(.opened, planned.index, ns)
      pending = change
      try store.apply([change], plan: fleet.configuration.plan, nowNs: ns)
      pending = nil
      let now = Date().timeIntervalSince1970
      lock.withLock { incidents.append(Incident(key: change.dedupKey, opened: now)) }
      var next = [Planned(at: now + Double.random(in: 0.1...0.7, using: &random), act: .open, index: planned.index + 1)]
      let after = Double.random(in: 0...8, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3: next.append(Planned(at: now + after, act: .acknowledge, index: planned.index))
      case 3..<6: next.append(Planned(at: now + after, act: .resolve, index: planned.index))
      default: break
      }
      return next
    case .acknowledge:
      let rows = try store.connection.query(
        "select number from signalbox.incidents where dedup_key = $1", [.text(incidents[planned.index].key)])
      try store.acknowledge(incident: rows.int(0, 0) ?? 0, actor: "driver", nowNs: ns)
      lock.withLock { incidents[planned.index].acked = Date().timeIntervalSince1970 }
    case .resolve:
      try store.apply([change(.cleared, planned.index, ns)], plan: fleet.configuration.plan, nowNs: ns)
      lock.withLock { incidents[planned.index].resolved = Date().timeIntervalSince1970 }
    }
    return []
  }

  private func change(_ kind: IncidentChange.Kind, _ index: Int, _ ns: Int64) -> IncidentChange {
    var change = IncidentChange(
      kind, rule: "CHAOS-01", severity: .p0, hostName: "host-\(index)", entity: "job \(index)", eventNs: ns,
      detectedNs: ns)
    change.summary = "job \(index) has stopped"
    return change
  }
}
