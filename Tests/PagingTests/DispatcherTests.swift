import FleetModel
import Incidents
import Outbound
import Paging
import Postgres
import SiteConfiguration
import Store
import TLS
import TestSupport
import Testing

/// Real rows, a real receiver; time is a number.
@Suite(.timeLimit(.minutes(10))) struct DispatcherTests {
  static let nowNs: Int64 = 1_790_000_000_000_000_000
  static let minuteNs: Int64 = 60_000_000_000

  let database: TestDatabase
  let store: Store
  let receiver: TestReceiver

  init() throws {
    database = try TestDatabase()
    store = try Store.open(database.url, migrating: true)
    receiver = try TestReceiver()
  }

  func configuration(_ path: String = "200/duty") -> PagingConfiguration {
    var configuration = PagingConfiguration()
    configuration.receivers = [
      "duty": .webhook(url: receiver.url(path), secrets: ["topsecret"]),
      "lead": .webhook(url: receiver.url("200/lead"), secrets: []),
    ]
    configuration.policies = [.p0: [.init(to: "duty"), .init(to: "lead", afterNs: 15 * Self.minuteNs)]]
    return configuration
  }

  func change(
    _ kind: IncidentChange.Kind, _ rule: String = "RES-01", at ns: Int64 = nowNs
  ) -> IncidentChange {
    var change = IncidentChange(
      kind, rule: rule, severity: .p0, hostName: "trainer-1", entity: "gpu 3", eventNs: ns - 5_000_000, detectedNs: ns)
    change.summary = "GPU 3 fell off the bus"
    change.steps = ["drain the host"]
    change.evidence = ["Xid 79"]
    return change
  }

  /// Works until `isDone`, at one instant of wall time; the thread's own timers run on.
  func work(_ dispatcher: Dispatcher, nowNs: Int64 = nowNs, until isDone: () throws -> Bool) throws {
    for round in 0..<400 {
      _ = try dispatcher.turn(store, nowNs: nowNs, monotonicNs: Int64(round) * 600_000_000, isWoken: true)
      if try isDone() { return }
      dispatcher.wait(maximumMs: 50, descriptors: [], nowNs: nowNs)
    }
    Issue.record("it did not come")
  }

  func count(_ condition: String) throws -> Int64 {
    try store.connection.query("select count(*) from signalbox.outbox where \(condition)").int(0, 0) ?? -1
  }

  func incident() throws -> Int64 {
    try store.connection.query("select max(number) from signalbox.incidents").int(0, 0) ?? -1
  }

  @Test func aChangeBecomesOneSignedPost() throws {
    let configuration = configuration()
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("state = 'delivered'") == 1 }
    let requests = receiver.requests()
    #expect(requests.count == 1)
    let request = try #require(requests.first)
    #expect(request.body["event"] as? String == "trigger")
    #expect(request.body["rule"] as? String == "RES-01")
    #expect(request.body["severity"] as? String == "P0")
    #expect(request.body["host"] as? String == "trainer-1")
    #expect(request.body["steps"] as? [String] == ["drain the host"])
    #expect(request.body["evidence"] as? [String] == ["Xid 79"])
    #expect((request.body["dedup_key"] as? String)?.hasPrefix("RES-01|trainer-1|gpu 3|") == true)
    let id = try #require(request.headers["webhook-id"])
    let time = try #require(request.headers["webhook-timestamp"])
    let signed = Array("\(id).\(time).\(request.raw)".utf8)
    let signature = Base64.standard.encode(Digest.hmacSHA256(key: Array("topsecret".utf8), signed))
    #expect(request.headers["webhook-signature"] == "v1,\(signature)")
    let milliseconds = try store.connection.query("select event_to_page_ms from signalbox.incidents").int(0, 0)
    #expect(milliseconds == 5)
  }

  @Test func anAckStopsTheEscalationAndAClearResolves() throws {
    let configuration = configuration()
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("state = 'delivered'") == 1 }
    try store.acknowledge(incident: try incident(), actor: "ann", nowNs: Self.nowNs + 1)
    try store.acknowledge(incident: try incident(), actor: "bob", nowNs: Self.nowNs + 2)
    let later = Self.nowNs + 20 * Self.minuteNs
    try work(dispatcher, nowNs: later) { try count("state = 'delivered'") == 2 }
    try store.apply([change(.cleared, at: later)], policy: configuration.policy, nowNs: later)
    try work(dispatcher, nowNs: later) { try count("state = 'delivered'") == 3 }
    #expect(receiver.requests().map { $0.body["event"] as? String } == ["trigger", "acknowledge", "resolve"])
    #expect(receiver.requests()[1].body["acked_by"] as? String == "ann")
    #expect(try count("event = 'escalate' and state = 'cancelled'") == 1)
  }

  @Test func withoutAnAckTheLeadIsToldWhenTheStepIsDueAndNotBefore() throws {
    let configuration = configuration()
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher, nowNs: Self.nowNs + 14 * Self.minuteNs) { try count("state = 'delivered'") == 1 }
    #expect(receiver.requests().map(\.path) == ["/200/duty"])
    try work(dispatcher, nowNs: Self.nowNs + 15 * Self.minuteNs) { try count("state = 'delivered'") == 2 }
    #expect(receiver.requests().map(\.path) == ["/200/duty", "/200/lead"])
    #expect(receiver.requests()[1].body["event"] as? String == "escalate")
  }

  @Test func aHolderThatDiesBetweenAnswerAndCommitIsFollowedByOneThatSendsTheSameId() throws {
    let configuration = configuration()
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    do {
      let dying = try Dispatcher(configuration, holder: "a") { 0 }
      _ = try dying.turn(store, nowNs: Self.nowNs, monotonicNs: 0, isWoken: true)
      // The answer arrives and is not settled, as if the process were killed here.
      while receiver.requests().isEmpty { dying.wait(maximumMs: 50, descriptors: [], nowNs: Self.nowNs) }
    }
    let next = try Dispatcher(configuration, holder: "b") { 0 }
    let early = try next.turn(store, nowNs: Self.nowNs, monotonicNs: 0, isWoken: true)
    #expect(!early.becameHolder)
    try store.connection.execute("update signalbox.leases set expires = now()")
    let taken = try next.turn(store, nowNs: Self.nowNs, monotonicNs: 2_000_000_000, isWoken: true)
    // The holder before may be about to settle the answer.
    #expect(taken.becameHolder && receiver.requests().count == 1)
    try work(next, nowNs: Self.nowNs + 3_000_000_000) { try count("state = 'delivered'") == 1 }
    let ids = receiver.requests().compactMap { $0.headers["webhook-id"] }
    #expect(ids.count == 2)
    #expect(Set(ids).count == 1)
  }

  @Test func aHolderWhoseLeaseIsOverNotesOnlyWhatAReceiverTook() throws {
    for (path, isTaken) in [("200/duty", true), ("500/duty", false)] {
      let configuration = configuration(path)
      try store.connection.execute("delete from signalbox.incidents")
      try store.connection.execute("delete from signalbox.leases")
      try store.apply([change(.opened, "RES-\(isTaken)")], policy: configuration.policy, nowNs: Self.nowNs)
      let stopped = try Dispatcher(configuration, holder: "a") { 0 }
      _ = try stopped.turn(store, nowNs: Self.nowNs, monotonicNs: 0, isWoken: true)
      let before = receiver.requests().count
      while receiver.requests().count == before { stopped.wait(maximumMs: 50, descriptors: [], nowNs: Self.nowNs) }
      try store.connection.execute("update signalbox.leases set expires = now()")
      let next = try Dispatcher(configuration, holder: "b") { 0 }
      _ = try next.turn(store, nowNs: Self.nowNs - 1_000_000_000, monotonicNs: 0, isWoken: false)
      stopped.wait(maximumMs: 1000, descriptors: [], nowNs: Self.nowNs)
      _ = try stopped.turn(store, nowNs: Self.nowNs, monotonicNs: 1, isWoken: true)
      #expect(try count("state = 'delivered'") == (isTaken ? 1 : 0))
      #expect(try count("last_answer like '500%'") == 0)
    }
  }

  @Test func aReceiverThatFailsOnceGetsTheSameMessageAgain() throws {
    let configuration = configuration("once-500/duty")
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("attempts = 1 and last_answer like '500%'") == 1 }
    try work(dispatcher, nowNs: Self.nowNs + 2_000_000_000) { try count("state = 'delivered'") == 1 }
    let ids = receiver.requests().compactMap { $0.headers["webhook-id"] }
    #expect(ids.count == 2)
    #expect(Set(ids).count == 1)
  }

  @Test(arguments: ["400/duty", "302/duty"])
  func aReceiverThatRefusesIsNotAskedAgainAndTheFallbackIsTold(_ path: String) throws {
    var configuration = configuration(path)
    configuration.fallback = "lead"
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("state = 'delivered' and receiver = 'lead'") == 1 }
    #expect(try count("state = 'refused'") == 1)
    #expect(receiver.requests().map(\.path) == ["/\(path)", "/200/lead"])
  }

  @Test func aReceiverThatHangsHoldsUpNobodyElse() throws {
    var configuration = configuration("hang/duty")
    configuration.policies = [.p0: [.init(to: "duty"), .init(to: "lead")]]
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("state = 'delivered' and receiver = 'lead'") == 1 }
    #expect(try count("state = 'waiting' and receiver = 'duty'") == 1)
  }

  @Test func aStormBecomesFewMessagesThatNameEverything() throws {
    let configuration = configuration()
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    let changes = (0..<600).map { change(.opened, "RULE-\($0)") }
    try store.apply(changes, policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("event = 'trigger' and state = 'waiting'") == 0 }
    let requests = receiver.requests()
    #expect(requests.count <= 5)
    let paged = requests.map { $0.body["count"] as? Int ?? 1 }.reduce(0, +)
    #expect(paged == 600)
  }

  @Test func whoeverTakesATurnIsPagedAndShownAsOnCall() throws {
    var configuration = configuration()
    configuration.schedules = [
      "primary": Schedule(rotation: ["duty"], turnSeconds: 86_400, startLocalSeconds: 0, zone: .utc)
    ]
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    _ = try dispatcher.turn(store, nowNs: Self.nowNs, monotonicNs: 0, isWoken: true)
    func override(_ schedule: String, _ receiver: String) throws -> Int64 {
      try store.addOverride(
        OnCallOverride(
          schedule: schedule, receiver: receiver, startsNs: Self.nowNs, endsNs: Self.nowNs + Self.minuteNs,
          author: "ann"))
    }
    #expect(throws: StoreError.unknownTarget("secondary", known: ["primary"])) { try override("secondary", "lead") }
    #expect(throws: StoreError.unknownTarget("bob", known: ["duty", "lead"])) { try override("primary", "bob") }
    _ = try override("primary", "lead")
    _ = try dispatcher.turn(store, nowNs: Self.nowNs + 1, monotonicNs: 60_000_000_000, isWoken: true)
    #expect(try store.connection.query("select receiver from signalbox.on_call").text(0, 0) == "lead")
    // Whoever takes it over, the rotation's turns are its own.
    #expect(
      try store.connection.query(
        "select count(*) || ' ' || min(receiver) || ' ' || (max(ends) - min(starts) between interval '56 days' and interval '57 days') from signalbox.on_call_turns"
      ).text(0, 0) == "57 duty true")
    try store.enqueue(.test, to: "primary", detail: "", nowNs: Self.nowNs + 1)
    try work(dispatcher, nowNs: Self.nowNs + 1) { try count("state = 'delivered' and receiver = 'lead'") == 1 }
  }

  @Test func aTestOfAPolicyReachesEverybodyItNames() throws {
    let dispatcher = try Dispatcher(configuration(), holder: "a") { 0 }
    let row = try store.enqueue(.test, to: "policy:P0", detail: "", nowNs: Self.nowNs)
    try work(dispatcher) { try count("state = 'delivered'") == 3 }
    #expect(try store.deliveryReports(row).isSettled)
    #expect(try store.deliveryReports(row).reports.map(\.state) == [.delivered, .delivered])
    #expect(Set(receiver.requests().map(\.path)) == ["/200/duty", "/200/lead"])
    let unknown = try store.enqueue(.test, to: "dutty", detail: "", nowNs: Self.nowNs)
    try work(dispatcher) { try store.deliveryReports(unknown).reports.first?.state == .refused }
  }

  /// A receiver that refuses fails the test of the whole policy.
  @Test func aTestOfAPolicyIsDeliveredOnlyWhereAllReceiversAcceptedIt() throws {
    var configuration = configuration()
    configuration.receivers["lead"] = .webhook(url: receiver.url("403/lead"), secrets: [])
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    let row = try store.enqueue(.test, to: "policy:P0", detail: "", nowNs: Self.nowNs)
    try work(dispatcher) { try store.deliveryReports(row).isSettled }
    let reports = try store.deliveryReports(row).reports
    #expect(reports.map(\.receiver) == ["duty", "lead"])
    #expect(reports.map(\.state) == [.delivered, .refused] && reports[1].answer.hasPrefix("403"))
    #expect(try count("number = \(row) and state = 'refused' and last_answer like '%lead: 403%'") == 1)
  }

  @Test func aTestLeavesNoAlertOpen() throws {
    var configuration = configuration()
    configuration.receivers["duty"] = .pagerDuty(url: receiver.url("202/duty"), routingKey: "k")
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.enqueue(.test, to: "duty", detail: "from ann", nowNs: Self.nowNs)
    try work(dispatcher) { try count("state = 'delivered'") == 2 }
    #expect(receiver.requests().map { $0.body["event_action"] as? String } == ["trigger", "resolve"])
    #expect(Set(receiver.requests().compactMap { $0.body["dedup_key"] as? String }).count == 1)
  }

  /// At once: not with the next audit, up to 15 s later.
  @Test func anOverrideHoldsAtOnceAndCanBeEnded() throws {
    var configuration = configuration()
    configuration.schedules["primary"] = Schedule(
      rotation: ["duty"], turnSeconds: 86_400, startLocalSeconds: 0, zone: .utc)
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    func onCall(_ monotonicNs: Int64) throws -> String? {
      _ = try dispatcher.turn(store, nowNs: Self.nowNs + monotonicNs, monotonicNs: monotonicNs, isWoken: true)
      return try store.connection.query("select receiver from signalbox.on_call").text(0, 0)
    }
    #expect(try onCall(0) == "duty")
    let number = try store.addOverride(
      OnCallOverride(
        schedule: "primary", receiver: "lead", startsNs: Self.nowNs, endsNs: Self.nowNs + Self.minuteNs, author: "ann"))
    #expect(try onCall(1) == "lead")
    try store.endOverride(number, actor: "bob", nowNs: Self.nowNs + 2)
    #expect(try onCall(3) == "duty")
    #expect(throws: StoreError.unknownOverride(number)) {
      try store.endOverride(number, actor: "bob", nowNs: Self.nowNs + 4)
    }
  }

  /// Such as one renamed by mistake: without its end the alert would stay open there.
  @Test func anEndWaitsForAReceiverThatIsNotThere() throws {
    let configuration = configuration()
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("state = 'delivered'") == 1 }
    var renamed = configuration
    renamed.receivers["duty"] = nil
    dispatcher.replace(renamed)
    let later = Self.nowNs + Self.minuteNs
    try store.apply([change(.cleared, at: later)], policy: renamed.policy, nowNs: later)
    try work(dispatcher, nowNs: later) { try count("event = 'resolve' and attempts > 0") == 1 }
    #expect(try count("event = 'resolve' and state = 'waiting' and last_answer like 'no such receiver%'") == 1)
    dispatcher.replace(configuration)
    try work(dispatcher, nowNs: later + 2 * Self.minuteNs) {
      try count("event = 'resolve' and state = 'delivered'") == 1
    }
    #expect(receiver.requests().last?.body["event"] as? String == "resolve")
  }

  @Test func aSecondReceiverOfTheFirstMomentIsNoEscalation() throws {
    var configuration = configuration()
    configuration.policies = [.p0: [.init(to: "duty"), .init(to: "lead"), .init(to: "duty", afterNs: Self.minuteNs)]]
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("state = 'delivered'") == 2 }
    #expect(receiver.requests().map { $0.body["event"] as? String } == ["trigger", "trigger"])
    #expect(try count("event = 'escalate'") == 1)
  }

  /// Another collector, or the same one after a restart: neither has sent the receiver anything.
  @Test(arguments: ["b", "a"]) func aPauseThatAReceiverAskedForHoldsForEveryHolderOfTheLease(_ next: String) throws {
    let configuration = configuration("once-429~30/duty")
    let first = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(first) { try count("attempts = 1 and last_answer like '429%'") == 1 }
    try store.connection.execute("update signalbox.leases set expires = now()")
    let second = try Dispatcher(configuration, holder: next) { 0 }
    let early = Self.nowNs + 29_000_000_000
    try store.apply([change(.opened, "RES-02", at: early)], policy: configuration.policy, nowNs: early)
    for round in 0..<4 {
      _ = try second.turn(store, nowNs: early, monotonicNs: Int64(round) * 16_000_000_000, isWoken: true)
      second.wait(maximumMs: 200, descriptors: [], nowNs: early)
    }
    #expect(second.lease != nil && receiver.requests().count == 1)
    try work(second, nowNs: Self.nowNs + 31_000_000_000) { try count("state = 'delivered'") == 2 }
  }
}
