import Compression
import FleetModel
import TestSupport
import Testing

@testable import Console

/// What an answer costs on the wire.
@Suite struct CodingTests {
  @Test(
    arguments: [
      (nil, false), ("", false), ("gzip", true), ("deflate, gzip;q=0.5, br", true), ("gzip;q=0", false), ("*", true),
      ("*;q=0", false), ("gzip;q=0, *", false), ("*, gzip;q=0", false), ("GZIP ; q=1", true), ("br", false),
      (";;,,=", false), ("gzip;q=x", false),
    ] as [(String?, Bool)])
  func gzipIsSentToWhoTakesIt(_ header: String?, _ takes: Bool) {
    #expect(EncodingChoice.takesGzip(header) == takes)
  }

  @Test func aTagIsKnownAgain() {
    for header in ["\"a\"", "W/\"a\"", "\"x\", \"a\"", "*", "\"a-gzip\"", " \"a\" "] {
      #expect(EntityTag.matches("\"a\"", header), "\(header)")
    }
    for header in ["\"b\"", "a", "", "\"a", "\"aa\""] { #expect(!EntityTag.matches("\"a\"", header), "\(header)") }
    #expect(EntityTag.ofGzip("\"a\"") == "\"a-gzip\"" && EntityTag.ofGzip("W/\"a\"") == "W/\"a\"")
  }

  /// What changes with each answer is no change of what it says; a text that looks like it is.
  @Test func onlyTheTimeOfTheAnswerIsLeftOut() {
    let first = #"{"items":[{"note":"\"as_of\":\"x\""}],"next":null,"meta":{"as_of":"2026-01-01","hosts":{}}}"#
    let second = first.replacing("2026-01-01", with: "2027-12-31")
    let third = first.replacing(#"\"x\""#, with: #"\"y\""#)
    #expect(Gate.withoutAsOf(Array(first.utf8)) == Gate.withoutAsOf(Array(second.utf8)))
    #expect(Gate.withoutAsOf(Array(first.utf8)) != Gate.withoutAsOf(Array(third.utf8)))
    #expect(Gate.withoutAsOf([]) == [] && Gate.withoutAsOf(Array(#""as_of":""#.utf8)) == Array(#""as_of":""#.utf8))
  }

  @Test func compressedBytesAreGzipAndFewer() throws {
    let bytes = Array(String(repeating: "a line that comes again\n", count: 1000).utf8)
    for effort in [Gzip.Effort.fast, .best] {
      let packed = try #require(Gzip.compress(bytes, effort: effort))
      #expect(packed.starts(with: [0x1f, 0x8b]) && packed.count < bytes.count / 20)
      // RFC 1952, section 2.3.1: the last four bytes are the length.
      #expect(packed.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) } == bytes.count)
    }
    #expect(try #require(Gzip.compress([])).count > 10)
  }

  /// The length of a compressed page says nothing of a secret in it, because the secret is another text each time.
  @Test func aFormTokenIsAnotherTextInEachPage() {
    let token = "c2Vzc2lvbi1zZWNyZXQ"
    let masks = (0..<50).map { _ in FormToken.masked(token) }
    #expect(Set(masks).count == 50 && masks.allSatisfy { !$0.contains(token) })
    #expect(masks.allSatisfy { FormToken.isMask($0, of: token) })
    for wrong in ["", token, FormToken.masked("another"), FormToken.masked(String(token.dropLast()) + "x"), "%%"] {
      #expect(!FormToken.isMask(wrong, of: token), "\(wrong)")
    }
  }

  @Test func theScriptIsSmallAndMakesNoMarkup() {
    for script in Script.all {
      let text = String(decoding: script.bytes, as: UTF8.self)
      // What a page has of its own is that of all pages and one more.
      let bytes = script.bytes.count + (script.path == Script.common.path ? 0 : Script.common.bytes.count)
      #expect(bytes <= 10_000 && bytes > 1_000, "\(script.path): \(bytes)")
      for sink in [
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "setTimeout(\"",
      ] {
        #expect(!text.contains(sink), "\(sink)")
      }
      #expect(!text.split(separator: "\n").contains { $0.hasPrefix(" ") || $0.hasPrefix("//") })
    }
  }
}
