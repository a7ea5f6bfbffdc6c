import FleetModel
import Foundation
import Testing

@Suite struct PlainTextTests {
  static let zalgo = "a" + String(repeating: "\u{338}", count: 5000)

  @Test func aCutCountsWhatIsSent() {
    #expect(PlainText.cut("abc", bytesMax: 3) == "abc")
    #expect(PlainText.cut("abcd", bytesMax: 3) == "…")
    #expect(PlainText.cut("abcdef", bytesMax: 5) == "ab…")
    #expect(PlainText.cut("ééé", bytesMax: 5) == "é…")
    #expect(PlainText.cut("😀😀", unitsMax: 3) == "😀…")
    #expect(PlainText.cut("ab", bytesMax: 1) == "")
    // One Swift Character each.
    #expect(PlainText.cut(Self.zalgo, bytesMax: 1024).utf8.count <= 1024)
    #expect(PlainText.cut(Self.zalgo, unitsMax: 100).utf16.count == 100)
    #expect(PlainText.cut(Self.zalgo, scalarsMax: 120).unicodeScalars.count == 120)
  }

  @Test(arguments: [
    ("plain é 世界", "plain é 世界"), ("\u{1b}[31mred", "\\u{1b}[31mred"), ("a\u{202e}b", "a\\u{202e}b"),
    ("a\u{2066}b\u{2069}", "a\\u{2066}b\\u{2069}"), ("a\u{200b}b", "a\\u{200b}b"), ("a\u{9b}2J", "a\\u{9b}2J"),
    ("a\u{2028}b", "a\\u{2028}b"), ("a\nb\tc\r", "a\\nb\\tc\\r"), ("a\u{ad}b\u{3164}", "a\\u{ad}b\\u{3164}"),
    ("\u{301}x", "\\u{301}x"), ("e\u{301}", "e\u{301}"), ("a\u{e0101}", "a\\u{e0101}"),
  ])
  func aTerminalObeysNothing(_ text: String, _ shown: String) {
    #expect(Array(PlainText.visible(text).unicodeScalars) == Array(shown.unicodeScalars))
    for scalar in PlainText.line(text).unicodeScalars { #expect(!JSONText.isHostile(scalar)) }
    for scalar in PlainText.lines(text).unicodeScalars { #expect(scalar == "\n" || !JSONText.isHostile(scalar)) }
  }

  @Test func marksDoNotPaintOverTheLinesAround() {
    let shown = PlainText.visible(Self.zalgo)
    #expect(shown.unicodeScalars.count { $0 == "\u{338}" } == 4)
  }

  static let names = [
    "/srv/data", "/x; touch pwned", "/x$(touch pwned)", "/x`touch pwned`", "/it's", "/x\ntouch pwned", "/\u{1b}[2J",
    "", "a b", "/\u{202e}x", "/back\\slash'`", "*", "~", "-rf", "/é", "$HOME", "\"q\"", "!x", "#x", "/a\u{301}",
  ]

  @Test(arguments: names)
  func aNameIsOneWordForAShell(_ name: String) throws {
    let word = PlainText.shellWord(name)
    #expect(!word.unicodeScalars.contains(where: JSONText.isHostile))
    #expect(try Self.echo("printf %s \(word)") == name)
  }

  static func echo(_ command: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", command]
    process.environment = ["HOME": "/root", "LC_ALL": "C.UTF-8"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
  }

  @Test(arguments: [
    ("cannot open postgresql://u:geheim@h/db now", "cannot open postgresql://u:***@h/db now"),
    ("'postgresql://u:ge/h@im?x@h/db'", "'postgresql://u:***@h/db'"),
    ("host=h password=geheim user=u", "host=h password=*** user=u"), ("PASSWORD='a b' x", "PASSWORD=*** x"),
    ("?sslpassword=geheim&x=1", "?sslpassword=***&x=1"), ("http://h:80/x", "http://h:80/x"),
    ("password=", "password=***"),
    ("u@h://", "u@h://"), ("://", "://"),
  ])
  func aSentenceTellsNoPassword(_ text: String, _ shown: String) {
    #expect(PlainText.withoutPasswords(text) == shown)
  }
}
