import FleetModel
import Incidents
import Testing

@Suite struct PagingPolicyTests {
  private static let nowNs: Int64 = 1_000_000_000_000
  private static let policy = PagingPolicy(messagesPerMinute: 5, readByPeople: ["mail"]) { _, _ in [] }

  private static func due(
    _ count: Int, _ event: Delivery.Event = .trigger, isDigest: Bool = false, bundle: String? = nil,
    list: String? = nil,
    from first: Int = 0
  ) -> [DueDelivery<Int>] {
    (0..<count).map { DueDelivery(id: first + $0, event: event, isDigest: isDigest, bundle: bundle, list: list) }
  }

  private static func load(
    unanswered: Int = 0, delivered: Int = 0, secondsAgo: Int64 = 1000, isStorm: Bool = false, closedSeconds: Int64 = -1
  ) -> ReceiverLoad {
    var load = ReceiverLoad()
    (load.unanswered, load.delivered, load.isStorm) = (unanswered, delivered, isStorm)
    load.lastNs = nowNs - secondsAgo * 1_000_000_000
    load.closedUntilNs = nowNs + closedSeconds * 1_000_000_000
    return load
  }

  private static func messages(
    _ due: [DueDelivery<Int>], to receiver: String = "duty", _ load: ReceiverLoad = load()
  ) -> [Outgoing<Int>] {
    policy.messages(due, to: receiver, load: load, nowNs: nowNs)
  }

  @Test func pagesWithinTheLimitGoOutOneByOneAndAboveItAsOneList() {
    #expect(Self.messages(Self.due(5)) == (0..<5).map { .single($0) })
    #expect(Self.messages(Self.due(6)) == [.list(Array(0..<6), about: nil)])
    #expect(Self.messages(Self.due(3), Self.load(delivered: 3)) == [.list([0, 1, 2], about: nil)])
  }

  @Test func aListIsNeverOfOne() {
    #expect(Self.messages(Self.due(1), Self.load(delivered: 5, secondsAgo: 26)) == [.single(0)])
    #expect(Self.messages(Self.due(1), Self.load(delivered: 5, secondsAgo: 24)).isEmpty)
  }

  @Test func atMostEightMessagesAreWithoutAnAnswerWhateverTheyAre() {
    for event in [Delivery.Event.resolve, .acknowledge, .test] {
      #expect(Self.messages(Self.due(20, event)).count == 8)
      #expect(Self.messages(Self.due(20, event), Self.load(unanswered: 6)).count == 2)
      #expect(Self.messages(Self.due(20, event), Self.load(unanswered: 8)).isEmpty)
    }
  }

  @Test func endsCountAsMessagesWherePeopleReadThem() {
    #expect(Self.messages(Self.due(30, .resolve), to: "mail") == [.list(Array(0..<30), about: nil)])
    #expect(Self.messages(Self.due(2, .resolve), to: "mail") == [.single(0), .single(1)])
    let busy = Self.load(delivered: 5, secondsAgo: 5)
    #expect(Self.messages(Self.due(2, .resolve), to: "mail", busy).isEmpty)
    #expect(Self.messages(Self.due(2, .resolve), busy) == [.single(0), .single(1)])
  }

  @Test func aListWithoutAnAnswerGoesOutAgainAsItWasAndBeforeAllElse() {
    let due = Self.due(3) + Self.due(4, bundle: "msg_a", from: 10)
    #expect(Self.messages(due, Self.load(isStorm: true)) == [.again(bundle: "msg_a"), .list([0, 1, 2], about: nil)])
  }

  @Test func newsOfEachListIsAMessageOfItsOwnAndOneAtATimeAboveTheLimit() {
    let due = Self.due(2, .resolve, list: "a") + Self.due(1, .resolve, list: "b", from: 2)
    #expect(Self.messages(due) == [.list([0, 1], about: "a"), .list([2], about: "b")])
    #expect(Self.messages(due, Self.load(delivered: 5, secondsAgo: 30)) == [.list([0, 1], about: "a")])
    #expect(Self.messages(due, Self.load(isStorm: true)) == [.list([0, 1], about: "a")])
  }

