import FleetModel
import Postgres
import Store
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct AllowListTests {
  private let now = StoreFixture.nowNs
  private let hour: Int64 = 3_600_000_000_000
  private let hash = StoreFixture.hash

  private func redeem(_ store: Store, _ id: String, host: UInt64) throws -> EnrolledHost {
    try store.redeem(
      Redemption(
        tokenID: id, secretHash: hash, keyPin: [UInt8](repeating: UInt8(host), count: 32),
        newHost: HostID(high: 0, low: host), nowNs: now))
  }

  @Test func nameInUseGoesOnAsTheSameHostUntilItIsRevoked() throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    for (id, host) in [("t1", UInt64(1)), ("t2", 2), ("t3", 3)] {
      if id == "t3" { try store.revoke(hostName: "node-1", actor: "op") }
      var invitation = Invitation(tokenID: id, secretHash: hash, hostName: "node-1", expiresNs: now + hour)
      invitation.replaces = id == "t2"
      try store.invite(invitation, actor: "op")
      let enrolled = try redeem(store, id, host: host)
      #expect(enrolled.host == HostID(high: 0, low: id == "t3" ? 3 : 1))
      #expect(enrolled.isKnown == (id == "t2"))
    }
  }

  @Test func badHostNamesAreRefused() throws {
    let fixture = try StoreFixture()
    for name in ["", "a b", "ä", "x\n", String(repeating: "a", count: 256)] {
      #expect(throws: StoreError.badHostName(name)) {
        try fixture.store.invite(
          Invitation(tokenID: "t", secretHash: hash, hostName: name, expiresNs: now), actor: "op")
      }
    }
  }

  @Test func everyListenerIsNotifiedOfARevocation() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    let listener = try fixture.database.connect()
    try listener.listen(Store.hostsChannel)
    try fixture.store.revoke(hostName: "trainer-1", actor: "op")
    let reported = try listener.awaitNotifications(timeoutMs: 5_000)
    #expect(reported.map(\.channel) == [Store.hostsChannel])
    #expect(reported.map(\.payload) == [host.description])
  }

  @Test func auditLogOnlyGrows() throws {
    let fixture = try StoreFixture()
    try fixture.host()
    try fixture.store.revoke(hostName: "trainer-1", actor: "op")
    #expect(
      try fixture.value("select string_agg(action, ',' order by number) from signalbox.audit_log")
        == "hosts.invite,hosts.join,hosts.revoke")
    for statement in [
      "update signalbox.audit_log set actor = 'x'", "delete from signalbox.audit_log", "truncate signalbox.audit_log",
    ] {
      #expect(throws: PostgresError.self) { try fixture.store.connection.execute(statement) }
    }
    #expect(try fixture.count("signalbox.audit_log") == 3)
  }

  @Test func collectorsAndSettingsAreKept() throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    let collector = CollectorID(high: 0, low: 1)
    try store.announceCollector(collector, addresses: ["a:1"], names: ["a"], caPin: "00", version: "1")
    try store.announceCollector(collector, addresses: ["a:1"], names: ["a"], caPin: "01", version: "1")
    #expect(try store.collectors().map(\.caPin) == ["01"])
    #expect(try store.setting("revision") == nil)
    try store.setSetting("revision", to: "1")
    try store.setSetting("revision", to: "2")
    #expect(try store.setting("revision") == "2")
  }
}
