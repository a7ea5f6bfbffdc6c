import FleetModel
import TestSupport
import Testing

@Suite struct JSONScannerTests {
  /// The tokens as one text, or nil where the scanner says that it is no JSON.
  private func tokens(_ text: [UInt8]) -> String? {
    var scanner = JSONScanner(0..<text.count)
    var out: [String] = []
    while let token = scanner.next(text.span) {
      switch token {
      case .objectStart: out.append("{")
      case .objectEnd: out.append("}")
      case .arrayStart: out.append("[")
      case .arrayEnd: out.append("]")
      case .key(let range): out.append("\(string(text, range)):")
      case .string(let range): out.append("'\(string(text, range))'")
      case .number(let range): out.append(String(decoding: text[range], as: UTF8.self))
      case .bool(let value): out.append("\(value)")
      case .null: out.append("null")
      }
    }
    return scanner.isComplete ? out.joined(separator: " ") : nil
  }

  private func string(_ text: [UInt8], _ range: Range<Int>) -> String {
    String(decoding: JSONScanner.text(text.span, range, bytesMax: 1000), as: UTF8.self)
  }

  @Test("tokens come in order, strings without their escapes")
  func order() {
    let text = #" {"a": [1, -2.5e3, {}, []], "b\u00e9": "x\n\"\\\/\ud83d\ude00\ud800 z", "c": {"d": null}, "e":true} "#
    #expect(
      tokens(Array(text.utf8))
        == "{ a: [ 1 -2.5e3 { } [ ] ] bé: 'x\n\"\\/😀\u{fffd} z' c: { d: null } e: true }")
    #expect(tokens(Array("[NaN, Infinity, -Infinity]".utf8)) == "[ NaN Infinity -Infinity ]")
    #expect(tokens(Array("3".utf8)) == "3" && tokens(Array("\"\"".utf8)) == "''")
  }

  @Test(
    "what is no JSON fails",
    arguments: [
      "", " ", "{", "}", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "[1 2]", "[1]]", "{\"a\":1}{", "\"abc",
      "\"abc\\",
      "tru", "nul", "[tru]", "[1", "{\"a\":1]", "[1}", "'a'", "--1", "{\"a\" 1}", ",", ":", "1 2",
    ])
  func failing(text: String) {
    #expect(tokens(Array(text.utf8)) == nil)
  }

  @Test("nesting up to the limit is read, deeper fails")
  func depth() {
    let deepest =
      String(repeating: "[", count: JSONScanner.depthMax) + String(repeating: "]", count: JSONScanner.depthMax)
    #expect(tokens(Array(deepest.utf8)) != nil)
    #expect(tokens(Array(("[" + deepest + "]").utf8)) == nil)
  }

  @Test("a value of any kind can be passed over")
  func skipping() throws {
    let text = Array(#"{"a": {"x": [1, {"y": 2}]}, "b": "s", "c": 3}"#.utf8)
    var scanner = JSONScanner(0..<text.count)
    #expect(scanner.next(text.span) == .objectStart)
    var keys: [String] = []
    while case .key(let key)? = scanner.next(text.span) {
      keys.append(string(text, key))
      scanner.skip(text.span)
    }
    #expect(keys == ["a", "b", "c"] && scanner.isComplete)
  }

  @Test("any damage to a text is read without a trap", arguments: 0..<200)
  func damage(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var text = Array(#"{"a": [1, -2.5e3, {"q": "x\u00e9\n"}], "b": "\ud83d\ude00", "c": NaN, "d": true}"#.utf8)
    for _ in 0..<Int.random(in: 1...5, using: &random) {
      text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
    }
    for length in 0...text.count { _ = tokens(Array(text.prefix(length))) }
  }
}
