import FleetModel
import Logging
import Outbound
import Synchronization
import TLS
import Testing

@testable import Console

@Suite struct OIDCTests {
  private static func settings() -> OIDCSettings {
    var settings = OIDCSettings(issuer: "https://op.example/realm", clientID: "c", label: "Example")
    settings.roles = [(.viewer, "staff"), (.admin, "sre"), (.responder, "duty=a")]
    return settings
  }

  // MARK: Keys and signatures

  /// Source: RFC 7515, appendix A.2: key, signing input and signature.
  @Test func theSignatureOfTheStandardIsRight() throws {
    let modulus = """
      ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs\
      D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV\
      MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ
      """
    let signature = """
      cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZ\
      cAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e\
      OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw
      """
    let text =
      "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    let keys = SigningKeys(
      .object([("keys", .list([.object([("kty", .text("RSA")), ("n", .text(modulus)), ("e", .text("AQAB"))])]))]))
    let token = try IDToken("\(text).\(signature)")
    let key = try #require(keys.key(of: token))
    #expect(token.isSigned(with: key) && token.claims["iss"]?.text == "joe")
    var other = Array(signature)
    other[5] = other[5] == "A" ? "B" : "A"
    #expect(try !IDToken("\(text).\(String(other))").isSigned(with: key))
  }

  /// Source: RFC 7515, appendix A.3.
  @Test func theSignatureOfTheCurveIsRight() throws {
    let x = try #require(Base64.url.decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".utf8))
    let y = try #require(Base64.url.decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".utf8))
    let text =
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    let key = try SignatureKey(p256X: x, y: y)
    #expect(try IDToken("\(text).\(signature)").isSigned(with: key))
    #expect(try !IDToken("\(text).\(signature.dropLast(2))").isSigned(with: key))
    // A point beside the curve signs nothing; zeros are no signature.
    #expect(try !IDToken("\(text).\(signature)").isSigned(with: SignatureKey(p256X: y, y: x)))
    #expect(!key.isSignature([UInt8](repeating: 0, count: 64), of: Array(text.utf8)))
    #expect(throws: IdentityError.self) { try SignatureKey(p256X: Array(x.dropLast()), y: y) }
    let short = [UInt8](repeating: 0xff, count: 128)
    for (modulus, exponent) in [
      (short, [1, 0, 1]), (short + short, [1]), (short + short, [2]), (short + short, []),
    ] as [([UInt8], [UInt8])] {
      #expect(throws: IdentityError.self) { try SignatureKey(rsaModulus: modulus, exponent: exponent) }
    }
  }

  @Test(arguments: [
    "", ".", "..", "a.b.c", "e30.e30.", "e30.e30.e30.e30", "eyJhbGciOiJub25lIn0.e30.",
    "eyJhbGciOiJIUzI1NiJ9.e30.e30", "eyJhbGciOiJSUzI1NiIsImNyaXQiOlsiZXhwIl19.e30.e30", "W10.W10.e30",
  ]) func whatIsNoSuchTokenIsRefused(text: String) {
    #expect(throws: IDToken.Refusal.self) { try IDToken(text) }
  }

  // MARK: Keys of the provider

  /// A provider in memory with a clock of its own.
  private final class FakeProvider: Sendable {
    struct State {
      var nowNs: Int64 = 0
      var asked: [String: Int] = [:]
      var answers: [String: Result<OutboundAnswer, OutboundError>] = [:]
    }
    let state = Mutex(State())
    static let base = "https://op.example/realm"

    init() {
      answer(
        "/.well-known/openid-configuration",
        """
        {"issuer":"\(Self.base)","authorization_endpoint":"\(Self.base)/a","token_endpoint":"\(Self.base)/t","jwks_uri":"\(Self.base)/k"}
        """)
      answer("/k", #"{"keys":[]}"#)
    }

    func answer(_ path: String, _ body: String, code: Int = 200) {
      state.withLock { $0.answers[path] = .success(OutboundAnswer(code: code, body: Array(body.utf8))) }
    }

    func advance(seconds: Int64) { state.withLock { $0.nowNs += seconds * 1_000_000_000 } }
    func asked(_ path: String) -> Int { state.withLock { $0.asked[path, default: 0] } }

    var provider: OIDCProvider {
      OIDCProvider(
        OIDCTests.settings(), Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        now: { self.state.withLock { $0.nowNs } }
      ) { request, _ in
        let path = String(request.url.dropFirst(Self.base.count))
        return try self.state.withLock { state in
          state.asked[path, default: 0] += 1
          guard let answer = state.answers[path] else { throw OutboundError(code: 7, message: "cannot connect") }
          return try answer.get()
        }
      }
    }
  }

  private static func token(_ id: String) throws -> IDToken {
    let head = Base64.url.encode(Array(#"{"alg":"ES256","kid":"\#(id)"}"#.utf8))
    return try IDToken("\(head).e30." + Base64.url.encode([UInt8](repeating: 1, count: 64)))
  }

  @Test func anUnknownKeyIsAskedForOnceAMinute() async throws {
    let fake = FakeProvider()
    let provider = fake.provider
    for _ in 0..<5 { #expect(try await !provider.isSigned(Self.token("new"))) }
    #expect(fake.asked("/k") == 1)
    fake.advance(seconds: 61)
    for _ in 0..<5 { #expect(try await !provider.isSigned(Self.token("new"))) }
    #expect(fake.asked("/k") == 2 && fake.asked("/.well-known/openid-configuration") == 1)
    fake.advance(seconds: 3_700)
    #expect(try await !provider.isSigned(Self.token("new")))
    #expect(fake.asked("/.well-known/openid-configuration") == 2)
  }

  @Test func aProviderThatFailsIsAnsweredWithASentenceAndAskedAgain() async throws {
    let fake = FakeProvider()
    let description = "/.well-known/openid-configuration"
    func detail(_ provider: OIDCProvider) async -> String {
      do {
        _ = try await provider.addresses()
        return ""
      } catch { return (error as? Problem)?.detail ?? "\(error)" }
    }
    fake.state.withLock { $0.answers = [:] }
    let away = fake.provider
    for _ in 0..<3 { #expect(await detail(away).contains("Example does not answer (cannot connect)")) }
    #expect(fake.asked(description) == 1)
    let wrong = [
      ("<html>", 200, "answers no JSON object"), ("[]", 200, "answers no JSON object"), ("{}", 200, "another issuer"),
      (#"{"issuer":"https://op.example/realm"}"#, 200, "no authorization_endpoint"),
      (#"{"issuer":"https://op.example/realm","authorization_endpoint":"http://x"}"#, 200, "no authorization_endpoint"),
      (#"{"error":"\u001b[1mno"}"#, 500, "HTTP 500"),
    ]
    for (body, code, sentence) in wrong {
      fake.answer(description, body, code: code)
      fake.advance(seconds: 4)
      let detail = await detail(away)
      #expect(detail.contains(sentence) && !detail.contains("\u{1b}"), "\(detail)")
    }
  }

  @Test func noMoreKeysThanTheLimitAreKept() {
    let point = Base64.url.encode([UInt8](repeating: 1, count: 32))
    let keys = (0..<40).map { number in
      JSON.object([
        ("kty", .text("EC")), ("crv", .text("P-256")), ("kid", .text("\(number)")), ("x", .text(point)),
        ("y", .text(point)),
      ])
    }
    let read = SigningKeys(.object([("keys", .list(keys + [.null, .text("x"), .object([])]))]))
    #expect(read.count == SigningKeys.keysMax && read.leftOut == 8)
  }

  // MARK: The login's own state

  @Test func aLoginIsKnownByItsCookieAlone() throws {
    let (key, nowNs) = ([UInt8](repeating: 7, count: 32), Int64(1_800_000_000_000_000_000))
    let attempt = OIDCLogin.Attempt(next: "/incidents/7", nowNs: nowNs)
    let cookie = attempt.cookie(key: key)
    #expect(OIDCLogin.Attempt(cookie: cookie, key: key) == attempt && attempt.next == "/incidents/7")
    #expect(OIDCLogin.Attempt(cookie: cookie, key: [UInt8](repeating: 8, count: 32)) == nil)
    let parts = cookie.split(separator: ".")
    let later = "\(parts[0]).\(Int64(parts[1])! + 1).\(parts[2]).\(parts[3])"
    let elsewhere = "\(parts[0]).\(parts[1]).\(Base64.url.encode(Array("//x".utf8))).\(parts[3])"
    for broken in [later, elsewhere, "", "...", String(cookie.dropLast()), cookie + "."] {
      #expect(OIDCLogin.Attempt(cookie: broken, key: key) == nil, "\(broken)")
    }
    let texts = [attempt.state(key: key), attempt.nonce(key: key), attempt.verifier(key: key)]
    #expect(Set(texts).count == 3 && texts.allSatisfy { $0.utf8.count == 43 && !cookie.contains($0) })
  }

  @Test(arguments: [
    ("/", "/"), ("/a?b=c", "/a?b=c"), ("//evil.example", "/"), ("/\\evil.example", "/"), ("https://evil.example", "/"),
    ("/\t/evil.example", "/"), ("", "/"), ("evil", "/"), ("/" + String(repeating: "a", count: 2000), "/"),
  ]) func onlyPathsOfTheConsoleAreGoneBackTo(given: String, next: String) {
    #expect(OIDCLogin.Attempt(next: given, nowNs: 0).next == next)
  }

  @Test func theHighestRoleOfTheGroupsCounts() {
    var settings = Self.settings()
    #expect(settings.role(of: ["staff", "sre"]) == .admin && settings.role(of: ["duty=a", "staff"]) == .responder)
    #expect(settings.role(of: ["Staff"]) == nil && settings.role(of: []) == nil)
    settings.defaultRole = .viewer
    #expect(settings.role(of: []) == .viewer)
  }
}
