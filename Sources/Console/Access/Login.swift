internal import FleetModel
internal import HTTPTypes
internal import Store
internal import TLS

/// What a browser's form sends beside its fields, so that another site's form changes nothing: it follows from the session's secret, which
/// no other site knows.
enum FormToken {
  static let field = "form_token"

  static func of(_ session: AccessToken) -> String {
    Base64.url.encode(Digest.hmacSHA256(key: session.secretHash, Array("form".utf8)))
  }
}

/// The cookie of a browser's session. `__Host-` binds it to this host, TLS and the whole path.
enum SessionCookie {
  static let name = "__Host-signalbox"
  /// One working day.
  static let lifeSeconds: Int64 = 12 * 3600

  /// - Parameter header: of the request; a browser sends its cookies in one, HTTP/2 may split it.
  static func token(in headers: [String]) -> AccessToken? {
    for pair in headers.flatMap({ $0.split(separator: ";") }) {
      let text = pair.drop { $0 == " " }
      if text.hasPrefix(name + "="), let token = AccessToken(String(text.dropFirst(name.count + 1))) { return token }
    }
    return nil
  }

  static func setting(_ token: AccessToken) -> String {
    "\(name)=\(token.text); Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=\(lifeSeconds)"
  }

  static let clearing = "\(name)=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
}

/// Finds out who asks.
struct Login: Sendable {
  let database: DatabasePool

  /// - Returns: nil where the request names nobody.
  /// - Throws: `Problem` 401 for a credential that lets nobody in.
  func caller(authorization: String?, cookies: [String], nowNs: Int64) async throws -> (Caller, AccessToken)? {
    if let authorization {
      let parts = authorization.split(separator: " ")
      guard parts.count == 2, parts[0].lowercased() == "bearer", let token = AccessToken(String(parts[1])) else {
        throw Problem(
          .unauthorized, "Authorization takes: Bearer sbk_… with the whole token, as tokens create printed it")
      }
      guard let caller = try await authenticate(token, [.token], nowNs) else {
        throw Problem(.unauthorized, "this token is not known here, has expired, or was revoked")
      }
      return (caller, token)
    }
    guard let token = SessionCookie.token(in: cookies), let caller = try await authenticate(token, [.session], nowNs)
    else { return nil }
    return (caller, token)
  }

  private func authenticate(_ token: AccessToken, _ kinds: [Credential.Kind], _ nowNs: Int64) async throws -> Caller? {
    try await database.change { store throws(StoreError) in
      try store.authenticate(id: token.id, secretHash: token.secretHash, kinds: kinds, nowNs: nowNs)
    }
  }

  /// A session for who holds a login link, which works once, or a token.
  /// - Returns: the session's cookie; nil where the secret lets nobody in.
  func begin(with text: String, nowNs: Int64) async throws -> AccessToken? {
    guard let token = AccessToken(text) else { return nil }
    let session = AccessToken.make()
    let credential = Credential(
      id: session.id, kind: .session, name: "", role: .viewer, secretHash: session.secretHash,
      expiresNs: nowNs + SessionCookie.lifeSeconds * 1_000_000_000)
    let caller = try await database.change { store throws(StoreError) in
      try store.redeem(id: token.id, secretHash: token.secretHash, session: credential, nowNs: nowNs)
    }
    return caller == nil ? nil : session
  }
}
