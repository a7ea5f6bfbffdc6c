import FleetModel
import Incidents
import Paging
import SiteConfiguration
import Store
import TestSupport
import Testing

extension DispatcherTests {
  /// The end of a silence over many incidents is sent as a list, which says what holds for all of it and no more.
  @Test(arguments: [true, false]) func aListOfWhatWasMutedSaysSoWhereAllOfItWas(isAll: Bool) throws {
    var configuration = configuration()
    configuration.messagesPerMinute = 1
    configuration.policies = [.p0: [.init(to: "duty")]]
    let policy = configuration.policy
    var silence = Silence(
      author: "ann", reason: "new disks", startsNs: Self.nowNs, endsNs: Self.nowNs + 60 * Self.minuteNs)
    silence.rule = "RES-*"
    let number = try store.addSilence(silence, nowNs: Self.nowNs)
    try store.apply(
      ["RES-01", "RES-02"].map { change(.opened, $0) }, policy: policy, nowNs: Self.nowNs)
    let now = Self.nowNs + 1_000_000_000
    try store.endSilence(number, actor: "ann", nowNs: now)
    let lease = try #require(try store.takeLease("paging", holder: "a", seconds: 60))
    #expect(try store.auditPaging(lease, policy: policy, nowNs: now).unmuted == 2)
    if !isAll { try store.apply([change(.opened, "NET-01", at: now)], policy: policy, nowNs: now) }
    let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
    try work(dispatcher, nowNs: now) { try count("state = 'delivered'") == (isAll ? 2 : 3) }
    let request = try #require(receiver.requests().first)
    #expect(receiver.requests().count == 1 && request.body["count"] as? Int == (isAll ? 2 : 3))
    let headline = try #require(request.body["message"] as? String)
    #expect(headline.hasPrefix(isAll ? "UNMUTED 2 incidents, " : "3 incidents, "), "\(headline)")
    let detail = "was muted until 2026-09-21T14:13:21Z by silence #\(number) by ann: new disks"
    #expect(request.body["detail"] as? String == (isAll ? detail : ""))
  }
}
