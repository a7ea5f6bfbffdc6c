internal import FleetModel
package import Outbound
package import SiteConfiguration
package import Store

/// What a receiver's answer means, and when to try again. Pure: time and chance are parameters.
package enum RetryRule {
  /// Longest pause between two attempts, ns. There is no last attempt: a page is sent until somebody takes it.
  static let pauseMaxNs: Int64 = 60_000_000_000
  /// PagerDuty counts events a minute: sooner makes it worse.
  static let pagerDutyLimitedNs: Int64 = 60_000_000_000

  /// What a receiver may ask for, ns: one that says a year would keep a page for a year.
  static let retryAfterMaxNs: Int64 = 600_000_000_000

  /// - Parameter chance: 0…1, for full jitter.
  package static func outcome(
    _ result: Result<OutboundAnswer, OutboundError>, receiver: Receiver, attempts: Int, nowNs: Int64, chance: Double
  ) -> DeliveryOutcome {
    let again = nowNs + pause(attempts: attempts, chance: chance)
    switch result {
    case .failure(let error): return .retry(atNs: again, answer: error.description)
    case .success(let answer):
      let text = said(answer)
      if case .email = receiver {
        if (200..<400).contains(answer.code) { return .delivered(answer: text) }
        return answer.code >= 500 ? .refused(answer: text) : .retry(atNs: again, answer: text)
      }
      switch answer.code {
      case 200..<300: return .delivered(answer: text)
      case 429:
        let asked = Int64(answer.retryAfterSeconds ?? 0).multipliedClamped(by: 1_000_000_000)
        let least = if case .pagerDuty = receiver { pagerDutyLimitedNs } else { Int64(0) }
        return .retry(atNs: max(again, nowNs + min(max(asked, least), retryAfterMaxNs)), answer: text)
      case 408, 425, 500...: return .retry(atNs: again, answer: text)
      // Nothing about it will be better the next time: the request is wrong, or moved, or gone.
      default: return .refused(answer: text)
      }
    }
  }

  /// 1 s · 2ⁿ with full jitter, never less than 100 ms, so that a receiver that answers at once is not asked in a loop.
  package static func pause(attempts: Int, chance: Double) -> Int64 {
    let longest = min(pauseMaxNs, 1_000_000_000 << Int64(min(max(0, attempts.subtractingClamped(1)), 6)))
    return max(100_000_000, Int64(Double(longest) * min(max(chance, 0), 1)))
  }

  private static func said(_ answer: OutboundAnswer) -> String {
    let body = String(decoding: answer.body.prefix(200), as: UTF8.self)
    return "\(answer.code)" + (body.isEmpty ? "" : " \(body)")
  }
}
