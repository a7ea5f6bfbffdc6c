import TLS
import Testing

@Suite struct TLSAlertTests {
  @Test("each alert that matters to an agent has a name of its own")
  func names() {
    #expect(TLSAlert(code: 44) == .revoked)
    #expect(TLSAlert(code: 45) == .expired)
    #expect(TLSAlert(code: 46) == .unknown)
    #expect(TLSAlert(code: 42) == .badCertificate)
    #expect(TLSAlert(code: 48) == .unknownAuthority)
    #expect(TLSAlert(code: 80) == .other(80))
  }

  @Test("what is no certificate or no key is refused with words")
  func configuration() {
    let none = TLSCredentials(chainPEM: [], keyPEM: [])
    #expect(throws: TLSError.self) { try TLSContext.server(none, trust: []) }
    #expect(throws: TLSError.self) { try TLSContext.client(nil, trust: .authorities(pem: []), server: .any) }
    let damaged = Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8)
    #expect(throws: TLSError.self) { try TLSContext.client(nil, trust: .authorities(pem: damaged), server: .any) }
  }
}
