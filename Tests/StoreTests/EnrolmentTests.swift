import FleetModel
import Store
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct EnrolmentTests {
  private let secret = [UInt8](repeating: 1, count: 32)
  private func key(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: 32) }

  private func invite(_ fixture: StoreFixture, _ id: String = "t", name: String = "trainer-9") throws {
    try fixture.store.invite(
      Invitation(
        tokenID: id, secretHash: secret, hostName: name, expiresNs: StoreFixture.nowNs + 60_000_000_000),
      actor: "test")
  }

  private func redeem(
    _ store: Store, _ id: String = "t", key number: UInt8, host: UInt64, at nowNs: Int64 = StoreFixture.nowNs
  ) throws(StoreError) -> EnrolledHost {
    try store.redeem(
      Redemption(
        tokenID: id, secretHash: secret, keyPin: key(number), newHost: HostID(high: 9, low: host), nowNs: nowNs))
  }

  private func problem(_ work: () throws(StoreError) -> EnrolledHost) -> JoinTokenProblem? {
    do throws(StoreError) {
      _ = try work()
    } catch .joinToken(let problem) {
      return problem
    } catch {
      Issue.record("\(error)")
    }
    return nil
  }

  @Test func `A token is good for one key, which may ask again while it lasts`() throws {
    let fixture = try StoreFixture()
    try invite(fixture)
    let host = try redeem(fixture.store, key: 2, host: 1)
    #expect(problem { () throws(StoreError) in try redeem(fixture.store, key: 3, host: 2) } == .alreadyRedeemed)
    #expect(try redeem(fixture.store, key: 2, host: 3).host == host.host)
    #expect(try fixture.value("select count(*) from signalbox.hosts") == "1")
    let late = StoreFixture.nowNs + 60_000_000_000
    #expect(
      problem { () throws(StoreError) in try redeem(fixture.store, key: 2, host: 1, at: late) } == .alreadyRedeemed)
  }

  @Test func `A host that renews without end keeps its newest certificates and no more`() throws {
    let fixture = try StoreFixture()
    try invite(fixture)
    let host = try redeem(fixture.store, key: 2, host: 1).host
    for number in UInt8(10)..<60 {
      try fixture.store.addCertificate(
        host: host, fingerprint: key(number), issuedNs: StoreFixture.nowNs + Int64(number) * 1_000_000_000,
        expiresNs: StoreFixture.nowNs + 86_400_000_000_000)
      if number.isMultiple(of: 10) {
        try fixture.store.certificateUsed(fingerprint: key(number), nowNs: StoreFixture.nowNs)
      }
    }
    let kept = try fixture.store.allowList(of: host)
    #expect(kept.count == 17)
    #expect(kept.contains { $0.fingerprint == key(59) && $0.state == .active })
    // The one in use stays, however many came after it.
    #expect(kept.contains { $0.fingerprint == key(50) && $0.state == .active })
    #expect(!kept.contains { $0.fingerprint == key(10) })
  }

  @Test func `A token of a host that was revoked meanwhile gives nothing`() throws {
    let fixture = try StoreFixture()
    try invite(fixture)
    _ = try redeem(fixture.store, key: 2, host: 1)
    _ = try fixture.store.revoke(hostName: "trainer-9", actor: "test")
    #expect(problem { () throws(StoreError) in try redeem(fixture.store, key: 2, host: 2) } == .alreadyRedeemed)
    #expect(try fixture.value("select count(*) from signalbox.hosts") == "1")
  }

  @Test func `A wrong secret or id is an unknown token, an old one an expired one`() throws {
    let fixture = try StoreFixture()
    try invite(fixture)
    #expect(problem { () throws(StoreError) in try redeem(fixture.store, "u", key: 2, host: 1) } == .unknown)
    #expect(
      problem { () throws(StoreError) in
        try fixture.store.redeem(
          Redemption(
            tokenID: "t", secretHash: key(9), keyPin: key(2), newHost: HostID(high: 9, low: 1),
            nowNs: StoreFixture.nowNs))
      } == .unknown)
    let late = StoreFixture.nowNs + 60_000_000_000
    #expect(problem { () throws(StoreError) in try redeem(fixture.store, key: 2, host: 1, at: late) } == .expired)
  }

  @Test func `Of two machines that redeem one token at the same moment exactly one gets the host`() async throws {
    let fixture = try StoreFixture()
    for round in 0..<10 {
      try invite(fixture, "t\(round)", name: "trainer-\(round)")
      let url = fixture.database.url
      let winners = await withTaskGroup(of: Bool.self) { group in
        for number in 1...4 as ClosedRange<UInt8> {
          group.addTask {
            guard let store = try? Store.open(url) else { return false }
            defer { store.close() }
            return (try? redeem(store, "t\(round)", key: number, host: UInt64(round) * 10 + UInt64(number))) != nil
          }
        }
        return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
      #expect(winners == 1)
    }
  }

  @Test func `The first use of a newer certificate retires the older ones, and never the other way round`() throws {
    let fixture = try StoreFixture()
    let host = try fixture.host()
    for number in 1...3 as ClosedRange<UInt8> {
      try fixture.store.addCertificate(
        host: host, fingerprint: key(number), issuedNs: StoreFixture.nowNs + Int64(number) * 1_000_000_000,
        expiresNs: StoreFixture.nowNs + 86_400_000_000_000)
    }
    func states() throws -> [AllowedCertificate.State] { try fixture.store.allowList(of: host).map(\.state) }
    try fixture.store.certificateUsed(fingerprint: key(2), nowNs: StoreFixture.nowNs)
    #expect(try states() == [.retired, .active, .active])
    try fixture.store.certificateUsed(fingerprint: key(1), nowNs: StoreFixture.nowNs)
    #expect(try states() == [.retired, .active, .active])
    try fixture.store.certificateUsed(fingerprint: key(3), nowNs: StoreFixture.nowNs)
    #expect(try states() == [.retired, .retired, .active])
    _ = try fixture.store.revoke(hostName: "trainer-1", actor: "test")
    #expect(try states() == [.revoked, .revoked, .revoked])
  }
}