  @Test func onceAListWentOutPagesFollowInLists() {
    let storm = Self.load(delivered: 1, secondsAgo: 26, isStorm: true)
    #expect(Self.messages(Self.due(2), storm) == [.list([0, 1], about: nil)])
    #expect(Self.messages(Self.due(2), Self.load(delivered: 1, secondsAgo: 24, isStorm: true)).isEmpty)
  }

  @Test func aReceiverThatAskedForAPauseIsSentNothing() {
    let due = Self.due(3) + Self.due(3, .resolve) + Self.due(1, .test) + Self.due(3, bundle: "a")
    #expect(Self.messages(due, Self.load(closedSeconds: 1)).isEmpty)
    #expect(!Self.messages(due, Self.load(closedSeconds: 0)).isEmpty)
  }

  @Test func aDigestIsOneMessage() {
    #expect(Self.messages(Self.due(1, isDigest: true)) == [.list([0], about: nil)])
    #expect(Self.messages(Self.due(40, isDigest: true)) == [.list(Array(0..<40), about: nil)])
  }

  @Test func theFallbackIsPagedAtARefusalAndAtTheThirdFailure() {
    let policy = PagingPolicy(fallback: "safety") { _, _ in [] }
    let retry = DeliveryOutcome.retry(atNs: 0, answer: "")
    #expect(policy.fallback(for: "duty", .trigger, after: .refused(answer: ""), attempts: 1) == "safety")
    #expect(
      (1...6).map { policy.fallback(for: "duty", .trigger, after: retry, attempts: $0) != nil }
        == [false, false, true, false, false, false])
    #expect(policy.fallback(for: "safety", .trigger, after: .refused(answer: ""), attempts: 1) == nil)
    #expect(policy.fallback(for: "duty", .test, after: .refused(answer: ""), attempts: 1) == nil)
    #expect(policy.fallback(for: "duty", .trigger, after: .delivered(answer: ""), attempts: 3) == nil)
  }

  /// With answers at once, every due delivery is sent exactly once, and no minute has more messages than the limit and
  /// the lists after it.
  @Test(arguments: [1, 5, 8, 30, 400], [1, 5, 60])
  func everythingGoesOutOnceWithinTheLimit(_ count: Int, _ limit: Int) {
    let policy = PagingPolicy(messagesPerMinute: limit, readByPeople: ["mail"]) { _, _ in [] }
    var waiting = Self.due(count) + Self.due(count, .resolve, from: 1000)
    var sent: [(atNs: Int64, isPageList: Bool)] = []
    var ids: [Int] = []
    var nowNs = Self.nowNs
    while !waiting.isEmpty, nowNs < Self.nowNs + 7_200_000_000_000 {
      var load = ReceiverLoad()
      let recent = sent.filter { nowNs - $0.atNs < 60_000_000_000 }
      (load.delivered, load.lastNs) = (recent.count, recent.last?.atNs ?? .min)
      load.isStorm = recent.contains(where: \.isPageList)
      for message in policy.messages(waiting, to: "mail", load: load, nowNs: nowNs) {
        let gone: [Int] =
          switch message {
          case .single(let id): [id]
          case .list(let ids, _): ids
          case .again: []
          }
        sent.append((nowNs, gone.count > 1 && gone[0] < 1000))
        ids += gone
        waiting.removeAll { gone.contains($0.id) }
      }
      let inMinute = sent.count { nowNs - $0.atNs < 60_000_000_000 }
      #expect(inMinute <= limit + 3)
      nowNs += 500_000_000
    }
    #expect(ids.count == 2 * count && Set(ids).count == 2 * count)
  }
}
