import FleetModel
import Postgres
import Store
import Testing

/// Who a host is, and who may take its name.
@Suite(.timeLimit(.minutes(10))) struct HostIdentityTests {
  private let now = StoreFixture.nowNs
  private let second: Int64 = 1_000_000_000

  private func invitation(_ id: String, _ name: String) -> Invitation {
    Invitation(tokenID: id, secretHash: StoreFixture.hash, hostName: name, expiresNs: now + 60 * second)
  }

  private func redemption(_ id: String, key: UInt8, host: UInt64 = 77) -> Redemption {
    Redemption(
      tokenID: id, secretHash: StoreFixture.hash, keyPin: [UInt8](repeating: key, count: 32),
      newHost: HostID(high: 0, low: host), nowNs: now)
  }

  private func audited(_ fixture: StoreFixture) throws -> String? {
    try fixture.value("select string_agg(action, ',' order by number) from signalbox.audit_log")
  }

  @Test
  func `A revoked host that is invited anew keeps its row and its marks, known by its machine or its state directory`()
    throws
  {
    for known in [true, false] {
      let fixture = try StoreFixture()
      let stream = try fixture.stream()
      _ = try fixture.store.commit([stream.samples(1...3), stream.lines(2)])
      try fixture.store.revoke(hostName: "trainer-1", actor: "op")
      try fixture.store.invite(invitation("again", "trainer-1"), actor: "op")
      var asked = redemption("again", key: 9)
      if known { asked.previousHost = stream.host } else { asked.machine = MachineIDHash(high: 0, low: 1) }
      let host = try fixture.store.redeem(asked)
      #expect(host.host == stream.host && host.wasRevoked)
      let fence = try fixture.fence(stream.host, at: now + 3600 * second)
      #expect(fence.lanes.map(\.sequence) == [3])
      #expect(fence.files.map(\.offset) == [20])
      #expect(try fixture.count("signalbox.hosts") == 1)
    }
  }

  @Test func `Another machine under a revoked or removed name is another host`() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    try fixture.store.revoke(hostName: "trainer-1", actor: "op")
    try fixture.store.invite(invitation("a", "trainer-1"), actor: "op")
    var asked = redemption("a", key: 9)
    asked.machine = MachineIDHash(high: 5, low: 5)
    let other = try fixture.store.redeem(asked).host
    #expect(other != host)
    try fixture.store.remove(hostName: "trainer-1", actor: "op")
    #expect(throws: StoreError.unknownHost) { try fixture.store.remove(hostName: "trainer-1", actor: "op") }
    try fixture.store.invite(invitation("b", "trainer-1"), actor: "op")
    asked = redemption("b", key: 8, host: 78)
    asked.previousHost = other
    #expect(try fixture.store.redeem(asked).host == HostID(high: 0, low: 78))
    #expect(throws: StoreError.revokedHost) { try fixture.fence(other) }
  }

  @Test func `A name in the fleet is not taken over unless the invitation says so`() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    #expect(throws: StoreError.hostNameInUse("trainer-1")) {
      try fixture.store.invite(invitation("a", "trainer-1"), actor: "op")
    }
    // Two open invitations of one name: the second machine does not become the first one.
    try fixture.store.invite(invitation("b", "new"), actor: "op")
    try fixture.store.invite(invitation("c", "new"), actor: "op")
    _ = try fixture.store.redeem(redemption("b", key: 1))
    #expect(throws: StoreError.joinToken(.nameInUse("new"))) {
      try fixture.store.redeem(redemption("c", key: 2, host: 78))
    }
    var replacing = invitation("d", "trainer-1")
    replacing.replaces = true
    try fixture.store.invite(replacing, actor: "op")
    #expect(try fixture.store.redeem(redemption("d", key: 3)).host == host)
  }

  @Test func `A token for several hosts lets in as many as it says, under their own names that fit`() throws {
    let fixture = try StoreFixture()
    var several = invitation("t", "gpu-*")
    #expect(throws: StoreError.badHostName("gpu-*")) { try fixture.store.invite(several, actor: "op") }
    several.usesMax = 2
    several.labels = ["role": "trainer"]
    try fixture.store.invite(several, actor: "op")
    func join(_ name: String, _ key: UInt8) throws -> EnrolledHost {
      var asked = redemption("t", key: key, host: UInt64(key))
      asked.claimedName = name
      return try fixture.store.redeem(asked)
    }
    #expect(throws: StoreError.joinToken(.nameNotInvited("cpu-1", pattern: "gpu-*"))) { try join("cpu-1", 1) }
    #expect(throws: StoreError.joinToken(.nameNotInvited("gpu-a b", pattern: "gpu-*"))) { try join("gpu-a b", 1) }
    let first = try join("gpu-1", 1)
    #expect(throws: StoreError.joinToken(.nameInUse("gpu-1"))) { try join("gpu-1", 9) }
    #expect(try join("gpu-2", 2).hostName == "gpu-2")
    #expect(throws: StoreError.joinToken(.alreadyRedeemed)) { try join("gpu-3", 3) }
    // The same key again, as after a lost answer.
    #expect(try join("gpu-1", 1).host == first.host)
    #expect(try fixture.fence(first.host).labels == ["host": "gpu-1", "role": "trainer"])
  }

  @Test func `A withdrawn invitation admits no host, and is withdrawn once`() throws {
    let fixture = try StoreFixture()
    try fixture.store.invite(invitation("t", "a"), actor: "op")
    try fixture.store.withdrawInvitation("t", actor: "op", nowNs: now)
    #expect(throws: StoreError.joinToken(.expired)) { try fixture.store.redeem(redemption("t", key: 1)) }
    for id in ["t", "no-such"] {
      #expect(throws: StoreError.unknownInvitation(id)) {
        try fixture.store.withdrawInvitation(id, actor: "op", nowNs: now)
      }
    }
    #expect(try audited(fixture) == "hosts.invite,hosts.uninvite")
  }

  @Test func `Name and labels are changed, counted and audited`() throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    let host = try fixture.host()
    try fixture.host("other", 2)
    #expect(
      try store.label(hostName: "trainer-1", set: ["role": "trainer", "rack": "a"], remove: [], actor: "op").count == 2)
    #expect(try store.applyLabels([HostLabels(pattern: "trainer-*", labels: ["rack": "b", "zone": "x"])]) == 1)
    #expect(try store.applyLabels([HostLabels(pattern: "trainer-*", labels: ["rack": "b", "zone": "x"])]) == 0)
    #expect(try fixture.fence(host).labels == ["host": "trainer-1", "role": "trainer", "rack": "a", "zone": "x"])
    #expect(try store.label(hostName: "trainer-1", set: [:], remove: ["rack"], actor: "op")["rack"] == "b")
    #expect(throws: StoreError.self) {
      try store.label(hostName: "trainer-1", set: ["host": "x"], remove: [], actor: "op")
    }
    #expect(throws: StoreError.unknownHost) {
      try store.label(hostName: "none", set: ["a": "b"], remove: [], actor: "op")
    }
    let many = Dictionary(uniqueKeysWithValues: (0..<32).map { ("k\($0)", "v") })
    #expect(throws: StoreError.self) { try store.label(hostName: "trainer-1", set: many, remove: [], actor: "op") }
    #expect(try fixture.fence(host).labels["k1"] == nil)
    #expect(throws: StoreError.hostNameInUse("other")) {
      try store.rename(hostName: "trainer-1", to: "other", actor: "op")
    }
    #expect(throws: StoreError.badHostName("a b")) { try store.rename(hostName: "trainer-1", to: "a b", actor: "op") }
    try store.rename(hostName: "trainer-1", to: "trainer-7", actor: "op")
    #expect(try fixture.fence(host).hostName == "trainer-7")
    // Two commands, one configuration, one name.
    #expect(try fixture.value("select revision from signalbox.hosts where name = 'trainer-7'") == "4")
    #expect(try audited(fixture)?.hasSuffix("hosts.label,hosts.label,hosts.rename") == true)
  }

  @Test func `Two agent processes that take the stream from each other are found, a restarted one is not`() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    #expect(try !fixture.fence(host, instance: 1, at: now).isContested)
    #expect(try !fixture.fence(host, instance: 1, at: now + 2 * second).isContested)
    #expect(try !fixture.fence(host, instance: 2, at: now + 4 * second).isContested)
    #expect(try !fixture.fence(host, instance: 2, at: now + 6 * second).isContested)
    #expect(try !fixture.fence(host, instance: 3, at: now + 8 * second).isContested)
    // The Hello of the process before may have been on its way.
    #expect(try !fixture.fence(host, instance: 2, at: now + 8 * second + 500_000_000).isContested)
    #expect(try !fixture.fence(host, instance: 4, at: now + 20 * second).isContested)
    #expect(try fixture.fence(host, instance: 2, at: now + 30 * second).isContested)
    #expect(try fixture.fence(host, instance: 4, at: now + 40 * second).isContested)
    #expect(try fixture.value("select count(*) from signalbox.audit_log where action = 'identity.contested'") == "1")
  }

  @Test func `Each renewal is audited, and one without pause does not fill the log`() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    // The log's times are the database's.
    let issued = try #require(try fixture.store.connection.query("select now()").timeUs(0, 0)) * 1000
    for number in UInt8(0)..<40 {
      try fixture.store.addCertificate(
        host: host, fingerprint: [UInt8](repeating: number, count: 32), issuedNs: issued,
        expiresNs: now, reason: "renewal", serial: "0\(number)")
    }
    let rows = "from signalbox.audit_log where action = 'hosts.certificate' and subject = 'trainer-1'"
    #expect(try fixture.value("select count(*) \(rows)") == "20")
    #expect(
      try fixture.value("select detail \(rows) order by number limit 1")?.hasPrefix("renewal, serial 00, until 20")
        == true)
    #expect(try fixture.value("select detail \(rows) order by number desc limit 1")?.contains("not listed") == true)
  }
}

