import Files
import FleetModel
import Foundation
import Paging
import Postgres
import Store
import TestSupport

/// Writes log lines that open incidents and end them, acknowledges some, and records when. It repeats what the database
/// did not confirm, as a person would.
final class IncidentDriver: @unchecked Sendable {
  struct Incident {
    /// The path of the job's log.
    var entity: String
    /// Seconds since 1970, when the line was written.
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

  private func perform(_ planned: Planned, _ store: Store) throws -> [Planned] {
    switch planned.act {
    case .open:
      try fleet.write(job: planned.index, "job \(planned.index) has STOPPED")
      let now = Date().timeIntervalSince1970
      lock.withLock { incidents.append(Incident(entity: fleet.log(of: planned.index), opened: now)) }
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
        "select number from signalbox.incidents where entity = $1", [.text(incidents[planned.index].entity)])
      guard let number = rows.count > 0 ? rows.int(0, 0) : nil else { throw HarnessError("not there yet") }
      try store.acknowledge(incident: number, actor: "driver", nowNs: Clock.wallNs())
      lock.withLock { incidents[planned.index].acked = Date().timeIntervalSince1970 }
    case .resolve:
      try fleet.write(job: planned.index, "job \(planned.index) GOES ON")
      lock.withLock { incidents[planned.index].resolved = Date().timeIntervalSince1970 }
    }
    return []
  }
}
