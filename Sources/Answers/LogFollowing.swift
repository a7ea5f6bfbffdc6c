internal import FleetModel
package import Store

/// What a follower of lines asks for next, and which of the rows that come have not come before.
///
/// Commits of several writers become visible in any order, so each question reaches back behind the one before it, and rows are known again by
/// host, file and offset.
package struct LogFollowing: Sendable {
  /// Commits of several writers may become visible up to this late.
  private static let overlapNs: Int64 = 5_000_000_000
  /// New lines are looked for among those of the last minutes; among those of the last hour, which an agent that was away brings, now and
  /// then: there is no index on the time of arrival.
  private static let nearNs: Int64 = 120_000_000_000
  private static let farNs: Int64 = 3_600_000_000_000
  private static let farEveryNs: Int64 = 10_000_000_000

  private let startNs: Int64
  private var newest: Int64
  private var farNewest: Int64
  private var farDueNs: Int64
  private var isFar = false
  /// By a hash of 64 bits: of a million rows two have the same with a probability of 3e-8.
  private var seen: [Int: Int64] = [:]

  /// - Parameter startNs: only what the collector read after it is new, ns since 1970.
  package init(startNs: Int64) {
    self.startNs = startNs
    (newest, farNewest, farDueNs) = (startNs, startNs, startNs)
  }

  /// - Parameter nowNs: ns since 1970.
  /// - Returns: the filter of the next question; its answer goes to `news`, page by page, and then `finish` is called.
  package mutating func question(_ filter: LogFilter, nowNs: Int64) -> LogFilter {
    isFar = nowNs >= farDueNs
    if isFar { farDueNs = nowNs.addingClamped(Self.farEveryNs) }
    var next = filter
    next.receivedAfterNs = (isFar ? farNewest : newest).subtractingClamped(Self.overlapNs)
    next.sinceNs = nowNs.subtractingClamped(isFar ? Self.farNs : Self.nearNs)
    return next
  }

  /// - Parameter page: rows of time, received, host, file, offset, and more.
  /// - Returns: those that have not come before.
  package mutating func news(_ page: Answer) -> Answer {
    var news = page
    news.rows = page.rows.filter { row in
      guard case .time(let received) = row[1] else { return false }
      newest = max(newest, received)
      var hasher = Hasher()
      hasher.combine(Array(row[2...4]))
      return seen.updateValue(received, forKey: hasher.finalize()) == nil && received > startNs
    }
    return news
  }

  /// The question has been answered.
  package mutating func finish() {
    if isFar { farNewest = newest }
    let oldest = farNewest.subtractingClamped(2 * Self.overlapNs)
    seen = seen.filter { $0.value > oldest }
  }
}
