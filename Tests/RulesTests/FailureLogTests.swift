import Agent
import Files
import FleetModel
import Foundation
import RuleFiles
import Testing

@testable import Rules

/// Ends of logs of the corpus' programs, read as an agent reads them, by the shipped classes.
@Suite struct FailureLogTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  /// What the end of a log raises, and says most.
  private static func first(of text: String, _ matcher: FailureMatcher, in directory: String) throws -> Suspect? {
    let path = directory + "/train.log"
    try (text.hasSuffix("\n") ? text : text + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    var number: UInt64 = 0
    let followers = Followers(
      fileSystem: LinuxFollowedFileSystem(allowed: [directory]),
      readers: FormatReaders(redactor: Redactor(), zone: Clock.zoneOffsetSeconds)
    ) {
      number += 1
      return FileKey(high: 0, low: number)
    }
    followers.follow([path])
    var nowNs = Clock.wallNs()
    followers.resume(from: [], nowNs: nowNs)
    var found = FailureCase(file: 0)
    // A record that may go on is waited for.
    for _ in 0..<20 {
      nowNs += 1_000_000_000
      while let delta = followers.nextDelta(byteBudget: 256 << 10, nowNs: nowNs) {
        matcher.look(delta.lines, in: 0..<UInt64.max) { if let suspect = $2 { found.add(suspect, arrivedNs: nowNs) } }
        followers.committed(delta.file.key, offset: delta.to)
      }
    }
    try HostFiles.remove(path)
    return found.first
  }

  private struct Row {
    let text: String
    let accepted: [String]

    init?(_ fields: [Any]) {
      guard fields.count >= 2, let text = fields[0] as? String, let accepted = fields[1] as? [String] else {
        return nil
      }
      (self.text, self.accepted) = (text, accepted)
    }
  }

  private static func rows(_ path: String) throws -> [Row] {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    return try #require(JSONSerialization.jsonObject(with: data) as? [[Any]]).compactMap(Row.init)
  }

  /// `SIGNALBOX_LOGS` names another file of such rows, for a count: each is printed that is not known.
  @Test func logsAreKnownByTheirClass() throws {
    let matcher = FailureMatcher(RuleDirectory.rules([Self.root + "/deploy/rules"]).set.failures)
    let directory = "/tmp/signalbox-failure-logs-\(Clock.monotonicNs())"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let other = ProcessInfo.processInfo.environment["SIGNALBOX_LOGS"]
    let rows = try Self.rows(other ?? Self.root + "/Tests/Fixtures/failures/logs.json")
    var (known, half) = (0, 0)
    for (number, row) in rows.enumerated() {
      let found = try Self.first(of: row.text, matcher, in: directory)
      let given = found?.failureClass ?? "nothing"
      if row.accepted.contains(given) {
        known += 1
        continue
      }
      if other == nil { #expect(row.accepted.contains(given), "\(row.text.suffix(400))") }
      let isNamed = found?.weight == .exception || found?.weight == .errorLine
      if isNamed { half += 1 }
      let shown = isNamed ? "not identified" : given
      print("log \(number): \(shown), not \(row.accepted): \(found?.text.prefix(160) ?? "")")
    }
    print("logs known by their class: \(known) of \(rows.count), not identified \(half)")
    #expect(!rows.isEmpty)
  }
}
