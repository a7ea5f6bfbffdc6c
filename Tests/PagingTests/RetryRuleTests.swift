import Incidents
import Outbound
import Paging
import Store
import SiteConfiguration
import Testing

@Suite struct RetryRuleTests {
  private static let nowNs: Int64 = 1_790_000_000_000_000_000

  /// No value of the header may trap.
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

  @Test func aMailIsDeliveredWhereOneAddressTookItAndGoesOnceMoreToThoseThatAskForLater() {
    func outcome(_ codes: [Int], status: Int = 250, isReached: Bool = false) -> DeliveryOutcome {
      var answer = OutboundAnswer(code: status)
      answer.recipients = codes.enumerated().map {
        RecipientReply(address: "a\($0.offset)", code: $0.element, text: "")
      }
      return RetryRule.outcome(
        .success(answer), receiver: .email(EmailReceiver(server: "smtp://h", from: "f", to: [])), attempts: 1,
        nowNs: Self.nowNs, chance: 0.5, isReached: isReached)
    }
    guard case .delivered(let answer) = outcome([250, 550, 250]) else { return #expect(Bool(false)) }
    #expect(answer.contains("a1: 550"))
    guard case .partial(let reached, _, _) = outcome([250, 450, 550]) else { return #expect(Bool(false)) }
    #expect(reached == ["a0"])
    guard case .refused = outcome([550, 550], status: 550) else { return #expect(Bool(false)) }
    guard case .retry = outcome([550, 450], status: 450) else { return #expect(Bool(false)) }
    guard case .retry = outcome([450, 550], status: 550) else { return #expect(Bool(false)) }
    guard case .delivered = outcome([550], status: 550, isReached: true) else { return #expect(Bool(false)) }
    // libcurl's success without any address.
    guard case .retry = outcome([], status: 214) else { return #expect(Bool(false)) }
  }

  @Test(arguments: [Int.min, -1, 0, 1, 7, 64, Int.max], [0.0, 1, -1, 2, .infinity])
  func everyPauseIsBetweenATenthOfASecondAndAMinute(_ attempts: Int, _ chance: Double) {
    #expect((100_000_000...60_000_000_000).contains(RetryRule.pause(attempts: attempts, chance: chance)))
  }
}
