import TLS
import Testing

@Suite struct PageTokenTests {
  private static let key = [UInt8](repeating: 7, count: 32)
  private static let id = "msg_0123456789abcdef0123456789abcdef"
  private static let expiresNs: Int64 = 1_790_000_000_000_000_000

  private func token() throws -> PageToken {
    try #require(PageToken(messageID: Self.id, expiresNs: Self.expiresNs + 5))
  }

  @Test func aTokenIsReadAsItWasWritten() throws {
    let text = try token().text(key: Self.key)
    #expect(try text.utf8.count == 48 && text == token().text(key: Self.key))
    let read = try #require(PageToken.read(text, key: Self.key))
    #expect(read.messageID == Self.id && read.expiresNs == Self.expiresNs)
  }

  /// Each character counts, and so does the key.
  @Test func whatWasNotSignedIsNone() throws {
    let text = try token().text(key: Self.key)
    for at in text.indices {
      var changed = text
      changed.replaceSubrange(at...at, with: text[at] == "A" ? "B" : "A")
      #expect(PageToken.read(changed, key: Self.key) == nil, "\(changed)")
      #expect(PageToken.read(String(text[..<at]), key: Self.key) == nil)
    }
    #expect(PageToken.read(text, key: [UInt8](repeating: 8, count: 32)) == nil)
    for other in [
      "", text + "A", text + "=", " " + text, String(repeating: "é", count: 24), String(repeating: "A", count: 9999),
    ] {
      #expect(PageToken.read(other, key: Self.key) == nil)
    }
  }

  /// Ids of other forms, such as the key of an alert, and times that do not fit.
  @Test func whatHasNoIDOfItsFormGetsNone() {
    for id in ["msg_1", "msg_", "RES-01|trainer-1|x", "msg_" + String(repeating: "g", count: 32)] {
      #expect(PageToken(messageID: id, expiresNs: Self.expiresNs) == nil)
    }
    for ns in [-1_000_000_000, Int64.max, Int64.min] { #expect(PageToken(messageID: Self.id, expiresNs: ns) == nil) }
  }
}
