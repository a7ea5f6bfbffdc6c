internal import Files
internal import FleetModel
internal import HTTPTypes
internal import Logging
internal import Store
internal import Synchronization
internal import TLS

/// Logs people in by an identity provider: authorization code with PKCE (OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700).
///
/// What a login needs between its two requests stands in a cookie of the browser, signed with a key of the fleet: any console on the database
/// can end what another one began, and a login that is abandoned leaves nothing behind.
final class OIDCLogin: Sendable {
  /// A person types passwords and codes for at most so long.
  static let patienceSeconds: Int64 = 600
  static let callback = "/oidc/callback"
  static let start = "/oidc/start"
  private static let cookieName = "__Host-signalbox-login"
  private static let nextBytesMax = 1024

  let settings: OIDCSettings
  private let provider: OIDCProvider
  /// The console's address as browsers know it; empty until it listens.
  private let base = Mutex("")

  init(_ settings: OIDCSettings, _ outgoing: OutgoingRequests, _ logger: Logger) {
    self.settings = settings
    provider = OIDCProvider(settings, logger) { request, deadlineMs in
      try await outgoing.send(request, deadlineMs: deadlineMs)
    }
  }

  func begin(at url: String) { base.withLock { $0 = url.hasSuffix("/") ? String(url.dropLast()) : url } }

  private var redirect: String { base.withLock { $0 } + Self.callback }

  // MARK: Both requests

  /// What a login knows of itself. All but the seed follows from it and the fleet's key.
  struct Attempt: Equatable {
    let seed: [UInt8]
    let next: String
    /// ns since 1970, whole seconds.
    let expiresNs: Int64

    init(next: String?, nowNs: Int64) {
      seed = HostFiles.randomBytes(32)
      // Longer than any page's address is one that someone made.
      self.next = next.flatMap { $0.utf8.count <= OIDCLogin.nextBytesMax ? LocalPath.checked($0) : nil } ?? "/"
      expiresNs = (nowNs / 1_000_000_000 + OIDCLogin.patienceSeconds) * 1_000_000_000
    }

    /// - Returns: nil for what was not signed with the key.
    init?(cookie: String, key: [UInt8]) {
      let parts = cookie.split(separator: ".", omittingEmptySubsequences: false)
      guard cookie.utf8.count <= 4096, parts.count == 4, let seed = Base64.url.decode(parts[0].utf8), seed.count == 32,
        let seconds = Int64(parts[1]), (0...Int64(UInt32.max)).contains(seconds),
        let next = Base64.url.decode(parts[2].utf8),
        let sum = Base64.url.decode(parts[3].utf8)
      else { return nil }
      self.seed = seed
      expiresNs = seconds * 1_000_000_000
      self.next = String(decoding: next, as: UTF8.self)
      guard Digest.equal(sum, Self.derived("cookie", head, key)) else { return nil }
    }

    private var head: [UInt8] {
      Array(
        "\(Base64.url.encode(seed)).\(expiresNs / 1_000_000_000).\(Base64.url.encode(Array(next.utf8)))".utf8)
    }

    func cookie(key: [UInt8]) -> String {
      String(decoding: head, as: UTF8.self) + "." + Base64.url.encode(Self.derived("cookie", head, key))
    }

    func state(key: [UInt8]) -> String { Base64.url.encode(Self.derived("state", seed, key)) }
    func nonce(key: [UInt8]) -> String { Base64.url.encode(Self.derived("nonce", seed, key)) }
    /// 43 characters, RFC 7636, section 4.1. Not in the cookie: whoever reads that cannot redeem a code.
    func verifier(key: [UInt8]) -> String { Base64.url.encode(Self.derived("verifier", seed, key)) }
    func challenge(key: [UInt8]) -> String { Base64.url.encode(Digest.sha256(Array(verifier(key: key).utf8))) }

    private static func derived(_ purpose: String, _ bytes: [UInt8], _ key: [UInt8]) -> [UInt8] {
      Digest.hmacSHA256(key: key, Array(purpose.utf8) + [0] + bytes)
    }
  }

  /// Leads the browser to the provider. - Throws: `Problem`.
  func start(_ question: Question) async throws -> Reply {
    let key = try await Self.key(question)
    let attempt = Attempt(next: question["next"], nowNs: question.nowNs)
    let address = try await provider.addresses().authorization
    let fields = OIDCProvider.form([
      ("response_type", "code"), ("client_id", settings.clientID), ("redirect_uri", redirect),
      ("scope", (["openid"] + settings.scopes).joined(separator: " ")), ("state", attempt.state(key: key)),
      ("nonce", attempt.nonce(key: key)), ("code_challenge", attempt.challenge(key: key)),
      ("code_challenge_method", "S256"),
    ])
    return .redirect(
      address + (address.contains("?") ? "&" : "?") + fields,
      cookies: [SessionCookie.setting(Self.cookieName, attempt.cookie(key: key), seconds: Self.patienceSeconds)])
  }