/// Addresses and names of collectors.
@Suite(.timeLimit(.minutes(10))) struct CollectorNameTests {
  private let now = StoreFixture.nowNs

  private func announce(_ store: Store, _ collector: UInt64, _ addresses: [String]) throws {
    try store.announceCollector(
      CollectorID(high: 0, low: collector), addresses: addresses,
      names: addresses.map { String($0.prefix { $0 != ":" }) }, caPin: "aa", version: "1")
  }

  @Test func `A collector's new addresses replace its old ones, and no other collector's`() throws {
    let fixture = try StoreFixture()
    try announce(fixture.store, 1, ["a:1", "b:1"])
    try announce(fixture.store, 2, ["c:1"])
    try announce(fixture.store, 1, ["d:1"])
    #expect(try Set(fixture.store.collectors().map(\.address)) == ["c:1", "d:1"])
    try fixture.store.connection.execute(
      "update signalbox.collectors set last_seen = now() - interval '8 days' where address = 'c:1'")
    try announce(fixture.store, 1, ["d:1"])
    #expect(try fixture.store.collectors().map(\.address) == ["d:1"])
  }

  @Test func `A name stays for as long as a host knows it, and only what was announced counts`() throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    try announce(store, 1, ["old:1", "older:1"])
    try announce(store, 1, ["new:1"])
    try store.connection.execute(
      "update signalbox.server_names set announced = now() - interval '40 days' where name <> 'new'")
    #expect(try store.serverNames() == ["new"])
    let host = try fixture.host()
    _ = try fixture.fence(host, instance: 1, knows: ["old:7443", "evil.example:1"], at: now)
    #expect(try store.serverNames() == ["new", "old"])
    // It does not say what it knows: it may know any of them.
    _ = try fixture.fence(host, instance: 1, at: now)
    #expect(try store.serverNames() == ["new", "old", "older"])
    _ = try fixture.fence(host, instance: 1, knows: ["new:1"], at: now)
    #expect(try store.serverNames() == ["new"])
    try store.revoke(hostName: "trainer-1", actor: "op")
    #expect(try store.serverNames() == ["new"])
  }

  @Test func `The fleet's authority is noted once, and replaced on purpose`() throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    #expect(try store.fleetAuthority() == nil)
    try announce(store, 1, ["a:1"])
    #expect(try store.fleetAuthority() == "aa")
    try store.noteFleetAuthority("aa", replacing: false, actor: "collector")
    #expect(try store.collectors().count == 1)
    try store.noteFleetAuthority("bb", replacing: true, actor: "collector")
    #expect(try store.fleetAuthority() == "bb")
    #expect(try store.collectors().isEmpty)
    #expect(
      try fixture.value("select detail from signalbox.audit_log where action = 'authority.replace'") == "key SHA-256 bb"
    )
  }
}
