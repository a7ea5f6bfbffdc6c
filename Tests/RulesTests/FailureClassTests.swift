import FleetModel
import Foundation
import RuleFiles
import Testing

@testable import Rules

/// The shipped classes against messages as programs print them: each is known by its class and no other.
@Suite struct FailureClassTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  /// What a record raises, by the shipped classes.
  private static func suspect(_ text: String, _ matcher: FailureMatcher) -> Suspect? {
    var lines = LogLines()
    lines.text = Array(text.utf8)
    lines.lengths = [UInt32(lines.text.count)]
    lines.advances = [UInt32(lines.text.count + 1)]
    lines.timesUs = [0]
    lines.levels = [Level.error.rawValue]
    lines.flags = [LineFlags.joined.rawValue]
    var found: Suspect?
    matcher.look(lines, in: 0..<UInt64.max) { found = $2 }
    return found
  }

  private static func matcher() -> FailureMatcher {
    FailureMatcher(RuleDirectory.rules([root + "/deploy/rules"]).set.failures)
  }

  @Test func messagesAreKnownByTheirClass() throws {
    let matcher = Self.matcher()
    let data = try Data(contentsOf: URL(fileURLWithPath: Self.root + "/Tests/Fixtures/failures/messages.json"))
    let messages = try #require(JSONSerialization.jsonObject(with: data) as? [[String]])
    #expect(messages.count > 100 && Set(messages.map { $0[1] }).count > 40)
    for message in messages {
      let (text, wanted) = (message[0], message[1])
      // An exception stands at the end of a traceback, whose code names others.
      let name = text.prefix { $0.isLetter || $0.isNumber || $0 == "." || $0 == "_" }
      let last = name.split(separator: ".").last?.drop { $0 == "_" }
      let isException = last?.first?.isUppercase == true && text.dropFirst(name.count).first != " "
      let code =
        "Traceback (most recent call last):\n  File \"/srv/t.py\", line 12, in <module>\n    raise MemoryError('no')\n"
      let found = Self.suspect(isException ? code + text : text, matcher)
      #expect(found?.failureClass == wanted, "\(text.prefix(120))")
    }
  }

  @Test(
    arguments: [
      ("socket.gaierror: [Errno -2] Name or service not known", true),
      ("zlib.error: Error -3 while decompressing", true),
      ("socket.timeout", true), ("cv2.error: OpenCV(4.8.0) error", true), ("_queue.Empty", true),
      ("error: command failed", false), ("train.step: 12", false), ("error.log: 3 lines", false), ("Error", true),
    ] as [(String, Bool)])
  func exceptionsOfModulesInCHaveSmallNames(_ line: String, _ isOne: Bool) {
    let text = Array("Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n\(line)".utf8)
    #expect(RaisedText.exceptions(text.span, 0..<text.count).count == (isOne ? 1 : 0))
  }

  /// One pass takes so many bytes of words; what is beyond is found by another.
  @Test func wordsBeyondOneScannerAreFound() {
    let words = (0..<9000).map { Array("word-\($0)-".utf8) }
    let scanners = LiteralScanner.each(of: words)
    #expect(scanners.count > 1)
    let line = Array("word-0- word-8999-".utf8)
    var found: Set<Int> = []
    for (first, scanner) in scanners { scanner.scan(line.span, 0..<line.count) { found.insert(first + Int($0)) } }
    #expect(found == [0, 8999])
  }

  /// Where words of classes stand everywhere the sieve gives up: one pass over the bytes finds them, and patterns see the beginning only.
  @Test func aLineOfNothingButHintsIsReadByItsBeginning() throws {
    let words = "KeyError IndexError No such file Permission denied "
    let found = try #require(
      Self.suspect(words + String(repeating: words, count: 20_000) + "CUDA out of memory", Self.matcher()))
    #expect(["missing-file", "permission"].contains(found.failureClass))
    #expect(found.text.utf8.count <= Suspect.textBytesMax)
  }
}
