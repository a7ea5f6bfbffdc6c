import FleetModel
import Foundation
import Testing

@testable import Agent

/// Made-up secrets of real shape, and lines as training hosts print them: `Tests/Fixtures/redaction`.
@Suite struct RedactionCorpusTests {
  /// Of the secrets, at least so many are removed wholly; of the harmless lines, at most so many are touched.
  private static let removedRatioMin = 0.995
  private static let touchedRatioMax = 0.003

  private static func lines(_ name: String) throws -> [String] {
    let url = FixtureHost.directory("redaction").appending(path: name)
    return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }.map(
      String.init)
  }

  /// The line, and what must not be left of it.
  private static func secrets() throws -> [(line: String, secrets: [String])] {
    try lines("secrets.txt").map { marked in
      let parts = marked.replacing("¦", with: "").split(separator: "⟪", omittingEmptySubsequences: false)
      var (line, secrets) = (String(parts[0]), [String]())
      for part in parts.dropFirst() {
        let halves = part.split(separator: "⟫", maxSplits: 1, omittingEmptySubsequences: false)
        secrets.append(String(halves[0]))
        line += halves.joined()
      }
      return (line, secrets)
    }
  }

  /// Nothing of it: neither half, nor the end or the start of it.
  private static func isLeft(_ secret: String, in text: String) -> Bool {
    let bytes = Array(secret.utf8)
    let length = max(4, bytes.count / 4)
    if bytes.count <= length { return text.contains(secret) }
    return stride(from: 0, through: bytes.count - length, by: length).contains { start in
      text.contains(String(decoding: bytes[start..<start + length], as: UTF8.self))
    } || text.contains(String(decoding: bytes.suffix(length), as: UTF8.self))
  }

  /// As a line of a followed file leaves the host.
  private static func sent(_ line: String) -> String {
    let file = FileIdentity(key: FileKey(high: 1, low: 1), path: "/logs/a.log")
    var reader = LogReader(
      ReaderContext(file: file, offset: 0, head: [], preceding: []), redactor: Redactor(), zone: { _ in 0 })
    var delta = FileDelta(file: file, from: 0, to: 0)
    let bytes = Array((line + "\n").utf8)
    #expect(reader.read(bytes.span, at: 0, isFinal: true, nowNs: 0, budget: .max, into: &delta) == bytes.count)
    return String(decoding: delta.lines.text, as: UTF8.self)
  }

  @Test func `Secrets of every shape are removed wholly`() throws {
    let all = try Self.secrets()
    #expect(all.count >= 200)
    var left: [String] = []
    for (line, secrets) in all {
      let redacted = Redactor().redact(line)
      #expect(Self.sent(line) == redacted, "a line and a text are judged alike")
      if secrets.contains(where: { Self.isLeft($0, in: redacted) }) { left.append("\(line)\n   -> \(redacted)") }
    }
    let ratio = 1 - Double(left.count) / Double(all.count)
    print("redaction: \(all.count - left.count) of \(all.count) secrets removed, \(ratio)")
    for line in left { print("left: \(line)") }
    #expect(ratio >= Self.removedRatioMin)
  }

  @Test func `Harmless lines are left alone`() throws {
    let all = try Self.lines("harmless.txt")
    #expect(all.count >= 300)
    var touched: [String] = []
    for line in all {
      let redacted = Redactor().redact(line)
      #expect(Self.sent(line) == redacted, "a line and a text are judged alike")
      if redacted != line { touched.append("\(line)\n   -> \(redacted)") }
    }
    let ratio = Double(touched.count) / Double(all.count)
    print("redaction: \(touched.count) of \(all.count) harmless lines touched, \(ratio)")
    for line in touched { print("touched: \(line)") }
    #expect(ratio <= Self.touchedRatioMax)
  }

  /// A line is judged by hints of the scan: wherever it stands in what was read, they must be the same.
  @Test func `A secret is found wherever the line stands`() throws {
    for (line, _) in try Self.secrets() {
      let expected = Redactor().redact(line)
      for pad in [1, 15, 31, 47, 63] {
        let file = FileIdentity(key: FileKey(high: 1, low: 1), path: "/logs/a.log")
        var reader = LogReader(
          ReaderContext(file: file, offset: 0, head: [], preceding: []), redactor: Redactor(), zone: { _ in 0 })
        var delta = FileDelta(file: file, from: 0, to: 0)
        let bytes = Array((String(repeating: "-", count: pad) + "\n" + line + "\n").utf8)
        _ = reader.read(bytes.span, at: 0, isFinal: true, nowNs: 0, budget: .max, into: &delta)
        #expect(String(decoding: delta.lines.text.dropFirst(pad), as: UTF8.self) == expected, "\(pad) \(line)")
      }
    }
  }

  /// A hostile line costs no more than in proportion to its length.
  @Test func `Long lines of hints end soon`() {
    for piece in [
      "password=<", "sk-", "eyJ_", "x@", "token=a ", "-p ", "mysql -p ", "password%3D", "webhooks/", "a:b@", "AKIA",
      "--password ", "\"secret\": ",
      "Authorization: ", "cookie=", "password \\", "-----BEGIN ", "pass=(", "key-", "：",
    ] {
      var text = Array(String(repeating: piece, count: 65_536 / piece.utf8.count).utf8)
      let clock = ContinuousClock()
      let spent = clock.measure { Redactor().redact(&text, from: 0) }
      #expect(spent < .seconds(60), "\(piece)")
    }
  }

  @Test func `A private key whose lines have a prefix is gone from all of them`() {
    let body = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj", "q83vEjRWeJCrze8SNFZ4kKvN7w=="]
    let lines = ["-----BEGIN PRIVATE KEY-----"] + body + ["-----END PRIVATE KEY-----"]
    let sent = Self.sent(
      lines.map { "2026-11-29 01:02:03 INFO " + $0 }.joined(separator: "\n") + "\n2026-11-29 01:02:04 INFO after: all")
    for line in body { #expect(!sent.contains(line.prefix(12)), "\(sent)") }
    #expect(sent.hasSuffix("after: all"))
  }
}
