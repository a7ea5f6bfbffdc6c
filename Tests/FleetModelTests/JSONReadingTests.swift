import FleetModel
import Testing

/// What is written is read as it was.
@Suite struct JSONReadingTests {
  private static func read(_ text: String) -> JSON? { JSON.read(Array(text.utf8)) }

  @Test(arguments: [
    "null", "true", "[]", "{}", #"{"a":[1,2.5,-3,{"b":null}],"c":"x"}"#, #""\"\\\n\u0000\ud83d\ude00""#,
    "9223372036854775807",
    "1e+300", "[[[[1]]]]",
  ])
  func whatIsReadIsWrittenAgain(_ text: String) throws {
    let value = try #require(Self.read(text))
    #expect(try #require(JSON.read(Array(value.written.utf8))).written == value.written)
    #expect(value.written.filter { $0 != "+" } == text.filter { $0 != "+" } || text.contains("\\u"), "\(value.written)")
  }

  @Test func membersKeepTheirOrderAndTheirKinds() {
    let value = Self.read(#"{"z":1,"a":1.0,"t":"\u00e9","n":12345678901234567890}"#)
    guard case .object(let members)? = value else {
      Issue.record("no object")
      return
    }
    #expect(members.map(\.0) == ["z", "a", "t", "n"] && value?["z"]?.integer == 1 && value?["t"]?.text == "é")
    #expect(value?["a"]?.integer == nil && value?["n"]?.integer == nil)
  }

  @Test(arguments: [
    "", "nul", "[1,]", "{\"a\"}", "[1", "1 2", "{\"a\":1}}", "\"", String(repeating: "[", count: 100_000), "'a'",
  ])
  func whatIsNoJSONIsNil(_ text: String) { #expect(Self.read(text)?.written == nil) }

  @Test func partsOfAnAddressAreEncoded() {
    #expect(PercentEncoding.pathPart("a b/é?&=~") == "a%20b%2F%C3%A9%3F%26%3D~")
    #expect(PercentEncoding.path("/a?b=c d\r\n") == "/a?b=c%20d%0D%0A")
  }
}
