import Outbound
import Paging
import Store
import SiteConfiguration
import Testing

@Suite struct RetryRuleTests {
  private static let nowNs: Int64 = 1_790_000_000_000_000_000

  /// A receiver's header once ended the collector at each start.
  @Test(arguments: [0, 1, 59, 600, 86_400, 99_999_999_999_999, Int.max, -1])
  func aReceiverThatAsksForAnyPauseGetsAtMostTenMinutes(_ seconds: Int) throws {
    let answer = OutboundAnswer(code: 429, retryAfterSeconds: seconds)
    let outcome = RetryRule.outcome(
      .success(answer), receiver: .webhook(url: "http://h/", secrets: []), attempts: 1, nowNs: Self.nowNs, chance: 0.5)
    guard case .retry(let atNs, _) = outcome else { return #expect(Bool(false), "\(outcome)") }
    let pauseNs = atNs - Self.nowNs
    #expect(pauseNs >= min(Int64(clamping: max(0, seconds)), 600) * 1_000_000_000 || seconds <= 0)
    #expect(pauseNs > 0 && pauseNs <= 600_000_000_000)
  }

  @Test(arguments: [Int.min, -1, 0, 1, 7, 64, Int.max], [0.0, 1, -1, 2, .infinity])
  func everyPauseIsBetweenATenthOfASecondAndAMinute(_ attempts: Int, _ chance: Double) {
    #expect((100_000_000...60_000_000_000).contains(RetryRule.pause(attempts: attempts, chance: chance)))
  }
}
