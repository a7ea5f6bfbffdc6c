internal import Files
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

  /// Another text in each page: a compressed page's length would tell whoever can put text into it, and sees that length, how much of a
  /// repeated secret was guessed (BREACH).
  static func masked(_ formToken: String) -> String {
    let bytes = Array(formToken.utf8)
    let mask = HostFiles.randomBytes(bytes.count)
    return Base64.url.encode(mask + zip(bytes, mask).map { $0 ^ $1 })
  }

  /// Whether a form was made by a page of this session. A script may send the token itself.
  static func isMask(_ given: String, of formToken: String) -> Bool {
    let token = Array(formToken.utf8)
    guard let masked = Base64.url.decode(given.utf8), masked.count == 2 * token.count else { return false }
    return Digest.equal(zip(masked.prefix(token.count), masked.suffix(token.count)).map { $0 ^ $1 }, token)
  }

  /// Of a sentence that a page shows after a change.
  static func sign(_ sentence: String, with formToken: String) -> String {
    Base64.url.encode(Digest.hmacSHA256(key: Array(formToken.utf8), Array(sentence.utf8)))
  }
}

/// The cookie of a browser's session. `__Host-` binds it to this host, TLS and the whole path. A link in a mail on the web shows the page that it
/// names (Lax); what changes something needs the form's token as well.
enum SessionCookie {
  static let name = "__Host-signalbox"
  /// One working day.
  static let lifeSeconds: Int64 = 12 * 3600

  /// - Parameter header: of the request; a browser sends its cookies in one, HTTP/2 may split it.
  static func token(in headers: [String]) -> AccessToken? {
    values(of: name, in: headers).lazy.compactMap { AccessToken($0) }.first
  }

  /// The values of a cookie, in the order of the request.
  static func values(of name: String, in headers: [String]) -> [String] {
    var values: [String] = []
    for pair in headers.flatMap({ $0.split(separator: ";") }) {
      let text = pair.drop { $0 == " " }
      if text.hasPrefix(name + "=") { values.append(String(text.dropFirst(name.count + 1))) }
    }
    return values
  }

  static func setting(_ token: AccessToken, seconds: Int64 = lifeSeconds) -> String {
    setting(name, token.text, seconds: seconds)
  }

  /// - Parameter name: begins with `__Host-`.
  static func setting(_ name: String, _ value: String, seconds: Int64) -> String {
    "\(name)=\(value); Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=\(seconds)"
  }

  static let clearing = setting(name, "", seconds: 0)
}

/// Finds out who asks.
struct Login: Sendable {
  let database: DatabasePool
  let known = KnownCallers()

  /// - Returns: nil where the request carries no credential.
  /// - Throws: `Problem` 401 for a credential that is not valid.
  func caller(authorization: String?, cookies: [String], nowNs: Int64) async throws -> (Caller, AccessToken)? {
    if let authorization {
      let parts = authorization.split(separator: " ")
      guard parts.count == 2, parts[0].lowercased() == "bearer", let token = AccessToken(String(parts[1])) else {
        throw Problem(
          .unauthorized, "Authorization takes: Bearer sbk_… with the whole token, as tokens create printed it")
      }
      guard let caller = try await known.caller(token, or: { try await authenticate(token, [.token], nowNs) }) else {
        throw Problem(.unauthorized, "this token is not known here, has expired, or was revoked")
      }
      return (caller, token)
    }
    guard let token = SessionCookie.token(in: cookies),
      let caller = try await known.caller(token, or: { try await authenticate(token, [.session], nowNs) })
    else { return nil }
    return (caller, token)
  }

  private func authenticate(_ token: AccessToken, _ kinds: [Credential.Kind], _ nowNs: Int64) async throws -> Caller? {
    try await database.change { store throws(StoreError) in
      try store.authenticate(id: token.id, secretHash: token.secretHash, kinds: kinds, nowNs: nowNs)
    }
  }

  /// The owner of a link, which stays unused; nil where the link is not valid.
  func owner(ofLink text: String, nowNs: Int64) async throws -> Caller? {
    guard let token = Self.token(in: text) else { return nil }
    return try await authenticate(token, [.link], nowNs)
  }

  private static func token(in text: String) -> AccessToken? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 1, let last = words[0].split(separator: "/").last else { return nil }
    return AccessToken(String(last))
  }

  /// A session for the holder of a login link, which works once, or of a token.
  /// - Parameter text: of a link or token; also a whole link, with blanks around it, as it is pasted.
  /// - Returns: the session's secret; nil where link or token is not valid.
  func begin(with text: String, kinds: [Credential.Kind], nowNs: Int64) async throws -> AccessToken? {
    guard let token = Self.token(in: text) else { return nil }
    let session = AccessToken.make()
    let credential = Credential(
      id: session.id, kind: .session, name: "", role: .viewer, secretHash: session.secretHash,
      expiresNs: nowNs + SessionCookie.lifeSeconds * 1_000_000_000)
    let caller = try await database.change { store throws(StoreError) in
      try store.redeem(id: token.id, secretHash: token.secretHash, kinds: kinds, session: credential, nowNs: nowNs)
    }
    return caller == nil ? nil : session
  }
}
