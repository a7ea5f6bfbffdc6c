import FleetModel
import Postgres
import Store
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct CredentialTests {
  static let dayNs: Int64 = 86_400_000_000_000
  let database: TestDatabase
  let store: Store
  let nowNs: Int64

  init() throws {
    database = try TestDatabase()
    store = try Store.open(database.url, migrating: true)
    nowNs = try #require(try store.connection.query("select now()").timeNs(0, 0))
  }

  private func credential(
    _ id: String, _ kind: Credential.Kind = .token, name: String = "script", role: Role = .viewer, days: Int64 = 1
  ) -> Credential {
    Credential(
      id: id, kind: kind, name: name, role: role, secretHash: [UInt8](id.utf8), expiresNs: nowNs + days * Self.dayNs)
  }

  private func caller(_ id: String, secret: String? = nil, at ns: Int64? = nil) throws -> Caller? {
    try store.authenticate(
      id: id, secretHash: [UInt8]((secret ?? id).utf8), kinds: [.token, .session], nowNs: ns ?? nowNs)
  }

  @Test func aTokenLetsInUntilItEndsOrIsRevoked() throws {
    try store.addCredential(credential("a", role: .responder), actor: "ann")
    #expect(try caller("a") == Caller(name: "script", role: .responder, kind: .token, credentialID: "a"))
    #expect(try caller("a", secret: "b") == nil && caller("b") == nil)
    #expect(try caller("a", at: nowNs + Self.dayNs) == nil)
    #expect(try store.endCredentials(named: "script", actor: "ann", nowNs: nowNs) == 1)
    #expect(try caller("a") == nil)
    #expect(throws: StoreError.self) { try store.endCredentials(named: "script", actor: "ann", nowNs: nowNs) }
  }

  @Test func aNameIsInUseOnceUntilItsTokenEnds() throws {
    try store.addCredential(credential("a"), actor: "ann")
    #expect(throws: StoreError.self) { try store.addCredential(credential("b"), actor: "ann") }
    _ = try store.endCredentials(named: "a", actor: "ann", nowNs: nowNs)
    try store.addCredential(credential("b"), actor: "ann")
    try store.connection.execute("update signalbox.credentials set expires = now() where id = 'b'")
    try store.addCredential(credential("c"), actor: "ann")
    for name in ["", " ", "-x", "a\nb", "a\u{202e}b", String(repeating: "x", count: 65)] {
      #expect(throws: StoreError.self, "\(name)") { try store.addCredential(credential("d", name: name), actor: "ann") }
    }
  }

  @Test func aLinkBeginsOneSession() throws {
    try store.addCredential(credential("link", .link, name: "ann", role: .admin), actor: "root")
    let session = credential("s1", .session, name: "x", role: .viewer)
    #expect(try caller("link") == nil)
    let begun = try store.redeem(id: "link", secretHash: [UInt8]("link".utf8), session: session, nowNs: nowNs)
    #expect(begun == Caller(name: "ann", role: .admin, kind: .session, credentialID: "s1"))
    #expect(try caller("s1") == begun)
    let again = try store.redeem(
      id: "link", secretHash: [UInt8]("link".utf8), session: credential("s2", .session), nowNs: nowNs)
    #expect(again == nil)
    #expect(try caller("s2") == nil)
  }

  /// Its session ends no later than the token, and with it.
  @Test func aTokenBeginsSessions() throws {
    try store.addCredential(credential("t", name: "ann", role: .editor), actor: "root")
    let session = credential("s", .session, name: "x", role: .admin, days: 9)
    let begun = try store.redeem(id: "t", secretHash: [UInt8]("t".utf8), session: session, nowNs: nowNs)
    #expect(begun?.role == .editor)
    #expect(try caller("t") != nil && caller("s", at: nowNs + Self.dayNs) == nil)
    #expect(try store.endCredentials(named: "t", actor: "root", nowNs: nowNs) == 2)
    #expect(try caller("s") == nil && caller("t") == nil)
  }

  @Test func whatEndedLongAgoIsForgotten() throws {
    for id in ["a", "b"] {
      try store.addCredential(credential(id, name: id), actor: "ann")
      _ = try store.endCredentials(named: id, actor: "ann", nowNs: nowNs - (id == "a" ? 91 : 89) * Self.dayNs)
    }
    try store.addCredential(credential("c"), actor: "ann")
    let left = try store.connection.query("select string_agg(id, ' ' order by id) from signalbox.credentials")
    #expect(left.text(0, 0) == "b c")
  }

  @Test func theLastUseIsNotedOnceAMinute() throws {
    try store.addCredential(credential("a"), actor: "ann")
    for seconds in [0, 30, 59, 61] { _ = try caller("a", at: nowNs + Int64(seconds) * 1_000_000_000) }
    let used = try store.connection.query("select last_used from signalbox.credentials where id = 'a'").timeNs(0, 0)
    #expect(used == (nowNs + 61_000_000_000) / 1000 * 1000)
  }
}
