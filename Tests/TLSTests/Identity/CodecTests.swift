import FleetModel
import Testing

@testable import TLS

@Suite struct CodecTests {
  @Test(arguments: [
    ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
    ("foobar", "Zm9vYmFy"),
  ])
  func `Base64 gives the vectors of RFC 4648 section 10`(plain: String, text: String) {
    let padded = text + String(repeating: "=", count: (4 - text.count % 4) % 4)
    #expect(Base64.url.encode([UInt8](plain.utf8)) == text)
    #expect(Base64.standard.encode([UInt8](plain.utf8)) == padded)
    #expect(Base64.url.decode(text.utf8) == [UInt8](plain.utf8))
    #expect(Base64.standard.decode(padded.utf8) == [UInt8](plain.utf8))
  }

  @Test func `Base64 decodes what it encoded, for every byte and length`() {
    for count in 0..<300 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ count) }
      #expect(Base64.url.decode(Base64.url.encode(bytes).utf8) == bytes)
      #expect(Base64.standard.decode(Base64.standard.encode(bytes).utf8) == bytes)
    }
  }

  @Test(arguments: ["Zh", "Z", "Zg=", "Zg==", "Z g", "Zm9vY", "Zm-/", "Zm8\n"])
  func `Base64 of a token refuses what is not canonical`(text: String) {
    #expect(Base64.url.decode(text.utf8) == nil)
  }

  @Test(arguments: ["Zg", "Zg=", "Zg===", "Zh==", "=Zg=", "Z===", "Zg==Zg==", "-m8="])
  func `Base64 of PEM refuses what is not canonical`(text: String) {
    #expect(Base64.standard.decode(text.utf8) == nil)
  }

  @Test func `Hashes give their published vectors`() {
    func hex(_ bytes: [UInt8]) -> String { bytes.map(Hex.text).joined() }
    // FIPS 180-4 examples; RFC 4231 cases 1, 2 and 6; the check value of CRC-32.
    #expect(
      hex(Digest.sha256([UInt8]("abc".utf8))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(hex(Digest.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      hex(Digest.hmacSHA256(key: [UInt8](repeating: 0x0b, count: 20), [UInt8]("Hi There".utf8)))
        == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
    #expect(
      hex(Digest.hmacSHA256(key: [UInt8]("Jefe".utf8), [UInt8]("what do ya want for nothing?".utf8)))
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    let long = [UInt8]("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
    #expect(
      hex(Digest.hmacSHA256(key: [UInt8](repeating: 0xaa, count: 131), long))
        == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    #expect(Digest.crc32([UInt8]("123456789".utf8)) == 0xcbf4_3926)
  }

  @Test func `Comparison of secrets tells equal from different`() {
    #expect(Digest.equal([], []))
    #expect(Digest.equal([1, 2, 3], [1, 2, 3]))
    #expect(!Digest.equal([1, 2, 3], [1, 2, 4]))
    #expect(!Digest.equal([1, 2, 3], [1, 2]))
  }

  @Test func `PEM reads what it wrote, between other text`() throws {
    let der = (0..<200).map { UInt8($0) }
    let text =
      "Subject: x\r\n" + PEM.encode("CERTIFICATE", der).replacing("\n", with: "\r\n") + "\n" + PEM.encode("X Y", [1])
    let blocks = try PEM.decode([UInt8](text.utf8))
    #expect(blocks == [.init(label: "CERTIFICATE", der: der), .init(label: "X Y", der: [1])])
  }

  @Test func `PEM cut at any byte never gives another block`() throws {
    let whole = [UInt8](PEM.encode("CERTIFICATE", (0..<100).map { UInt8($0) }).utf8)
    // The final line end may be missing.
    for count in 0..<(whole.count - 1) {
      let blocks = try? PEM.decode(Array(whole[..<count]))
      #expect(blocks == nil || blocks == [], "cut at \(count)")
    }
    #expect(throws: IdentityError.self) { try PEM.decode(Array(whole[..<60])) }
  }

  @Test func `PEM has limits`() {
    #expect { try PEM.decode([UInt8](repeating: 10, count: PEM.textBytesMax + 1)) } throws: {
      ($0 as? IdentityError)?.code == .tooLarge
    }
    let many = String(repeating: PEM.encode("A", [1]), count: PEM.blocksMax + 1)
    #expect { try PEM.decode([UInt8](many.utf8)) } throws: { ($0 as? IdentityError)?.code == .tooLarge }
  }

  @Test func `A refusal survives its way through an alert and a status message`() {
    for refusal in IdentityRefusal.allCases {
      #expect(IdentityRefusal(alert: refusal.alert) == refusal)
      #expect(IdentityRefusal(statusMessage: refusal.statusMessage) == refusal)
    }
    #expect(IdentityRefusal(alert: 40) == nil)
    #expect(IdentityRefusal(statusMessage: "identity: else") == nil)
  }
}
