import FleetModel
import Incidents
import Paging
import Postgres
import SiteConfiguration
import Store
import TestSupport
import Testing

/// What of paging needs a person, as the audit counts it and `fleet status` shows it.
extension DispatcherTests {
  private func problems(atNs nowNs: Int64) throws -> PagingProblems {
    let reader = try FleetReader(database.url)
    defer { reader.close() }
    return try reader.pagingProblems(nowNs: nowNs)
  }

  /// Opens an incident that a receiver takes, and ends it where the receiver refuses the end for good.
  private func refuseAnEnd(_ dispatcher: Dispatcher, at laterNs: Int64) throws -> [Dispatcher.Refusal] {
    let configuration = configuration()
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("state = 'delivered'") == 1 }
    dispatcher.replace(self.configuration("400/duty"))
    try store.apply([change(.cleared, at: laterNs)], policy: configuration.policy, nowNs: laterNs)
    for round in 0..<400 {
      let report = try dispatcher.turn(
        store, nowNs: laterNs, monotonicNs: Int64(1000 + round) * 600_000_000, isWoken: true)
      if !report.refused.isEmpty { return report.refused }
      dispatcher.wait(maximumMs: 50, descriptors: [], nowNs: laterNs)
    }
    return []
  }

  /// The fallback is not paged for an end, so that without this the receiver's alert stays open and no one knows.
  @Test func anEndThatIsRefusedForGoodIsReported() throws {
    let dispatcher = try Dispatcher(configuration(), holder: "a") { 0 }
    let later = Self.nowNs + Self.minuteNs
    let refused = try refuseAnEnd(dispatcher, at: later)
    let number = try incident()
    #expect(refused.map(\.receiver) == ["duty"] && refused.map(\.incident) == [number])
    #expect(refused.map(\.leavesAlertOpen) == [true])
    let entry = try store.connection.query("select detail from signalbox.incident_timeline where kind = 'news refused'")
    #expect(entry.text(0, 0) == "duty: 400 ok")
    let shown = try problems(atNs: later + Self.minuteNs)
    #expect(shown.refusedEnds == [.init(receiver: "duty", count: 1, incident: number, answer: "400 ok")])
    #expect(shown.late.isEmpty)
    #expect(
      shown.sentences == [
        "1 end was refused for good within a day: 1 by duty; the newest, of incident \(number) by duty: 400 ok; "
          + "close its alert there by hand where still open"
      ])
    let lease = try #require(dispatcher.lease)
    let audit = try store.auditPaging(lease, policy: configuration().policy, nowNs: later + Self.minuteNs)
    #expect(audit.problems == shown)
    #expect(try problems(atNs: later + 1441 * Self.minuteNs).sentences.isEmpty)
  }

  /// A reopened incident keeps its key, so that its next end closes the same alert.
  @Test func aRefusedEndIsOverOnceALaterOneIsDelivered() throws {
    let dispatcher = try Dispatcher(configuration(), holder: "a") { 0 }
    let later = Self.nowNs + Self.minuteNs
    _ = try refuseAnEnd(dispatcher, at: later)
    #expect(try problems(atNs: later + 1).refusedEndCount == 1)
    dispatcher.replace(configuration())
    let policy = configuration().policy
    try store.apply([change(.opened, at: later + 10_000_000_000)], policy: policy, nowNs: later + 10_000_000_000)
    try work(dispatcher, nowNs: later + 10_000_000_000) { try count("event = 'trigger' and state = 'delivered'") == 2 }
    let end = later + 20_000_000_000
    try store.apply([change(.cleared, at: end)], policy: policy, nowNs: end)
    try work(dispatcher, nowNs: end) { try count("event = 'resolve' and state = 'delivered'") == 1 }
    let incidents = try store.connection.query("select count(*) from signalbox.incidents").int(0, 0)
    #expect(incidents == 1)
    #expect(try problems(atNs: end + 1).refusedEnds.isEmpty)
  }

  @Test func whatIsLateNamesItsReceivers() throws {
    var configuration = configuration("503/duty")
    configuration.policies = [.p0: [.init(to: "duty"), .init(to: "lead")]]
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try store.apply([change(.opened)], policy: configuration.policy, nowNs: Self.nowNs)
    try work(dispatcher) { try count("last_answer like '503%'") == 1 && count("state = 'delivered'") == 1 }
    try store.apply([change(.opened, "RES-02")], policy: configuration.policy, nowNs: Self.nowNs + 1)
    let shown = try problems(atNs: Self.nowNs + 2 * Self.minuteNs)
    #expect(shown.lateReceivers == "2 to duty, 1 to lead" && shown.lateCount == 3)
    let first = try incident() - 1
    #expect(
      shown.sentences == [
        "3 messages are late by a minute or more: 2 to duty, 1 to lead; the oldest, of incident \(first) to duty: "
          + "the last answer: 503 ok"
      ])
    #expect(try problems(atNs: Self.nowNs + Self.minuteNs / 2).late.isEmpty)
  }

  /// The row of the policy's test only waits for its parts.
  @Test func aTestOfAPolicyThatIsLateNamesTheReceiversNotThePolicy() throws {
    let dispatcher = try Dispatcher(configuration("503/duty"), holder: "a") { 0 }
    try store.enqueue(.test, to: "policy:P0", detail: "", nowNs: Self.nowNs)
    try work(dispatcher) { try count("last_answer like '503%'") == 1 && count("state = 'delivered'") == 1 }
    #expect(try problems(atNs: Self.nowNs + 2 * Self.minuteNs).lateReceivers == "1 to duty")
  }
}
