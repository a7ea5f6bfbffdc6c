internal import FleetModel
package import Outbound
package import Incidents
package import SiteConfiguration

/// Turns a receiver's answer into an outcome and decides when to try again. Pure: time and chance are parameters.
package enum RetryRule {
  /// Longest pause between two attempts, ns. There is no last attempt: a page is retried until it is delivered, refused
  /// or no longer needed.
  static let pauseMaxNs: Int64 = 60_000_000_000
  /// PagerDuty limits events a minute: an earlier retry would count against the limit as well.
  static let pagerDutyLimitedNs: Int64 = 60_000_000_000

  /// Longest pause that a receiver can ask for, ns: without it a wrong `Retry-After` would hold a page back for as long
  /// as it says.
  static let retryAfterMaxNs: Int64 = 600_000_000_000

  /// - Parameters:
  ///   - chance: 0…1, for full jitter.
  ///   - isReached: an earlier attempt was accepted by some of a mail's addresses.
  package static func outcome(
    _ result: Result<OutboundAnswer, OutboundError>, receiver: Receiver, attempts: Int, nowNs: Int64, chance: Double,
    isReached: Bool = false
  ) -> DeliveryOutcome {
    let again = nowNs + pause(attempts: attempts, chance: chance)
    switch result {
    case .failure(let error): return .retry(atNs: again, answer: error.description)
    case .success(let answer):
      let text = answerText(answer)
      if case .email = receiver { return mailOutcome(answer, text, againNs: again, isReached) }
      switch answer.code {
      case 200..<300: return .delivered(answer: text)
      case 408, 425, 429, 500...:
        return .retry(atNs: max(again, closedUntilNs(result, receiver, nowNs: nowNs) ?? again), answer: text)
      // A retry cannot succeed: the request is wrong, or its address moved or gone.
      default: return .refused(answer: text)
      }
    }
  }

  /// A mail that at least one address accepted is delivered; addresses with a temporary failure (RFC 5321 4.2.1: 4yz,
  /// such as grey-listing) are tried again. A refused address does not affect the others.
  private static func mailOutcome(_ answer: OutboundAnswer, _ text: String, againNs: Int64, _ isReached: Bool)
    -> DeliveryOutcome
  {
    let taken = answer.recipients.filter { $0.code < 400 }
    let later = answer.recipients.filter { (400..<500).contains($0.code) }
    let others = answer.recipients.filter { $0.code >= 400 }.map { "; \($0.address): \($0.code) \($0.text)" }.joined()
    // Without replies to addresses only the reply to the mail itself counts (RFC 5321 4.2.2): libcurl reports 214 as
    // success where there was no address to send to.
    let isTaken = answer.recipients.isEmpty ? answer.code == 250 : (200..<400).contains(answer.code) && !taken.isEmpty
    guard isTaken else {
      let isFinal = answer.code >= 500 && later.isEmpty
      if isFinal, isReached { return .delivered(answer: text + others) }
      return isFinal ? .refused(answer: text + others) : .retry(atNs: againNs, answer: text + others)
    }
    if later.isEmpty { return .delivered(answer: text + others) }
    return .partial(reached: taken.map(\.address), atNs: againNs, answer: text + others)
  }

  /// End of the pause that a receiver asks for, ns since 1970; nil for none. It holds for all messages to that receiver
  /// (RFC 6585 4, RFC 9110 10.2.3).
  package static func closedUntilNs(
    _ result: Result<OutboundAnswer, OutboundError>, _ receiver: Receiver, nowNs: Int64
  ) -> Int64? {
    if case .email = receiver { return nil }
    guard case .success(let answer) = result, answer.code == 429 || answer.code == 503 else { return nil }
    let asked = Int64(answer.retryAfterSeconds ?? 0).multipliedClamped(by: 1_000_000_000)
    let least = if case .pagerDuty = receiver, answer.code == 429 { pagerDutyLimitedNs } else { Int64(0) }
    let ns = min(max(asked, least), retryAfterMaxNs)
    return ns > 0 ? nowNs + ns : nil
  }

  /// Back-off of 1 s · 2ⁿ with full jitter, at least 100 ms, so that a receiver that fails at once is not called in a
  /// loop.
  package static func pause(attempts: Int, chance: Double) -> Int64 {
    let longest = min(pauseMaxNs, 1_000_000_000 << Int64(min(max(0, attempts.subtractingClamped(1)), 6)))
    return max(100_000_000, Int64(Double(longest) * min(max(chance, 0), 1)))
  }

  private static func answerText(_ answer: OutboundAnswer) -> String {
    let body = String(decoding: answer.body.prefix(200), as: UTF8.self)
    return "\(answer.code)" + (body.isEmpty ? "" : " \(body)")
  }
}
