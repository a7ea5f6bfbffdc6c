internal import Files
internal import FleetModel
internal import HTTPTypes
internal import Logging
internal import Outbound

/// What is asked of the identity provider over the network: its addresses, its keys, and ID tokens for codes.
///
/// Source: OpenID Connect Discovery 1.0, section 4; OpenID Connect Core 1.0, section 3.1.3; RFC 6749, section 4.1.3; RFC 7636 (PKCE).
actor OIDCProvider {
  /// Addresses and habits of the provider.
  struct Metadata: Sendable {
    let authorization: String
    let token: String
    let keys: String
    /// It takes the client's secret in the body alone.
    let takesSecretInBody: Bool
  }

  private enum Limits {
    static let answerBytesMax = 256 << 10
    /// Of one request: a person waits for it.
    static let deadlineMs = 5_000
    static let maxAgeNs: Int64 = 3_600_000_000_000
    /// Anyone may begin a login: a provider that fails is not asked for each.
    static let afterFailureNs: Int64 = 3_000_000_000
    /// Keys are asked for again where a token names an unknown one, at most so often: such tokens cost nothing to make.
    static let keysNs: Int64 = 60_000_000_000
  }

  private struct Known<Value: Sendable>: Sendable {
    let value: Value
    let atNs: Int64
  }

  /// Sends a request with its deadline in milliseconds, as `OutgoingRequests` does.
  typealias Send = @Sendable (OutgoingRequest, Int) async throws -> OutboundAnswer

  private let settings: OIDCSettings
  private let logger: Logger
  private let now: @Sendable () -> Int64
  private let send: Send
  private var metadata: Known<Result<Metadata, Problem>>?
  private var asking: Task<Result<Metadata, Problem>, Never>?
  private var keys: Known<SigningKeys>?
  private var askingKeys: Task<Result<SigningKeys, Problem>, Never>?

  /// - Parameter now: CLOCK_MONOTONIC, ns.
  init(
    _ settings: OIDCSettings, _ logger: Logger, now: @escaping @Sendable () -> Int64 = { Clock.monotonicNs() },
    send: @escaping Send
  ) {
    self.settings = settings
    self.logger = logger
    self.now = now
    self.send = send
  }

  // MARK: Addresses

  /// - Throws: `Problem` 503 where the provider does not answer, 502 where its answer is none.
  func addresses() async throws -> Metadata {
    if let metadata {
      let ageNs = now() - metadata.atNs
      let isKnown = if case .success = metadata.value { true } else { false }
      if ageNs < (isKnown ? Limits.maxAgeNs : Limits.afterFailureNs) { return try metadata.value.get() }
    }
    let task = asking ?? Task { await discover() }
    asking = task
    let found = await task.value
    if asking == task { asking = nil }
    metadata = Known(value: found, atNs: now())
    return try found.get()
  }

  private func discover() async -> Result<Metadata, Problem> {
    do {
      let base = settings.issuer.hasSuffix("/") ? String(settings.issuer.dropLast()) : settings.issuer
      let document = try await json(
        OutgoingRequest(method: "GET", url: base + "/.well-known/openid-configuration"), "its description")
      guard document["issuer"]?.text == settings.issuer else {
        throw refusal("it describes itself as another issuer than --oidc-issuer: both must be the same text")
      }
      let address = { (name: String) throws(Problem) in
        guard let text = document[name]?.text, text.hasPrefix("https://"), text.utf8.count <= 2048,
          text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw self.refusal("its description has no \(name) that begins with https://") }
        return text
      }
      let methods = document["token_endpoint_auth_methods_supported"]?.items?.compactMap(\.text)
      let takesHeader = methods?.contains("client_secret_basic") ?? true
      return .success(
        Metadata(
          authorization: try address("authorization_endpoint"), token: try address("token_endpoint"),
          keys: try address("jwks_uri"), takesSecretInBody: !takesHeader))
    } catch let problem as Problem {
      logger.warning("the identity provider cannot be used", metadata: ["reason": "\(problem.detail)"])
      return .failure(problem)
    } catch {
      return .failure(refusal("its description cannot be read"))
    }
  }

  // MARK: Tokens

  /// Redeems an authorization code. - Throws: `Problem`.
  func idToken(code: String, verifier: String, redirect: String) async throws -> String {
    let addresses = try await addresses()
    var fields = [
      ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect), ("code_verifier", verifier),
    ]
    var headers = ["Content-Type: application/x-www-form-urlencoded", "Accept: application/json"]
    if let secret = settings.clientSecret, !addresses.takesSecretInBody {
      // Source: RFC 6749, section 2.3.1: both are form-encoded before they are joined.
      let pair = [settings.clientID, secret].map(PercentEncoding.pathPart).joined(separator: ":")
      headers.append("Authorization: Basic \(Base64.standard.encode(Array(pair.utf8)))")
    } else {
      fields.append(("client_id", settings.clientID))
      if let secret = settings.clientSecret { fields.append(("client_secret", secret)) }
    }
    let answer = try await json(
      OutgoingRequest(url: addresses.token, headers: headers, body: Array(Self.form(fields).utf8)), "a token")
    guard let token = answer["id_token"]?.text else { throw refusal("its answer holds no id_token") }
    return token
  }

  static func form(_ fields: [(String, String)]) -> String {
    fields.map { "\($0.0)=\(PercentEncoding.pathPart($0.1))" }.joined(separator: "&")
  }

  /// - Returns: whether a token is signed with a key of the provider.
  /// - Throws: `Problem` where its keys cannot be had.
  func isSigned(_ token: IDToken) async throws -> Bool {
    if let keys, now() - keys.atNs < Limits.maxAgeNs {
      if let key = keys.value.key(of: token) { return token.isSigned(with: key) }
      guard now() - keys.atNs >= Limits.keysNs else { return false }
    }
    let task = askingKeys ?? Task { await fetchKeys() }
    askingKeys = task
    let found = await task.value
    if askingKeys == task { askingKeys = nil }
    let value = try found.get()
    keys = Known(value: value, atNs: now())
    return value.key(of: token).map { token.isSigned(with: $0) } ?? false
  }

  private func fetchKeys() async -> Result<SigningKeys, Problem> {
    do {
      let addresses = try await addresses()
      let found = SigningKeys(try await json(OutgoingRequest(method: "GET", url: addresses.keys), "its keys"))
      if found.leftOut > 0 {
        logger.warning(
          "the identity provider publishes more keys than are used",
          metadata: ["used": "\(found.count)", "left_out": "\(found.leftOut)"])
      }
      return .success(found)
    } catch {
      return .failure(error as? Problem ?? refusal("its keys cannot be read"))
    }
  }

  // MARK: Requests

  private nonisolated func refusal(_ reason: String) -> Problem {
    Problem(.badGateway, "\(settings.label) cannot be used: \(reason). A token or a login link still logs in")
  }

  private func json(_ request: OutgoingRequest, _ what: String) async throws -> JSON {
    var request = request
    request.authorities = settings.authorities
    request.answerBytesMax = Limits.answerBytesMax
    let answer: OutboundAnswer
    do {
      answer = try await send(request, Limits.deadlineMs)
    } catch {
      throw Problem(
        .serviceUnavailable,
        "\(settings.label) does not answer (\(error)). Try again in a moment; a token or a login link still logs in")
    }
    if answer.isCut { throw refusal("\(what) is longer than \(Limits.answerBytesMax >> 10) KiB") }
    let json = JSON.read(answer.body)
    guard (200..<300).contains(answer.code) else {
      let error = json?["error"]?.text.map {
        ": " + PlainText.visible(PlainText.cut(PlainText.line($0), scalarsMax: 64))
      }
      throw refusal("asked for \(what) it answers HTTP \(answer.code)\(error ?? "")")
    }
    guard let json, case .object = json else { throw refusal("asked for \(what) it answers no JSON object") }
    return json
  }
}
