import Testing

@testable import TLS

@Suite struct JoinTokenTests {
  private static let pin = [UInt8](0..<32)
  private static let token = JoinToken.make(
    pins: [pin, pin.reversed()],
    addresses: [
      CollectorAddress(host: "collector.example", port: 4317), CollectorAddress(host: "2001:db8::1", port: 443),
    ])

  @Test func `A token is read as it was made`() throws {
    #expect(try JoinToken(parsing: Self.token.text) == Self.token)
    #expect(try JoinToken(parsing: "  \n" + Self.token.text + "\r\n") == Self.token)
    #expect(Self.token.text.hasPrefix("sbj1."))
    #expect(Self.token.text.split(separator: ".").count == 5)
  }

  @Test func `Tokens with any number of addresses and pins are read as they were made`() throws {
    for count in 1...JoinToken.addressesMax {
      // Lengths of every remainder modulo 3, so that the last base64 group has every form.
      let addresses = (0..<count).map { CollectorAddress(host: "h" + String(repeating: "x", count: $0), port: 1) }
      let token = JoinToken.make(pins: [Self.pin], addresses: addresses)
      #expect(try JoinToken(parsing: token.text) == token)
    }
  }

  @Test func `Every change of a single character is refused`() {
    let text = [UInt8](Self.token.text.utf8)
    let characters = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+= /,".utf8)
    for index in text.indices {
      for character in characters where character != text[index] {
        // Space around a token is ignored: at its ends a space is a missing character.
        var changed = text
        changed[index] = character
        #expect(throws: IdentityError.self, "character \(index)") {
          try JoinToken(parsing: String(decoding: changed, as: UTF8.self))
        }
      }
    }
  }

  @Test func `Every missing, doubled or exchanged character is refused`() {
    let text = [UInt8](Self.token.text.utf8)
    for index in text.indices {
      var missing = text
      missing.remove(at: index)
      var doubled = text
      doubled.insert(text[index], at: index)
      #expect(throws: IdentityError.self) { try JoinToken(parsing: String(decoding: missing, as: UTF8.self)) }
      #expect(throws: IdentityError.self) { try JoinToken(parsing: String(decoding: doubled, as: UTF8.self)) }
      guard index + 1 < text.count, text[index] != text[index + 1] else { continue }
      var exchanged = text
      exchanged.swapAt(index, index + 1)
      #expect(throws: IdentityError.self) { try JoinToken(parsing: String(decoding: exchanged, as: UTF8.self)) }
    }
  }

  @Test func `A token that was cut anywhere is called incomplete`() {
    let text = Self.token.text
    for count in 0..<text.count {
      #expect("cut at \(count)") { try JoinToken(parsing: String(text.prefix(count))) } throws: {
        ($0 as? IdentityError)?.code == .truncated
      }
    }
  }

  @Test(arguments: ["hello", "sbj2.a.b.c.d", "https://example/", "sbj1.AAAA.BBBB.CCCC.DDDD.EEEE"])
  func `What is no token is not called incomplete`(text: String) {
    #expect { try JoinToken(parsing: text) } throws: { ($0 as? IdentityError)?.code == .malformed }
  }

  @Test func `A token of any length is refused before it is decoded`() {
    #expect { try JoinToken(parsing: String(repeating: "a", count: JoinToken.textBytesMax + 1)) } throws: {
      ($0 as? IdentityError)?.code == .tooLarge
    }
  }

  @Test func `The secret is not in what is printed or stored`() throws {
    let token = Self.token
    #expect(!token.description.contains(token.secretText))
    #expect(!token.describe().contains(token.secretText))
    #expect(token.describe().contains("collector.example:4317"))
    #expect(token.describe().contains("[2001:db8::1]:443"))
    #expect(token.secretHash == Digest.sha256(token.secret))
    #expect(JoinToken.secretHash(ofText: token.secretText) == token.secretHash)
    #expect(JoinToken.secretHash(ofText: token.secretText + "A") == nil)
    #expect(JoinToken.isID(token.id))
    #expect(!JoinToken.isID("../../etc/x"))
  }

  @Test func `An id is never read as an option of a command`() {
    // 62 in the first six bits is a dash in base64url.
    var draws: [[UInt8]] = [[0xfb, 1, 2, 3, 4, 5, 6, 7, 8], [0xff, 1, 2, 3, 4, 5, 6, 7, 8]]
    #expect(JoinToken.freshID(draw: { _ in draws.removeFirst() }) == "_wECAwQFBgcI")
    #expect(draws.isEmpty)
  }

  @Test func `Two tokens have nothing in common`() {
    let other = JoinToken.make(pins: Self.token.pins, addresses: Self.token.addresses)
    #expect(other.id != Self.token.id)
    #expect(other.secret != Self.token.secret)
  }

  @Test(arguments: [
    ("a:1", "a:1"), ("127.0.0.1:65535", "127.0.0.1:65535"), ("[::1]:80", "[::1]:80"), ("fe80::1:80", nil), ("a", nil),
    (":1", nil),
    ("a:0", nil), ("a:65536", nil), ("a:+1", nil), ("a:", nil), ("a b:1", nil), ("a,b:1", nil), ("[]:1", nil),
    ("é:1", nil),
  ])
  func `An address is a host and a port`(text: String, expected: String?) {
    #expect(CollectorAddress(text)?.description == expected)
  }
}
