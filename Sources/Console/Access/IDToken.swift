internal import FleetModel
internal import TLS

/// An ID token, before and after its checks. Pure.
///
/// Source: OpenID Connect Core 1.0, section 3.1.3.7; RFC 7515 (JWS), RFC 8725 (what goes wrong with JSON Web Tokens).
struct IDToken {
  /// Why a token is refused, as the end of a sentence.
  struct Refusal: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// What a token must say.
  struct Expectation {
    let issuer: String
    let clientID: String
    let nonce: String
    /// ns since 1970.
    let nowNs: Int64
  }

  /// A token with all groups of a large site.
  static let bytesMax = 64 << 10
  /// Differences of the provider's clock and this one's.
  private static let skewSeconds = 60.0
  /// A token that was issued longer ago was not made for this login, which lasts no longer.
  private static let ageSeconds = Double(OIDCLogin.patienceSeconds)
  private static let subjectCharactersMax = 255

  let algorithm: SignatureKey.Algorithm
  /// Of the key that signed it; nil where the token names none.
  let keyID: String?
  let claims: JSON
  private let signed: [UInt8]
  private let signature: [UInt8]

  /// - Parameter text: JWS Compact Serialization, from a peer. - Throws: `Refusal`.
  init(_ text: String) throws(Refusal) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard text.utf8.count <= Self.bytesMax, parts.count == 3, let head = Self.object(parts[0]),
      let signature = Base64.url.decode(parts[2].utf8)
    else { throw Refusal("it is no signed JSON Web Token") }
    let named = head["alg"]?.text ?? ""
    guard let algorithm = SignatureKey.Algorithm(rawValue: named) else {
      throw Refusal("it is signed with \(Self.shown(named)), and only RS256 and ES256 are taken")
    }
    // Extensions that must be understood: there are none that this understands.
    guard head["crit"] == nil else { throw Refusal("its header demands an extension") }
    guard let claims = Self.object(parts[1]) else { throw Refusal("it is no signed JSON Web Token") }
    self.algorithm = algorithm
    keyID = head["kid"]?.text
    self.claims = claims
    self.signature = signature
    signed = Array("\(parts[0]).\(parts[1])".utf8)
  }

  private static func object(_ part: Substring) -> JSON? {
    guard let bytes = Base64.url.decode(part.utf8), let json = JSON.read(bytes), case .object = json else { return nil }
    return json
  }

  func isSigned(with key: SignatureKey) -> Bool {
    key.algorithm == algorithm && key.isSignature(signature, of: signed)
  }

  /// - Throws: `Refusal` for the first claim that is not as expected. The signature is the caller's to check.
  func check(_ wanted: Expectation) throws(Refusal) {
    guard claims["iss"]?.text == wanted.issuer else {
      throw Refusal("it comes from \(Self.shown(claims["iss"]?.text)), not from \(wanted.issuer)")
    }
    let audience = Self.texts(claims["aud"])
    guard audience.contains(wanted.clientID) else { throw Refusal("it was issued for another client (aud)") }
    let party = claims["azp"]
    guard party == nil ? audience.count == 1 : party?.text == wanted.clientID else {
      throw Refusal("it was issued to another client (azp)")
    }
    let now = Double(wanted.nowNs) / 1e9
    guard let end = Self.seconds(claims["exp"]), end > now - Self.skewSeconds else {
      throw Refusal("it has expired (exp): compare the clocks of this machine and the provider")
    }
    guard let issued = Self.seconds(claims["iat"]), issued < now + Self.skewSeconds,
      issued > now - Self.ageSeconds - Self.skewSeconds
    else { throw Refusal("its time of issue is not now (iat): compare the clocks of this machine and the provider") }
    if let from = claims["nbf"] {
      guard let start = Self.seconds(from), start < now + Self.skewSeconds else {
        throw Refusal("it is not valid yet (nbf): compare the clocks of this machine and the provider")
      }
    }
    guard let nonce = claims["nonce"]?.text, Digest.equal(Array(nonce.utf8), Array(wanted.nonce.utf8)) else {
      throw Refusal("it belongs to another login (nonce)")
    }
    guard let subject = claims["sub"]?.text, !subject.isEmpty,
      subject.unicodeScalars.count <= Self.subjectCharactersMax
    else { throw Refusal("it names nobody (sub)") }
  }

  var subject: String { claims["sub"]?.text ?? "" }

  /// A claim that is a text or a list of texts; what is neither counts as none.
  func texts(_ claim: String) -> [String] { Self.texts(claims[claim]) }

  private static func texts(_ value: JSON?) -> [String] {
    value?.text.map { [$0] } ?? (value?.items ?? []).compactMap(\.text)
  }

  /// NumericDate of RFC 7519, section 2: seconds since 1970, also with a fraction.
  private static func seconds(_ value: JSON?) -> Double? {
    switch value {
    case .number(let number): Double(number)
    case .real(let number) where number.isFinite: number
    default: nil
    }
  }

  /// A peer's text within a sentence.
  private static func shown(_ text: String?) -> String {
    let line = PlainText.visible(PlainText.cut(PlainText.line(text ?? ""), scalarsMax: 100))
    return line.isEmpty ? "nothing" : "'\(line)'"
  }
}

/// Keys of a provider. Source: RFC 7517, RFC 7518.
struct SigningKeys: Sendable {
  /// Providers publish two or three; more are not used.
  static let keysMax = 32

  private var keys: [(id: String?, key: SignatureKey)] = []
  /// Usable keys beyond the limit.
  private(set) var leftOut = 0

  var count: Int { keys.count }

  /// - Parameter set: a JWK Set. Keys of other kinds or for other uses are passed over.
  init(_ set: JSON) {
    for entry in set["keys"]?.items ?? [] {
      guard entry["use"]?.text ?? "sig" == "sig", let key = Self.key(entry) else { continue }
      if let named = entry["alg"]?.text, named != key.algorithm.rawValue { continue }
      if keys.count < Self.keysMax { keys.append((entry["kid"]?.text, key)) } else { leftOut += 1 }
    }
  }

  init() {}

  private static func key(_ entry: JSON) -> SignatureKey? {
    let bytes = { (name: String) in entry[name]?.text.flatMap { Base64.url.decode($0.utf8) } }
    switch entry["kty"]?.text {
    case "RSA":
      guard let modulus = bytes("n"), let exponent = bytes("e") else { return nil }
      return try? SignatureKey(rsaModulus: modulus, exponent: exponent)
    case "EC" where entry["crv"]?.text == "P-256":
      guard let x = bytes("x"), let y = bytes("y") else { return nil }
      return try? SignatureKey(p256X: x, y: y)
    default: return nil
    }
  }

  /// - Returns: the one key that a token may be signed with; nil where none has its id, or where the token names none and several could be meant.
  func key(of token: IDToken) -> SignatureKey? {
    let fitting = keys.filter { $0.key.algorithm == token.algorithm && (token.keyID == nil || $0.id == token.keyID) }
    return fitting.count == 1 ? fitting[0].key : nil
  }
}
