import FleetModel
import Foundation
import TestSupport
import Testing

/// Patterns with named captures, compared with an engine that backtracks.
@Suite struct CapturePatternTests {
  private static func captures(_ pattern: String, _ line: String) throws -> [String: String]? {
    let compiled = try CapturePattern(pattern)
    var matcher = CapturePattern.Matcher()
    let bytes = Array(line.utf8)
    guard let found = compiled.match(bytes.span, 0..<bytes.count, &matcher) else { return nil }
    var texts: [String: String] = [:]
    for (name, range) in zip(compiled.names, found) {
      if let range { texts[name] = String(decoding: bytes[range], as: UTF8.self) }
    }
    return texts
  }

  @Test("captures are those of an ordinary expression")
  func captures() throws {
    #expect(
      try Self.captures(#"step (?<step>\d+).*loss[ =:]+(?<loss>\S+)"#, "INFO step 12 of 100, loss = 0.25, lr 1e-3")
        == ["step": "12", "loss": "0.25,"])
    #expect(
      try Self.captures(#"(?i)LOSS: (?P<train/loss>[-+.\deE]+)"#, "x loss: -1.5e-3 y") == ["train/loss": "-1.5e-3"])
    #expect(try Self.captures("(?<a>x+)(?<b>x*)", "yyxxxy") == ["a": "xxx", "b": ""])
    #expect(try Self.captures("(?:(?<a>1)|(?<b>2))z", "12z") == ["b": "2"])
    #expect(try Self.captures("^(?<a>.)$", "xy") == nil && Self.captures("^(?<a>.)$", "x") == ["a": "x"])
    #expect(try Self.captures("(?<a>a{2,3})", "aaaaa") == ["a": "aaa"])
    #expect(try Self.captures("((?<a>.)b)+", "xbyb") == ["a": "y"])
  }

  @Test("random patterns and lines give what Foundation's engine gives", arguments: 0..<300 as Range<UInt64>)
  func random(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    func atom(_ depth: Int) -> String {
      switch Int.random(in: 0..<(depth > 2 ? 4 : 6), using: &random) {
      case 0, 1: return ["a", "b", "c"].randomElement(using: &random) ?? "a"
      case 2: return "[ab]"
      case 3: return "."
      default: return "(?:" + choice(depth + 1) + ")"
      }
    }
    func sequence(_ depth: Int) -> String {
      (0..<Int.random(in: 1...3, using: &random)).map { _ in
        atom(depth) + (["", "", "?", "{1,2}", "+"].randomElement(using: &random) ?? "")
      }.joined()
    }
    func choice(_ depth: Int) -> String {
      (0..<Int.random(in: 1...2, using: &random)).map { _ in sequence(depth) }.joined(separator: "|")
    }
    let pattern = "(?<x>" + choice(1) + ")(?<y>" + choice(1) + ")"
    let line = String(
      (0..<Int.random(in: 0..<12, using: &random)).map { _ in "abcd".randomElement(using: &random) ?? "a" })
    let other = try NSRegularExpression(pattern: pattern)
    let match = other.firstMatch(in: line, range: NSRange(location: 0, length: line.utf16.count))
    let wanted = match.map { match in
      Dictionary(
        uniqueKeysWithValues: ["x", "y"].map { name in
          (name, (line as NSString).substring(with: match.range(withName: name)))
        })
    }
    // A repetition of what matches nothing is where engines differ.
    if pattern.contains(")+") || pattern.contains("){") || pattern.contains(")?") { return }
    #expect(try Self.captures(pattern, line) == wanted, "\(pattern) on \(line)")
  }

  @Test(
    "a mistake is a sentence",
    arguments: [
      "(?<a>", "(?<>x)", "(?<a>x)(?<a>y)", "(?<a b>x)", "(?=x)", #"\q"#, "(?<a>x{300})", "*",
      (0..<17).map { "(?<n\($0)>x)" }.joined(), "((){500}){500}){500}",
    ])
  func mistakes(_ pattern: String) {
    #expect(throws: LinePatternError.self) { try CapturePattern(pattern) }
  }

  @Test("a hostile line costs its bytes times the pattern, not more")
  func hostile() throws {
    let pattern = try CapturePattern("(?<a>(?:a|a)*(?:a|a)*(?:aa)*)(?<b>b)")
    var matcher = CapturePattern.Matcher()
    let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 4096)
    #expect(pattern.match(bytes.span, 0..<bytes.count, &matcher) == nil)
  }
}
