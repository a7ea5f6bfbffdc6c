internal import FleetModel
internal import HTTPTypes
internal import Store
internal import Synchronization

/// Counts logins and tokens that were refused, by the client's address. A secret that is right is never refused for another's mistakes: behind
/// a proxy all clients have one address.
final class Refusals: Sendable {
  private struct State {
    var addresses = RateMeters<String>(RateLimit(perSecond: 0.2, burst: 20), subjectsMax: 10_000)
    /// What the audit takes of all addresses together.
    var audited = RateMeter()
  }

  private let database: DatabasePool
  private let state = Mutex(State())
  private static let auditLimit = RateLimit(perSecond: 0.5, burst: 30)

  init(_ database: DatabasePool) { self.database = database }

  /// Notes a refusal in the audit. - Returns: the answer: 429 where the address is refused too often.
  func record(_ problem: Problem, of what: String, from address: String, nowNs: Int64) async -> Problem {
    let (isWithin, isAudited) = state.withLock { state in
      let isWithin = state.addresses.take(address, nowNs: nowNs)
      return (isWithin, isWithin && state.audited.take(1, of: Self.auditLimit, nowNs: nowNs) == 1)
    }
    if isAudited {
      let detail = "from \(address): \(PlainText.cut(PlainText.line(problem.detail), scalarsMax: 300))"
      try? await database.change { store throws(StoreError) in
        try store.audit(actor: "console", action: "access.refused", subject: what, detail: detail)
      }
    }
    return isWithin
      ? problem
      : Problem(.tooManyRequests, "too many refused logins from this address: wait a minute, and check what sends them")
  }
}
