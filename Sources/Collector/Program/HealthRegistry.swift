internal import Synchronization

/// Whether each thread that uses the database gets on: what `/health` answers and `/metrics` shows.
///
/// A thread that is refused, or waits, is not visible from a database that answers others: one poisoned row once held half of a fleet
/// while health was 200.
package final class HealthRegistry: Sendable {
  private let threads = Mutex<[ThreadHealth]>([])

  package init() {}

  /// - Parameters:
  ///   - name: as the metric's label and in the sentence, such as `writer-0`.
  ///   - patienceNs: how long it may fail or wait before that is a problem of the collector's, ns.
  ///   - storesReports: nothing that hosts report is stored while it does not get on.
  ///   - holds: which hosts cannot report while it does not get on.
  package func watch(
    _ name: String, patienceNs: Int64 = ThreadHealth.patienceNs, storesReports: Bool = false,
    holds: ThreadHealth.Holds = .noHosts
  ) -> ThreadHealth {
    let thread = ThreadHealth(name, patienceNs: patienceNs, storesReports: storesReports, holds: holds)
    threads.withLock { $0.append(thread) }
    return thread
  }

  /// nil while every thread gets on; else one sentence that names those that do not.
  /// - Parameter nowNs: CLOCK_MONOTONIC.
  package func problem(nowNs: Int64) -> String? {
    let problems = threads.withLock { $0 }.compactMap { $0.problem(nowNs: nowNs) }
    return problems.isEmpty ? nil : problems.joined(separator: "; ")
  }

  /// One sentence that names the threads for which hosts' reports wait, with the database's own words; nil where there are none.
  /// - Parameters:
  ///   - patienceNs: for how long they may wait, ns; 0 names each one that fails or waits just now.
  ///   - nowNs: CLOCK_MONOTONIC.
  package func storingProblem(patienceNs: Int64, nowNs: Int64) -> String? {
    let problems = threads.withLock { $0 }.filter(\.storesReports).compactMap {
      $0.problem(nowNs: nowNs, patienceNs: patienceNs)
    }
    return problems.isEmpty ? nil : problems.joined(separator: "; ")
  }

  /// For how long the collector itself has kept hosts from reporting, ns; 0 where it does not. Not counting writers, each of which holds
  /// its own hosts only.
  /// - Parameters:
  ///   - hasStream: of a host that is connected; another one has to be admitted first, and may report to another collector.
  ///   - nowNs: CLOCK_MONOTONIC.
  package func heldNs(hasStream: Bool, nowNs: Int64) -> Int64 {
    threads.withLock { $0 }.filter { $0.holds == .allHosts || !hasStream && $0.holds == .hostsWithoutStream }
      .map { $0.stalledNs(nowNs: nowNs) }.max() ?? 0
  }

  /// For how many seconds each thread has not got on; 0 where it does. Names in the order in which they were watched.
  package func stalledSeconds(nowNs: Int64) -> [(thread: String, seconds: Int64)] {
    threads.withLock { $0 }.map { ($0.name, $0.stalledNs(nowNs: nowNs) / 1_000_000_000) }
  }
}

/// One thread's word on its work with the database. Called by that thread, read by any.
package final class ThreadHealth: Sendable {
  /// Longer than any commit of a healthy database, shorter than a person's patience.
  package static let patienceNs: Int64 = 10_000_000_000

  private struct State {
    /// When the work under way began, or the first of its failures was; nil where there is none. CLOCK_MONOTONIC, ns.
    var sinceNs: Int64?
    /// Of the last failure.
    var reason: String?
  }

  /// Which hosts' reports wait for a thread.
  package enum Holds: Sendable {
    case noHosts
    /// Those that connect, or may be connected to another collector.
    case hostsWithoutStream
    case allHosts
  }

  package let name: String
  fileprivate let storesReports: Bool
  fileprivate let holds: Holds
  private let patienceNs: Int64
  private let state = Mutex(State())

  fileprivate init(_ name: String, patienceNs: Int64, storesReports: Bool, holds: Holds) {
    self.holds = holds
    self.name = name
    self.patienceNs = patienceNs
    self.storesReports = storesReports
  }

  /// Work begins; a try again is the same work.
  package func began(nowNs: Int64) {
    state.withLock { if $0.sinceNs == nil { $0.sinceNs = nowNs } }
  }

  /// The work is done, or there is none.
  package func succeeded() {
    state.withLock { $0 = State() }
  }

  /// - Parameter reason: the error's own sentence.
  package func failed(_ reason: String, nowNs: Int64) {
    state.withLock {
      if $0.sinceNs == nil { $0.sinceNs = nowNs }
      $0.reason = reason
    }
  }

  func stalledNs(nowNs: Int64) -> Int64 {
    state.withLock { $0.sinceNs.map { max(0, nowNs - $0) } ?? 0 }
  }

  /// - Parameter patienceNs: nil is the thread's own.
  func problem(nowNs: Int64, patienceNs: Int64? = nil) -> String? {
    let (sinceNs, reason) = state.withLock { ($0.sinceNs, $0.reason) }
    guard let sinceNs, nowNs - sinceNs > patienceNs ?? self.patienceNs else { return nil }
    let seconds = (nowNs - sinceNs) / 1_000_000_000
    return "\(name) "
      + (reason.map { "has failed for \(seconds) s: \($0)" } ?? "has waited for the database for \(seconds) s")
  }
}
