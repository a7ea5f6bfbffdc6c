import FleetModel
import Incidents
import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct IncidentTests {
  let fixture: StoreFixture
  var store: Store { fixture.store }
  static let nowNs = StoreFixture.nowNs
  static let secondNs: Int64 = 1_000_000_000

  init() throws { fixture = try StoreFixture() }

  static let policy = PagingPolicy { _, nowNs in
    [
      PlannedDelivery(receiver: "duty", dueNs: nowNs),
      PlannedDelivery(receiver: "lead", dueNs: nowNs + 900 * secondNs, step: 1),
    ]
  }

  func change(
    _ kind: IncidentChange.Kind, _ rule: String = "RES-01", host: Int32? = nil, at seconds: Int64 = 0,
    mutes: [String] = []
  ) -> IncidentChange {
    let ns = Self.nowNs + seconds * Self.secondNs
    var change = IncidentChange(
      kind, rule: rule, severity: .p1, hostNumber: host, hostName: host.map { "trainer-\($0)" } ?? "trainer-1",
      eventNs: ns, detectedNs: ns)
    change.summary = "something is wrong"
    change.mutes = mutes
    return change
  }

  @discardableResult
  func apply(_ changes: [IncidentChange], at seconds: Int64 = 0) throws -> AppliedChanges {
    try store.apply(changes, policy: Self.policy, nowNs: Self.nowNs + seconds * Self.secondNs)
  }

  func states() throws -> [String] {
    let rows = try store.connection.query("select state from signalbox.incidents order by number")
    return (0..<rows.count).map { rows.text($0, 0) ?? "" }
  }

  func outbox(_ condition: String) throws -> Int { try fixture.count("signalbox.outbox where \(condition)") }

  /// Such as history, which is never paged, or a rule that only observed until a reload.
  @Test(arguments: [true, false]) func whatWasOnlyObservedHidesNothingThatIsToBePaged(isOver: Bool) throws {
    var observed = change(.opened)
    observed.isObserved = true
    try apply([observed])
    if isOver { try apply([change(.cleared, at: 1)]) }
    #expect(try outbox("true") == 0)
    #expect(try apply([change(.opened, at: 2)], at: 2).opened == 1)
    #expect(try states() == ["resolved", "open"])
    #expect(
      try fixture.value("select string_agg(is_observed::text, ' ' order by number) from signalbox.incidents")
        == "true false")
    #expect(try outbox("incident = 2 and event = 'trigger'") == 1 && outbox("incident = 1") == 0)
    // The other way round the page stays what it is.
    observed.eventNs += 3 * Self.secondNs
    #expect(try apply([observed], at: 3).opened == 0)
    #expect(try states() == ["resolved", "open"])
  }

  @Test func aReplayOfTheSameChangesDoesNothing() throws {
    let changes = [change(.opened), change(.cleared, at: 30)]
    let first = try apply(changes)
    #expect(first.opened == 1 && first.resolved == 1)
    let rows = try outbox("true")
    let timeline = try fixture.count("signalbox.incident_timeline")
    let again = try apply(changes + changes, at: 60)
    #expect(again.ignored == 4)
    #expect(try outbox("true") == rows)
    #expect(try fixture.count("signalbox.incident_timeline") == timeline)
    #expect(try states() == ["resolved"])
  }

  /// What comes after a person's end is another incident, with a page of its own; after a rule's it is the same one.
  @Test func whatComesAfterAnEndByHandIsAnotherIncident() throws {
    try apply([change(.opened)])
    let number = Int64(try fixture.value("select max(number) from signalbox.incidents") ?? "") ?? 0
    try store.resolve(incident: number, actor: "ann", nowNs: Self.nowNs + 10 * Self.secondNs)
    try apply([change(.opened, at: 20)], at: 20)
    #expect(try states() == ["resolved", "open"])
    #expect(try outbox("event = 'trigger' and receiver = 'duty'") == 2)
    try apply([change(.cleared, at: 30)], at: 30)
    try apply([change(.opened, at: 40)], at: 40)
    #expect(try states() == ["resolved", "open"])
  }

  /// A host's clock was ahead by an hour and was set back; or a backlog reports the hour before.
  @Test func whatIsOlderThanTheNewestIncidentIsOneOfItsOwn() throws {
    let ahead = [change(.opened, at: 3600), change(.cleared, at: 3660)]
    try apply(ahead)
    let before = [change(.opened, at: 60), change(.cleared, at: 90)]
    #expect(try apply(before).opened == 1)
    #expect(try states() == ["resolved", "resolved"])
    #expect(try apply(ahead + before + ahead).ignored == 6)
    try apply([change(.opened, at: 200)])
    #expect(try fixture.count("signalbox.incidents where state = 'open'") == 1)
  }

  @Test func endsByHandAreReadOnceByWhoeverJudges() throws {
    let host = try fixture.host()
    let number = Int32(try fixture.value("select number from signalbox.hosts") ?? "") ?? 0
    let cursor = try store.endedByHand(after: nil).newest
    try apply([change(.opened, host: number), change(.opened, "RES-02", host: number)])
    func save(_ sequence: UInt64, at nowNs: Int64) throws {
      let fence = try fixture.fence(host)
      let stream = TestStream(host, fence)
      var staged = stream.staged(Batch(), receivedNs: nowNs)
      let version = RuleStateVersion(epoch: fence.epoch, sequence: sequence)
      staged.ruleState = SavedRuleState(hostNumber: number, version: version, bytes: [1])
      #expect(try store.commit([staged]) == [.committed])
    }
    try save(1, at: Self.nowNs)
    try apply([change(.cleared, "RES-02", host: number, at: 5)])
    #expect(try store.endedByHand(after: cursor).incidents.isEmpty)
    let open = Int64(try fixture.value("select number from signalbox.incidents where state = 'open'") ?? "") ?? 0
    try store.resolve(incident: open, actor: "ann", nowNs: Self.nowNs + 10 * Self.secondNs)
    let expected = EndedIncident(
      number: open, rule: "RES-01", hostNumber: number, entity: "", lastEventUs: Self.nowNs / 1000)
    let (ended, newest) = try store.endedByHand(after: cursor)
    #expect(ended == [expected])
    #expect(try store.endedByHand(after: newest).incidents.isEmpty)
    // Whoever takes the host's state up later reads it with the state.
    #expect(try fixture.fence(host).ruleState?.ended == [expected])
    try save(2, at: Self.nowNs + 3600 * Self.secondNs)
    #expect(try store.ruleStates().first?.ended == [])
  }

  /// A reader that saw only the first part of them would see the same part for ever, and no later end.
  @Test func allEndsByHandAreReadHoweverMany() throws {
    let count = IncidentLimits.changesMax + 20
    let cursor = try store.endedByHand(after: nil).newest
    try apply((0..<count).map { change(.opened, "RULE-\($0)") })
    let rows = try store.connection.query("select number from signalbox.incidents order by number")
    for row in 0..<rows.count {
      try store.resolve(incident: rows.int(row, 0) ?? 0, actor: "ann", nowNs: Self.nowNs + 10 * Self.secondNs)
    }
    #expect(try store.endedByHand(after: cursor).incidents.count == count)
  }

  @Test func anIncidentAndItsRowsComeTogetherOrNotAtAll() throws {
    store.connection.failurePoint = { statement throws(PostgresError) in
      if statement.contains("insert into signalbox.outbox") {
        throw PostgresError(sqlState: "53100", message: "disk full", doing: "test")
      }
    }
    #expect(throws: StoreError.self) { try apply([change(.opened)]) }
    store.connection.failurePoint = nil
    #expect(try fixture.count("signalbox.incidents") == 0)
    try apply([change(.opened)])
    #expect(try outbox("state = 'waiting'") == 2)
  }

  @Test func aConditionThatFlapsForTwoHoursIsOneIncidentAndFewPages() throws {
    for cycle in 0..<360 as Range<Int64> {
      try apply([change(.opened, at: cycle * 20)], at: cycle * 20)
      try apply([change(.cleared, at: cycle * 20 + 10)], at: cycle * 20 + 10)
    }
    #expect(try fixture.count("signalbox.incidents") == 1)
    #expect(try states() == ["open"])
    #expect(try outbox("receiver = 'duty' and event = 'trigger'") <= 4)
    #expect(try outbox("detail = 'flapping' and event = 'trigger'") == 1)
    let lease = try #require(try store.takeLease("paging", holder: "t", seconds: 60))
    let audit = try store.auditPaging(lease, policy: Self.policy, nowNs: Self.nowNs + 8000 * Self.secondNs)
    #expect(audit.quietResolved == 1)
    #expect(try states() == ["resolved"])
  }

  @Test func aSilenceMutesWithItsReasonAndPagesWhenItEnds() throws {
    var silence = Silence(
      author: "ann", reason: "new disks", startsNs: Self.nowNs, endsNs: Self.nowNs + 3600 * Self.secondNs)
    silence.rule = "RES-*"
    let number = try store.addSilence(silence, nowNs: Self.nowNs)
    try apply([change(.opened), change(.opened, "NET-01")])
    #expect(try states() == ["muted", "open"])
    #expect(
      try fixture.value("select muted_by from signalbox.incidents order by number")?.contains("new disks") == true)
    #expect(try outbox("state = 'waiting'") == 2)
    try store.endSilence(number, actor: "ann", nowNs: Self.nowNs + Self.secondNs)
    let lease = try #require(try store.takeLease("paging", holder: "t", seconds: 60))
    let audit = try store.auditPaging(lease, policy: Self.policy, nowNs: Self.nowNs + 2 * Self.secondNs)
    #expect(audit.unmuted == 1)
    #expect(try states() == ["open", "open"])
    #expect(try outbox("state = 'waiting'") == 4)
    // The page, its escalation and the timeline say why it comes only now.
    let reason = "silence #\(number) by ann: new disks"
    let detail = "was muted until 2026-09-21T14:13:22Z by \(reason)"
    #expect(try outbox("state = 'waiting' and detail = '\(detail)'") == 2)
    #expect(try fixture.count("signalbox.incident_timeline where kind = 'unmuted' and detail = '\(reason)'") == 1)
    #expect(throws: StoreError.unknownSilence(number)) {
      try store.endSilence(number, actor: "ann", nowNs: Self.nowNs + 3 * Self.secondNs)
    }
  }

  @Test func whatFollowsFromAHostThatIsDownIsMutedAndPagesOnlyIfItStays() throws {
    try fixture.host()
    let host = Int32(try #require(Int(try fixture.value("select number from signalbox.hosts") ?? "")))
    try apply([change(.opened, "EPI-01", host: host)])
    try apply([change(.opened, "HOST-DOWN", host: host, at: 1, mutes: ["EPI-*", "RES-01"])], at: 1)
    try apply([change(.opened, "RES-01", host: host, at: 2)], at: 2)
    #expect(try states() == ["muted", "open", "muted"])
    #expect(
      try outbox("incident <> (select number from signalbox.incidents where rule = 'HOST-DOWN') and state = 'waiting'")
        == 0)
    try apply([change(.cleared, "HOST-DOWN", host: host, at: 10)], at: 10)
    let lease = try #require(try store.takeLease("paging", holder: "t", seconds: 60))
    // Its consequences end a little later than it does.
    try apply([change(.cleared, "EPI-01", host: host, at: 20)], at: 20)
    #expect(try store.auditPaging(lease, policy: Self.policy, nowNs: Self.nowNs + 30 * Self.secondNs).unmuted == 0)
    #expect(try store.auditPaging(lease, policy: Self.policy, nowNs: Self.nowNs + 80 * Self.secondNs).unmuted == 1)
    #expect(try states() == ["resolved", "resolved", "open"])
  }

  @Test func theSameRuleOnHalfOfTheLiveHostsIsOneIncident() throws {
    for index in 1...8 { try fixture.host("trainer-\(index)", UInt64(index)) }
    try store.connection.execute(
      "update signalbox.epochs set last_seen = timestamptz 'epoch' + interval '\(Self.nowNs / 1000) us'")
    let rows = try store.connection.query("select number from signalbox.hosts order by number")
    let hosts = (0..<rows.count).map { Int32(rows.int($0, 0) ?? 0) }
    try apply(hosts.prefix(3).map { change(.opened, host: $0) })
    #expect(try states() == ["open", "open", "open"])
    try apply([change(.opened, host: hosts[3], at: 5)], at: 5)
    #expect(try states() == ["muted", "muted", "muted", "muted", "open"])
    #expect(try outbox("state = 'waiting'") == 2)
    try apply([change(.opened, host: hosts[4], at: 6)], at: 6)
    #expect(try fixture.count("signalbox.incidents where part_of is not null") == 5)
    try apply(hosts.prefix(5).map { change(.cleared, host: $0, at: 60) }, at: 60)
    #expect(Set(try states()) == ["resolved"])
  }

  @Test func anEndThatWasToldIsNotFollowedByAnOlderMessage() throws {
    try apply([change(.opened)])
    let lease = try #require(try store.takeLease("paging", holder: "t", seconds: 60))
    try apply([change(.cleared, at: 5)], at: 5)
    // As if another collector had delivered the end already.
    try store.connection.execute(
      "update signalbox.outbox set state = 'delivered', settled = now() where event = 'resolve'")
    let claimed = try store.claimDeliveries(
      lease, loads: [:], policy: Self.policy, nowNs: Self.nowNs + 6 * Self.secondNs)
    #expect(claimed.isEmpty)
    #expect(try outbox("event = 'trigger' and state = 'superseded'") == 1)
  }

  /// Two receivers with a fallback, step by step.
  private struct Route {
    let store: Store
    let lease: Lease
    let policy = PagingPolicy(fallback: "safety") { _, nowNs in
      [
        PlannedDelivery(receiver: "duty", dueNs: nowNs),
        PlannedDelivery(receiver: "lead", dueNs: nowNs + 4 * secondNs, step: 1),
      ]
    }

    init(_ store: Store) throws {
      self.store = store
      lease = try #require(try store.takeLease("paging", holder: "t", seconds: 60))
    }

    func claim(_ receiver: String, at seconds: Int64) throws -> Delivery? {
      try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: nowNs + seconds * secondNs).first {
        $0.receiver == receiver
      }
    }

    func settle(_ delivery: Delivery?, _ outcome: DeliveryOutcome, at seconds: Int64) throws {
      try store.settle(
        try #require(delivery), outcome, lease, policy: policy, nowNs: nowNs + seconds * secondNs)
    }
  }

  /// The fallback was paged for the lead, and its end is in flight when the duty refuses as well.
  @Test func anEndUnderWayIsNotFollowedByAnOlderMessage() throws {
    let route = try Route(store)
    try store.apply([change(.opened)], policy: route.policy, nowNs: Self.nowNs)
    let page = try route.claim("duty", at: 0)
    try route.settle(try route.claim("lead", at: 4), .refused(answer: "400"), at: 4)
    try route.settle(try route.claim("safety", at: 4), .delivered(answer: "200"), at: 4)
    try apply([change(.cleared, at: 5)], at: 5)
    let end = try #require(try route.claim("safety", at: 5))
    #expect(end.event == .resolve)
    try route.settle(page, .refused(answer: "400"), at: 6)
    #expect(try outbox("receiver = 'safety' and event = 'trigger'") == 1)
    #expect(try route.claim("safety", at: 7) == nil)
    try route.settle(end, .delivered(answer: "200"), at: 8)
    #expect(try route.claim("safety", at: 9) == nil)
    #expect(try outbox("receiver = 'safety' and state = 'delivered'") == 2)
  }

  /// The end's transaction began before the refusal and waited for it: by its clock the fallback's page is not due yet.
  @Test(arguments: [true, false]) func aFallbackThatAnOlderEndMeetsIsPagedAllTheSame(isAcknowledged: Bool) throws {
    let route = try Route(store)
    try store.apply([change(.opened)], policy: route.policy, nowNs: Self.nowNs)
    try route.settle(try route.claim("duty", at: 0), .refused(answer: "400"), at: 2)
    if isAcknowledged {
      try store.acknowledge(incident: 1, actor: "t", nowNs: Self.nowNs + Self.secondNs)
    } else {
      try apply([change(.cleared, at: 1)], at: 1)
    }
    #expect(try outbox("receiver = 'safety' and event = 'trigger' and state = 'waiting'") == 1)
    #expect(try route.claim("safety", at: 3)?.event == .trigger)
  }

  /// Two receivers refuse one incident, and the fallback may have a step of its own.
  @Test(arguments: [false, true]) func theFallbackIsPagedOnceForAnIncident(hasOwnStep: Bool) throws {
    let policy = PagingPolicy(fallback: "safety") { _, nowNs in
      (["duty", "chat"] + (hasOwnStep ? ["safety"] : [])).enumerated().map { index, receiver in
        PlannedDelivery(receiver: receiver, dueNs: nowNs, step: Int16(index), isEscalation: false)
      }
    }
    let lease = try #require(try store.takeLease("paging", holder: "t", seconds: 60))
    try store.apply([change(.opened)], policy: policy, nowNs: Self.nowNs)
    var messages = 0
    for turn in Int64(0)..<5 {
      let nowNs = Self.nowNs + turn * Self.secondNs
      for delivery in try store.claimDeliveries(lease, loads: [:], policy: policy, nowNs: nowNs) {
        let isFallback = delivery.receiver == "safety"
        messages += isFallback ? 1 : 0
        let outcome = isFallback ? DeliveryOutcome.delivered(answer: "200") : .refused(answer: "410")
        try store.settle(delivery, outcome, lease, policy: policy, nowNs: nowNs)
      }
    }
    #expect(messages == 1)
    #expect(try outbox("receiver = 'safety' and event = 'trigger'") == 1)
  }

  enum Answer: CaseIterable {
    case taken, refused, failed, never
  }

  /// A receiver whose page is in flight as the incident ends is sent the end after that.
  @Test(arguments: Answer.allCases) func anEndWaitsForTheEscalationUnderWay(_ answer: Answer) throws {
    let route = try Route(store)
    try store.apply([change(.opened)], policy: route.policy, nowNs: Self.nowNs)
    try route.settle(try route.claim("duty", at: 0), .delivered(answer: "200"), at: 0)
    let escalation = try #require(try route.claim("lead", at: 4))
    try apply([change(.cleared, at: 5)], at: 5)
    #expect(try route.claim("lead", at: 6) == nil)
    switch answer {
    case .taken: try route.settle(escalation, .delivered(answer: "200"), at: 7)
    case .refused: try route.settle(escalation, .refused(answer: "400"), at: 7)
    case .failed: try route.settle(escalation, .retry(atNs: Self.nowNs + 900 * Self.secondNs, answer: "500"), at: 7)
    case .never: break
    }
    let end = try #require(try route.claim("lead", at: answer == .never ? 70 : 8))
    #expect(end.event == .resolve)
  }

  /// Two collectors at the same moment: one ends the incident, the other learns that the duty's receiver refuses.
  @Test func theFallbackHearsOfAnEndThatIsBeingCommitted() throws {
    let route = try Route(store)
    try store.apply([change(.opened)], policy: route.policy, nowNs: Self.nowNs)
    let page = try #require(try route.claim("duty", at: 0))
    let (lease, policy, url) = (route.lease, route.policy, fixture.database.url)
    let isSettled = DispatchSemaphore(value: 0)
    store.connection.failurePoint = { statement throws(PostgresError) in
      guard statement.contains("pg_notify") else { return }
      Thread.detachNewThread {
        if let other = try? Store.open(url) {
          try? other.settle(page, .refused(answer: "400"), lease, policy: policy, nowNs: Self.nowNs + Self.secondNs)
          other.close()
        }
        isSettled.signal()
      }
      // It must not get anywhere before this is committed.
      _ = isSettled.wait(timeout: .now() + 0.5)
    }
    try apply([change(.cleared, at: 1)], at: 1)
    store.connection.failurePoint = nil
    #expect(isSettled.wait(timeout: .now() + 20) == .success)
    #expect(try outbox("receiver = 'safety' and event = 'trigger'") == 1)
    #expect(try outbox("receiver = 'safety' and event = 'resolve'") == 1)
  }

  @Test func aLeaseHasOneHolderAndANewFenceForEach() throws {
    let first = try #require(try store.takeLease("paging", holder: "a", seconds: 60))
    #expect(try store.takeLease("paging", holder: "b", seconds: 60) == nil)
    #expect(try store.takeLease("paging", holder: "a", seconds: 60) == first)
    try store.releaseLease(first)
    let second = try #require(try store.takeLease("paging", holder: "b", seconds: 60))
    #expect(second.fence == first.fence + 1)
    #expect(throws: StoreError.leaseLost) {
      _ = try store.claimDeliveries(first, loads: [:], policy: Self.policy, nowNs: Self.nowNs)
    }
  }

  @Test func aDedupKeyIsNeverLongerThanReceiversTake() {
    var change = change(.opened)
    change.entity = String(repeating: "ü/", count: 400)
    #expect(change.dedupKey.utf8.count <= 255)
    var other = change
    other.entity += "x"
    #expect(change.dedupKey != other.dedupKey)
  }
}
