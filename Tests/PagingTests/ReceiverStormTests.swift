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

/// Thirty incidents at once, acknowledged and ended, to one receiver of each kind, with the database and without it.
@Suite(.timeLimit(.minutes(10))) struct ReceiverStormTests {
  /// Alertmanager compares with the wall clock, so that all times lie a little in the past.
  let startNs = Clock.wallNs() - 900 * secondNs
  static let secondNs: Int64 = 1_000_000_000
  static let count = 30

  let park: ReceiverPark
  let configuration: PagingConfiguration

  init() throws {
    park = try ReceiverPark()
    var configuration = PagingConfiguration()
    configuration.receivers = park.receivers
    configuration.policies = [.p0: park.receivers.keys.sorted().map { .init(to: $0) }]
    configuration.console = "https://signalbox.example.org"
    self.configuration = configuration
  }

  private func changes(_ kind: IncidentChange.Kind, _ numbers: Range<Int>, at ns: Int64) -> [IncidentChange] {
    numbers.map { number in
      var change = IncidentChange(
        kind, rule: "RES-01", severity: .p0, hostName: "trainer-\(number)", entity: "gpu 3", eventNs: ns, detectedNs: ns
      )
      change.summary = "gpu 3 of trainer-\(number) is wrong"
      change.steps = ["drain the host"]
      change.runbook = "https://signalbox.example.org/runbooks/RES-01.md"
      change.evidence = (0..<400).map { "line \($0) of a log" }
      return change
    }
  }

  private func messagesToPeople() -> (slack: Int, mail: Int) { (park.slackTexts.count, park.mails.count) }

  private func expectNothingOpen() throws {
    #expect(park.openAtPagerDuty.isEmpty)
    #expect(park.openAtWebhook.isEmpty)
    if park.hasAlertmanager { #expect(try park.openAtAlertmanager() == 0) }
  }

  /// A single page holds the steps before the evidence.
  private func expectSteps() {
    let pages = park.slackTexts.filter { $0.contains("gpu 3 of trainer-100 is wrong") }
    let mails = park.mails.map(\.text).filter { $0.contains("gpu 3 of trainer-100 is wrong") }
    #expect(!pages.isEmpty && !mails.isEmpty)
    for text in pages + mails {
      #expect(text.contains("1. drain the host") && text.contains("https://signalbox.example.org/runbooks/RES-01.md"))
      #expect(text.contains("line 0 of a log"))
    }
    #expect(park.mails.allSatisfy { $0.to == ["a@test", "b@test"] })
  }

  @Test func withTheDatabase() throws {
    let database = try TestDatabase()
    let store = try Store.open(database.url, migrating: true)
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    func waiting() throws -> Int64 {
      try store.connection.query("select count(*) from signalbox.outbox where state = 'waiting'").int(0, 0) ?? -1
    }
    /// Works at one instant until no more messages are sent.
    func work(at ns: Int64) throws {
      // A handshake ends many waits without an answer, so that only elapsed time shows that no more answers come.
      var (left, changedNs, round) = (try waiting(), Clock.monotonicNs(), Int64(0))
      while left > 0, Clock.monotonicNs() - changedNs < Self.secondNs {
        _ = try dispatcher.turn(store, nowNs: ns, monotonicNs: round * 600_000_000, isWoken: true)
        dispatcher.wait(maximumMs: 100, descriptors: [], nowNs: ns)
        round += 1
        let now = try waiting()
        if now != left { (left, changedNs) = (now, Clock.monotonicNs()) }
      }
    }
    func apply(_ kind: IncidentChange.Kind, _ numbers: Range<Int>, at ns: Int64) throws {
      try store.apply(changes(kind, numbers, at: ns), policy: configuration.policy, nowNs: ns)
      try work(at: ns)
    }
    // One alone, to see a page by itself; then the storm.
    try apply(.opened, 100..<101, at: startNs)
    expectSteps()
    try apply(.cleared, 100..<101, at: startNs + Self.secondNs)
    try expectNothingOpen()
    let before = messagesToPeople()
    let stormNs = startNs + 120 * Self.secondNs
    try apply(.opened, 0..<Self.count, at: stormNs)
    #expect(try waiting() == 0)
    #expect(messagesToPeople() == (before.slack + 1, before.mail + 1))
    #expect(park.openAtPagerDuty.count == 1 && park.openAtWebhook.count == Self.count)
    if park.hasAlertmanager { #expect(try park.openAtAlertmanager() == Self.count) }

    let numbers = try store.connection.query("select number from signalbox.incidents where state = 'open' order by 1")
    for row in 0..<numbers.count {
      try store.acknowledge(incident: numbers.int(row, 0) ?? 0, actor: "ann", nowNs: stormNs + 60 * Self.secondNs)
    }
    for second in stride(from: 90, through: 240, by: 30) { try work(at: stormNs + Int64(second) * Self.secondNs) }
    #expect(try waiting() == 0)
    #expect(messagesToPeople() == (before.slack + 2, before.mail + 2))
    #expect(park.slackTexts.last?.contains("ACKED: 30 incidents") == true)
    if park.hasAlertmanager { #expect(try park.openAtAlertmanager() == Self.count) }

    let endNs = stormNs + 300 * Self.secondNs
    try apply(.cleared, 0..<Self.count, at: endNs)
    for second in stride(from: 30, through: 150, by: 30) { try work(at: endNs + Int64(second) * Self.secondNs) }
    #expect(try waiting() == 0)
    #expect(messagesToPeople() == (before.slack + 3, before.mail + 3))
    #expect(park.mails.last?.text.contains("RESOLVED: 30 incidents, the whole list has ended") == true)
    try expectNothingOpen()
    let refused = try store.connection.query("select count(*) from signalbox.outbox where state <> 'delivered'").int(
      0, 0)
    #expect(refused == 0)
    #expect(park.mails.allSatisfy { $0.to == ["a@test", "b@test"] })
  }

  @Test func fromMemory() throws {
    let pager = try MemoryPager(Handover(configuration)) { 0 }
    func round(at ns: Int64) {
      pager.turn(at: .init(wallNs: ns, monotonicNs: Handover.patienceNs))
      pager.wait(maximumMs: 100, descriptors: []) { ns }
      pager.turn(at: .init(wallNs: ns, monotonicNs: Handover.patienceNs))
    }
    func work(at ns: Int64) {
      var idle = 0
      for _ in 0..<400 where idle < 6 {
        let before = pager.handover.everythingReported.count { $0.answer != nil }
        round(at: ns)
        idle =
          pager.handover.isSending || pager.handover.everythingReported.count { $0.answer != nil } != before
          ? 0 : idle + 1
      }
    }
    func take(_ kind: IncidentChange.Kind, _ numbers: Range<Int>, at ns: Int64) {
      pager.turn([.changes(changes(kind, numbers, at: ns))], at: .init(wallNs: ns, monotonicNs: 0))
      work(at: ns)
    }
    take(.opened, 100..<101, at: startNs)
    expectSteps()
    take(.cleared, 100..<101, at: startNs + Self.secondNs)
    try expectNothingOpen()
    let before = messagesToPeople()
    let stormNs = startNs + 120 * Self.secondNs
    take(.opened, 0..<Self.count, at: stormNs)
    #expect(messagesToPeople() == (before.slack + 1, before.mail + 1))
    #expect(park.openAtPagerDuty.count == 1 && park.openAtWebhook.count == Self.count)
    if park.hasAlertmanager { #expect(try park.openAtAlertmanager() == Self.count) }
    let endNs = stormNs + 300 * Self.secondNs
    take(.cleared, 0..<Self.count, at: endNs)
    for second in stride(from: 30, through: 150, by: 30) { work(at: endNs + Int64(second) * Self.secondNs) }
    #expect(messagesToPeople() == (before.slack + 2, before.mail + 2))
    #expect(park.mails.last?.text.contains("RESOLVED: 30 incidents, the whole list has ended") == true)
    try expectNothingOpen()
  }
}
