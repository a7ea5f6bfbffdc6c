import TLS
import Testing

@Suite struct AccessTokenTests {
  @Test func aTokenIsReadAsItWasWritten() throws {
    let token = AccessToken.make()
    #expect(token.text.hasPrefix("sbk_") && token.text.utf8.count == 88)
    let read = try #require(AccessToken(token.text))
    #expect(read == token && read.secretHash.count == 32)
    #expect(AccessToken.make() != token)
  }

  /// One that was cut or mistyped is none: it is never looked for in the database.
  @Test func aDamagedTokenIsNone() {
    let text = AccessToken.make().text
    for at in text.indices {
      var changed = text
      changed.replaceSubrange(at...at, with: text[at] == "0" ? "1" : "0")
      #expect(AccessToken(changed) == nil, "\(changed)")
      #expect(AccessToken(String(text[..<at])) == nil)
    }
    for other in ["", "sbk_", text + "0", text.uppercased(), " " + text, "sbk_" + String(repeating: "é", count: 42)] {
      #expect(AccessToken(other) == nil)
    }
  }
}
