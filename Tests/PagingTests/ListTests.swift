import Files
import FleetModel
import Foundation
import Incidents
import Paging
import Postgres
import Store
import TestSupport
import SiteConfiguration
import Testing

/// Lists of many incidents, from rows and from memory, with a real receiver; time is a number.
@Suite(.timeLimit(.minutes(10))) struct ListTests {
  static let nowNs: Int64 = 1_790_000_000_000_000_000
  static let secondNs: Int64 = 1_000_000_000

  let receiver: TestReceiver

  init() throws { receiver = try TestReceiver() }

  private func configuration(_ duty: Receiver, perMinute: Int) -> PagingConfiguration {
    var configuration = PagingConfiguration()
    configuration.receivers = ["duty": duty]
    configuration.policies = [.p0: [.init(to: "duty")]]
    configuration.messagesPerMinute = perMinute
    return configuration
  }

  private func webhook(_ path: String) -> Receiver { .webhook(url: receiver.url(path), secrets: []) }
  private func pagerDuty() -> Receiver { .pagerDuty(url: receiver.url("202/duty"), routingKey: "k") }

  private func changes(_ kind: IncidentChange.Kind, _ entities: [String], at ns: Int64 = nowNs) -> [IncidentChange] {
    entities.map { entity in
      var change = IncidentChange(
        kind, rule: "RES-01", severity: .p0, hostName: "trainer-1", entity: entity, eventNs: ns, detectedNs: ns)
      change.summary = "\(entity) is wrong"
      return change
    }
  }

  private func entities(_ count: Int, _ name: String = "gpu") -> [String] { (0..<count).map { "\(name) \($0)" } }

  private func requests(_ path: String = "duty") -> [TestReceiver.Request] {
    receiver.requests().filter { $0.path.hasSuffix(path) }
  }

  private var openAlerts: Set<String> { receiver.openAlerts("duty") }

  // MARK: From memory

  private func take(_ pager: MemoryPager, _ changes: [IncidentChange]) {
    pager.turn([.changes(changes)], at: .init(wallNs: changes[0].detectedNs, monotonicNs: 0))
  }

  private func taken(_ pager: MemoryPager) -> Int { pager.handover.everythingReported.count { $0.answer != nil } }

  /// One round at an instant after `patienceNs` of all changes.
  private func round(_ pager: MemoryPager, at ns: Int64, waitMs: Int = 50) {
    let now = Handover.Moment(wallNs: ns, monotonicNs: Handover.patienceNs)
    pager.turn(at: now)
    pager.wait(maximumMs: waitMs, descriptors: []) { ns }
    pager.turn(at: now)
  }

  private func work(_ pager: MemoryPager, at ns: Int64, until isDone: () -> Bool) {
    for _ in 0..<400 {
      round(pager, at: ns)
      if isDone() { return }
    }
    Issue.record("it did not come: \(requests().map(\.body))")
  }

  @Test func endsFromMemoryCountAgainstWhatIsInFlight() throws {
    var configuration = configuration(webhook("200/duty"), perMinute: 1000)
    let pager = try MemoryPager(Handover(configuration)) { 0 }
    take(pager, changes(.opened, entities(20)))
    work(pager, at: Self.nowNs) { taken(pager) == 20 }
    configuration.receivers["duty"] = webhook("hang/duty")
    pager.turn([.configured(configuration)], at: .init(wallNs: Self.nowNs, monotonicNs: Handover.patienceNs))
    take(pager, changes(.cleared, entities(20), at: Self.nowNs + Self.secondNs))
    work(pager, at: Self.nowNs + 2 * Self.secondNs) { receiver.requests().count { $0.path == "/hang/duty" } >= 8 }
    for _ in 0..<5 { round(pager, at: Self.nowNs + 2 * Self.secondNs) }
    #expect(receiver.requests().count { $0.path == "/hang/duty" } == 8)
  }

  @Test func aListFromMemoryWithoutAnAnswerIsSentAgainAsThatList() throws {
    var configuration = configuration(webhook("200/duty"), perMinute: 5)
    let pager = try MemoryPager(Handover(configuration)) { 0 }
    take(pager, changes(.opened, entities(3)))
    work(pager, at: Self.nowNs) { taken(pager) == 3 }
    configuration.receivers["duty"] = webhook("once-500/duty")
    pager.turn([.configured(configuration)], at: .init(wallNs: Self.nowNs, monotonicNs: Handover.patienceNs))
    let later = Self.nowNs + Self.secondNs
    take(pager, changes(.opened, entities(3, "disk"), at: later))
    work(pager, at: later) { requests("once-500/duty").count == 1 && !pager.handover.isSending }
    // By then each of them alone would be within the limit.
    work(pager, at: later + 70 * Self.secondNs) { taken(pager) == 6 }
    #expect(Set(requests("once-500/duty").compactMap { $0.headers["webhook-id"] }).count == 1)
    #expect(requests("once-500/duty").map { $0.body["count"] as? Int } == [3, 3])
  }

  @Test func oneIncidentFromMemoryIsNeverAList() throws {
    let pager = try MemoryPager(Handover(configuration(webhook("200/duty"), perMinute: 1))) { 0 }
    take(pager, changes(.opened, ["gpu 0"]))
    work(pager, at: Self.nowNs) { taken(pager) == 1 }
    let later = Self.nowNs + 30 * Self.secondNs
    let second = changes(.opened, ["gpu 1"], at: later)
    take(pager, second)
    work(pager, at: later) { taken(pager) == 2 }
    let request = try #require(requests().last)
    #expect(request.body["incidents"] == nil && request.body["entity"] as? String == "gpu 1")
    let id = PageID.of(dedupKey: second[0].dedupKey, change: 1, event: .trigger, receiver: "duty", step: 0)
    #expect(request.headers["webhook-id"] == id)
  }

  @Test func aListFromMemoryIsOneAlertThatEndsWithTheLastOfIt() throws {
    let pager = try MemoryPager(Handover(configuration(pagerDuty(), perMinute: 2))) { 0 }
    take(pager, changes(.opened, entities(8)))
    work(pager, at: Self.nowNs) { taken(pager) == 8 }
    #expect(openAlerts.count == 1)
    let later = Self.nowNs + 90 * Self.secondNs
    take(pager, changes(.cleared, entities(7), at: later))
    for _ in 0..<5 { round(pager, at: later) }
    #expect(openAlerts.count == 1)
    take(pager, changes(.cleared, ["gpu 7"], at: later + Self.secondNs))
    work(pager, at: later + 40 * Self.secondNs) { openAlerts.isEmpty }
  }

  // MARK: From rows

  private func work(
    _ dispatcher: Dispatcher, _ store: Store, at ns: Int64, until isDone: () throws -> Bool
  ) throws {
    for round in 0..<400 {
      _ = try dispatcher.turn(store, nowNs: ns, monotonicNs: Int64(round) * 600_000_000, isWoken: true)
      if try isDone() { return }
      dispatcher.wait(maximumMs: 50, descriptors: [], nowNs: ns)
    }
    Issue.record("it did not come: \(requests().map(\.body))")
  }

  private func waiting(_ store: Store) throws -> Int64 {
    try store.connection.query("select count(*) from signalbox.outbox where state = 'waiting'").int(0, 0) ?? -1
  }

  @Test func aListIsOneAlertThatIsAcknowledgedAndEndsWithTheLastOfIt() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    let configuration = configuration(pagerDuty(), perMinute: 2)
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply(changes(.opened, entities(8)), policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher, store, at: Self.nowNs) { try waiting(store) == 0 }
    let list = try #require(openAlerts.first)
    #expect(openAlerts.count == 1)
    for number in 1...8 {
      try store.acknowledge(incident: Int64(number), actor: "ann", nowNs: Self.nowNs + Self.secondNs)
      if number == 7 {
        try work(dispatcher, store, at: Self.nowNs + 70 * Self.secondNs) { try waiting(store) == 0 }
        #expect(requests().count == 1)
      }
    }
    try work(dispatcher, store, at: Self.nowNs + 140 * Self.secondNs) { try waiting(store) == 0 }
    #expect(requests().map { $0.body["event_action"] as? String } == ["trigger", "acknowledge"])
    let later = Self.nowNs + 300 * Self.secondNs
    try store.apply(changes(.cleared, entities(7), at: later), policy: configuration.policy, nowNs: later)
    try work(dispatcher, store, at: later) { try waiting(store) == 0 }
    #expect(openAlerts == [list])
    try store.apply(changes(.cleared, ["gpu 7"], at: later), policy: configuration.policy, nowNs: later)
    try work(dispatcher, store, at: later + 70 * Self.secondNs) { try waiting(store) == 0 }
    #expect(openAlerts.isEmpty)
  }

  /// Paged in a list at first and by itself when it was reopened: two alerts, and both end.
  @Test func aReceiverPagedBothWaysIsSentBothEnds() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    let configuration = configuration(pagerDuty(), perMinute: 2)
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    func apply(_ kind: IncidentChange.Kind, _ entities: [String], at ns: Int64) throws {
      try store.apply(changes(kind, entities, at: ns), policy: configuration.policy, nowNs: ns)
      try work(dispatcher, store, at: ns + Self.secondNs) { try waiting(store) == 0 }
    }
    try apply(.opened, entities(4), at: Self.nowNs)
    try apply(.cleared, ["gpu 0"], at: Self.nowNs + 100 * Self.secondNs)
    try apply(.opened, ["gpu 0"], at: Self.nowNs + 200 * Self.secondNs)
    #expect(openAlerts.count == 2)
    try apply(.cleared, entities(4), at: Self.nowNs + 300 * Self.secondNs)
    #expect(openAlerts.isEmpty)
  }

  /// A list that memory began is sent by the rows as that list, under its id.
  @Test func aListThatMemoryBeganStaysOne() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    let configuration = configuration(webhook("200/duty"), perMinute: 5)
    let opened = changes(.opened, entities(3))
    try store.apply(opened, policy: configuration.policy, nowNs: Self.nowNs)
    let pages = opened.map { change in
      var page = LocalPage(
        dedupKey: change.dedupKey, receiver: "duty",
        messageID: PageID.of(dedupKey: change.dedupKey, change: 1, event: .trigger, receiver: "duty", step: 0),
        atNs: Self.nowNs)
      page.bundle = "msg_b"
      return page
    }
    try store.reconcile(pages, nowNs: Self.nowNs)
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try work(dispatcher, store, at: Self.nowNs + 21 * Self.secondNs) { try waiting(store) == 0 }
    #expect(requests().map { $0.headers["webhook-id"] } == ["msg_b"])
  }

  // MARK: Pauses

  @Test func aPauseHoldsAllMessagesToItsReceiver() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    let configuration = configuration(.pagerDuty(url: receiver.url("once-429/duty"), routingKey: "k"), perMinute: 20)
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply(changes(.opened, ["gpu 0"]), policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher, store, at: Self.nowNs) { requests().count == 1 }
    dispatcher.wait(maximumMs: 500, descriptors: [], nowNs: Self.nowNs)
    try store.apply(changes(.opened, entities(5, "disk")), policy: configuration.policy, nowNs: Self.nowNs)
    for second in [1, 30, 59] {
      for round in 0..<3 {
        _ = try dispatcher.turn(
          store, nowNs: Self.nowNs + Int64(second) * Self.secondNs, monotonicNs: Int64(round) * 600_000_000,
          isWoken: true)
        dispatcher.wait(maximumMs: 50, descriptors: [], nowNs: Self.nowNs + Int64(second) * Self.secondNs)
      }
    }
    #expect(requests().count == 1)
    try work(dispatcher, store, at: Self.nowNs + 61 * Self.secondNs) { try waiting(store) == 0 }
    #expect(requests().count == 7)
  }
}