  /// The browser comes back with a code, or with why there is none. - Throws: `Problem`.
  func finish(_ question: Question) async throws -> Reply {
    let key = try await Self.key(question)
    let again = "open the login page and begin again"
    guard
      let cookie = SessionCookie.values(of: Self.cookieName, in: question.cookies).first,
      let attempt = Attempt(cookie: cookie, key: key),
      attempt.expiresNs > question.nowNs
    else {
      throw Problem(.unauthorized, "this login was not begun in this browser, or too long ago: \(again)")
    }
    guard Digest.equal(Array((question["state"] ?? "").utf8), Array(attempt.state(key: key).utf8)) else {
      throw Problem(.unauthorized, "this answer belongs to another login (state): \(again)")
    }
    // Source: RFC 9207.
    if let issuer = question["iss"], issuer != settings.issuer {
      throw Problem(.unauthorized, "this answer comes from another provider (iss): \(again)")
    }
    guard let code = question["code"] else {
      let error = PlainText.visible(PlainText.cut(PlainText.line(question["error"] ?? "no code"), scalarsMax: 64))
      throw Problem(.unauthorized, "\(settings.label) did not log you in (\(error)): \(again)")
    }
    let text = try await provider.idToken(code: code, verifier: attempt.verifier(key: key), redirect: redirect)
    let token = try await checked(text, nonce: attempt.nonce(key: key), question.nowNs)
    return try await begin(token, attempt, question)
  }

  private func checked(_ text: String, nonce: String, _ nowNs: Int64) async throws -> IDToken {
    do {
      let token = try IDToken(text)
      guard try await provider.isSigned(token) else {
        throw IDToken.Refusal("it is signed with no key of the provider")
      }
      try token.check(.init(issuer: settings.issuer, clientID: settings.clientID, nonce: nonce, nowNs: nowNs))
      return token
    } catch let refusal as IDToken.Refusal {
      throw Problem(.unauthorized, "the ID token of \(settings.label) is refused: \(refusal.reason)")
    }
  }

  private func begin(_ token: IDToken, _ attempt: Attempt, _ question: Question) async throws -> Reply {
    guard let name = token.claims[settings.nameClaim]?.text, Store.isCredentialName(name) else {
      throw Problem(
        .forbidden,
        "the ID token has no \(settings.nameClaim) that can be a name here: ask an admin to choose another claim with --oidc-name-claim"
      )
    }
    if settings.nameClaim == "email", token.claims["email_verified"]?.flag == false {
      throw Problem(
        .forbidden, "\(settings.label) has not verified the address \(name): verify it there, and log in again")
    }
    let subject = "\(token.subject) of \(settings.issuer)"
    guard let role = settings.role(of: token.texts(settings.groupsClaim)) else {
      try? await question.database.change { store throws(StoreError) in
        try store.audit(actor: "console", action: "access.refused", subject: name, detail: "OIDC \(subject): no group")
      }
      throw Problem(
        .forbidden, "\(name) is in no group that has a role here (\(settings.groupsClaim)): ask an admin for one")
    }
    let session = AccessToken.make()
    let seconds = settings.sessionSeconds
    let credential = Credential(
      id: session.id, kind: .session, name: name, role: role, secretHash: session.secretHash,
      expiresNs: question.nowNs + seconds * 1_000_000_000)
    try await question.database.change { store throws(StoreError) in
      try store.beginSession(credential, by: "OIDC \(subject)")
    }
    return .redirect(
      PercentEncoding.path(attempt.next),
      cookies: [
        SessionCookie.setting(session, seconds: seconds), SessionCookie.setting(Self.cookieName, "", seconds: 0),
      ])
  }

  private static func key(_ question: Question) async throws -> [UInt8] {
    try await question.database.change { store throws(StoreError) in try store.loginKey() }
  }
}

/// Where a browser goes after a login: a path of this console and nothing else, never another site's address.
enum LocalPath {
  static func checked(_ text: String) -> String? {
    let isLocal =
      text.hasPrefix("/") && !text.hasPrefix("//")
      && !text.utf8.contains { $0 < 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "\\") }
    return isLocal ? text : nil
  }
}
