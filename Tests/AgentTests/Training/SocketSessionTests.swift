import Agent
import FleetModel
import Foundation
import TestSupport
import Testing

@Suite struct SocketSessionTests {
  /// Feeds `text` in parts of `size` bytes.
  private func tell(
    _ text: String, size: Int = .max, limits: SocketLimits = SocketLimits(),
    redact: @escaping (String) -> String = { $0 }
  ) -> (records: Records, replies: String) {
    var session = SocketSession(peer: SocketPeer(pid: 7, uid: 1000), limits: limits, redact: redact)
    var records = Records()
    var replies: [UInt8] = []
    let bytes = Array(text.utf8)
    var position = 0
    while position < bytes.count {
      let part = Array(bytes[position..<min(bytes.count, position + min(size, bytes.count))])
      replies += session.receive(part.span, nowNs: 5, monotonicNs: 0, into: &records)
      position += part.count
    }
    session.close(nowNs: 6, into: &records)
    return (records, String(decoding: replies, as: UTF8.self))
  }

  static let story = """
    {"event": "run_started", "run": "r1", "framework": "jax", "detail": {"lr": 3e-4, "n": [1, NaN, "a\\u0000"]}}
    {"event": "metric", "run": "r1", "step": 100, "metrics": {"loss": 0.5, "entropy": null}}

    {"event": "metric", "run": "r1", "name": "fps", "value": 60, "episode": 2, "time": 1795229452.5, "later": [{}]}
    {"event": "episode", "run": "r1", "episode": 2, "steps": 40, "reward": -1.5}
    {"event": "run_ended", "run": "r1", "state": "failed"}
    """

  @Test("a process's start and end are handed on with who reports them; what cannot be is refused")
  func processes() {
    var session = SocketSession(peer: SocketPeer(pid: 7, uid: 1000), redact: { $0.replacing("hush", with: "***") })
    var records = Records()
    func answer(_ line: String) -> String {
      String(
        decoding: session.receive(Array((line + "\n").utf8).span, nowNs: 5, monotonicNs: 0, into: &records),
        as: UTF8.self)
    }
    let members = #""pid": 9, "start_ticks": 77, "name": "n", "command": "a hush""#
    #expect(answer("{\"event\": \"process_started\", \(members)}").isEmpty)
    #expect(answer("{\"event\": \"process_ended\", \(members), \"signal\": 11, \"core_dumped\": true}").isEmpty)
    #expect(answer("{\"event\": \"process_ended\", \(members), \"code\": 7}").isEmpty)
    let announced = session.takeAnnounced()
    #expect(announced.map(\.hasEnded) == [false, true, true])
    #expect(announced.map(\.exit) == [nil, .signal(11, coreDumped: true), .code(7)])
    #expect(announced.allSatisfy { $0.peer.pid == 7 && $0.pid == 9 && $0.startTicks == 77 && $0.command == "a ***" })
    #expect(session.takeAnnounced().isEmpty && records.isEmpty)
    for wrong in [
      #""pid": 0, "start_ticks": 1"#, #""pid": 4294967296, "start_ticks": 1"#, #""start_ticks": 1"#, #""pid": 1"#,
      #""pid": 1, "start_ticks": -1"#, #""pid": 1, "start_ticks": 1, "code": 256"#,
      #""pid": 1, "start_ticks": 1, "signal": 0"#,
      #""pid": 1, "start_ticks": 1, "signal": 9, "code": 0"#, #""pid": 1, "start_ticks": 1, "core_dumped": 1"#,
    ] {
      #expect(answer("{\"event\": \"process_ended\", \(wrong)}").contains("error"), "\(wrong)")
    }
    #expect(session.takeAnnounced().isEmpty)
  }

  @Test("a program's events become runs, steps and episodes", arguments: [1, 2, 7, 64, 100_000])
  func story(size: Int) throws {
    let (records, replies) = tell(Self.story, size: size)
    #expect(replies.isEmpty)
    #expect(records.runs.map(\.state) == [.running, .failed])
    let start = try #require(records.runs.first)
    #expect(start.framework == "jax" && start.source == "socket" && start.run == "r1" && start.timeNs == 5)
    #expect(
      start.detail
        == "{\"pid\": 7, \"uid\": 1000, \"detail\": {\"lr\": 0.0003, \"n\": [1, null, \"a\u{fffd}\"]}}")
    #expect(records.steps.map(\.step) == [100, 0] && records.steps.map(\.episode) == [-1, 2])
    #expect(records.steps[0].metrics.map(\.name) == ["loss", "entropy"] && records.steps[0].metrics[1].value.isNaN)
    #expect(records.steps[1].timeNs == 1_795_229_452_500_000_000 && records.steps[1].metrics[0].value == 60)
    let episode = try #require(records.episodes.first)
    #expect(episode.state == .completed && episode.metrics.steps == 40 && episode.metrics.totalReward == -1.5)
    // The last line has no newline: it counts when the program closes.
    #expect(records.runs.last?.timeNs == 6)
  }

  @Test("a metric of a negative episode is of none")
  func noEpisode() {
    let (records, replies) = tell(
      "{\"event\": \"metric\", \"run\": \"r\", \"episode\": -3, \"metrics\": {\"loss\": 1}}\n")
    #expect(replies.isEmpty && records.steps.map(\.episode) == [-1] && records.episodes.isEmpty)
  }

  @Test(
    "a line that is not understood is answered with what is wrong with it",
    arguments: [
      ("nonsense", "must be one JSON object"), ("[1]", "must be one JSON object"),
      ("{\"event\":", "must be one JSON object"),
      ("{\"run\": \"r\"}", "\\\"event\\\" is missing"), ("{\"event\": \"metric\"}", "\\\"run\\\" is missing"),
      ("{\"event\": \"metric\", \"run\": \"\"}", "\\\"run\\\" is missing"),
      ("{\"event\": \"metric\", \"run\": \"r\"}", "\\\"metrics\\\" is missing"),
      ("{\"event\": \"metric\", \"run\": \"r\", \"metrics\": 3}", "\\\"metrics\\\" has the wrong type"),
      ("{\"event\": \"metric\", \"run\": \"r\", \"metrics\": {\"a\": \"b\"}}", "\\\"metrics\\\" has the wrong type"),
      ("{\"event\": \"episode\", \"run\": \"r\"}", "\\\"episode\\\" is missing"),
      ("{\"event\": \"episode\", \"run\": \"r\", \"episode\": 1.5}", "\\\"episode\\\" has the wrong type"),
      ("{\"event\": \"episode\", \"run\": \"r\", \"episode\": -1}", "\\\"episode\\\" must be 0 or more"),
      ("{\"event\": \"stop\", \"run\": \"r\"}", "\\\"stop\\\"; it must be run_started"),
      ("{\"event\": \"run_ended\", \"run\": \"r\", \"state\": \"x\"}", "\\\"state\\\" has the wrong type"),
      ("{\"event\": \"run_started\", \"run\": \"r\", \"detail\": 1}", "\\\"detail\\\" has the wrong type"),
      ("{\"event\": \"run_started\", \"run\": \"r\", \"time\": 1}", "\\\"time\\\" has the wrong type"),
      ("{\"event\": \"run_started\", \"run\": \"r\"} {}", "must be one JSON object"),
    ])
  func complaint(line: String, wanted: String) {
    let good = "{\"event\": \"run_started\", \"run\": \"ok\"}\n"
    let (records, replies) = tell(good + line + "\n" + good)
    #expect(replies.contains(wanted) && replies.hasPrefix("{\"line\": 2, ") && replies.hasSuffix("}\n"), "\(replies)")
    #expect(records.count == 2)
  }

  @Test("too long a line is refused whole, and the next is read", arguments: [1000, 70_000, 500_000])
  func longLine(size: Int) {
    let long = "{\"event\": \"run_started\", \"run\": \"" + String(repeating: "x", count: 200_000) + "\"}\n"
    let (records, replies) = tell(long + "{\"event\": \"run_started\", \"run\": \"r\"}\n", size: size)
    #expect(records.runs.map(\.run) == ["r"])
    #expect(replies == "{\"line\": 1, \"error\": \"the line is longer than 65536 bytes\"}\n")
  }

  @Test("names, details and the number of metrics are bounded")
  func bounds() {
    let name = String(repeating: "é", count: 150)
    let (long, complaint) = tell("{\"event\": \"run_started\", \"run\": \"\(name)\"}\n")
    #expect(long.isEmpty && complaint.contains("\\\"run\\\" is longer than 200 bytes"))
    let detail = "{\"a\": \"" + String(repeating: "x", count: 5000) + "\"}"
    let (_, tooMuch) = tell("{\"event\": \"run_started\", \"run\": \"r\", \"detail\": \(detail)}\n")
    #expect(tooMuch.contains("\\\"detail\\\" is longer than 4096 bytes"))
    let metrics = (0..<1000).map { "\"m\($0)\": \($0)" }.joined(separator: ",")
    let (many, _) = tell("{\"event\": \"metric\", \"run\": \"r\", \"metrics\": {\(metrics)}}\n")
    // And one that says how many were left out.
    #expect(many.steps[0].metrics.count == 257 && many.steps[0].metrics.last?.value == 744)
  }

  @Test("what comes faster than the limit is dropped, and the drop is reported as a range of lines")
  func rate() {
    var limits = SocketLimits()
    limits.burstLines = 3
    limits.linesPerSecond = 10
    var session = SocketSession(peer: SocketPeer(pid: 7, uid: 0), limits: limits)
    var records = Records()
    let line = Array("{\"event\": \"run_started\", \"run\": \"r\"}\n".utf8)
    let five = Array((0..<5).map { _ in line }.joined())
    _ = session.receive(five.span, nowNs: 1, monotonicNs: 0, into: &records)
    #expect(records.runs.count == 3 && records.losses.isEmpty)
    _ = session.receive(line.span, nowNs: 2, monotonicNs: 100_000_000, into: &records)
    #expect(records.runs.count == 4)
    #expect(records.losses.map(\.reason) == [.socketOverflow])
    #expect(records.losses.map(\.from) == [4] && records.losses.map(\.to) == [6])
    _ = session.receive(line.span, nowNs: 3, monotonicNs: 100_000_001, into: &records)
    session.close(nowNs: 4, into: &records)
    #expect(records.losses.count == 2 && records.losses[1].from == 7 && records.losses[1].to == 8)
  }

  @Test("complaints end after the limit")
  func repliesLimit() {
    let (_, replies) = tell(String(repeating: "x\n", count: 1000))
    #expect(replies.split(separator: "\n").count == 100)
  }

  @Test("secrets are removed before a record is made, and what is no JSON then is left out")
  func redaction() {
    let line = "{\"event\": \"run_started\", \"run\": \"r\", \"detail\": {\"api_key\": \"s3cret\"}}\n"
    let (masked, _) = tell(line) { $0.replacingOccurrences(of: "s3cret", with: "[redacted:key]") }
    #expect(masked.runs[0].detail.contains("\"api_key\": \"[redacted:key]\""))
    let (broken, _) = tell(line) { $0.replacingOccurrences(of: "s3cret\"", with: "[redacted:key]") }
    #expect(broken.runs[0].detail.hasSuffix("\"detail\": {\"redacted\": true}}"))
  }

  @Test("random bytes and damaged events never trap", arguments: 0..<100)
  func damage(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var text = Array((Self.story + "\n" + Self.story).utf8)
    for _ in 0..<Int.random(in: 1...60, using: &random) {
      text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
    }
    var session = SocketSession(peer: SocketPeer(pid: 1, uid: 1))
    var records = Records()
    var position = 0
    while position < text.count {
      let end = min(text.count, position + Int.random(in: 1...90, using: &random))
      _ = session.receive(Array(text[position..<end]).span, nowNs: 0, monotonicNs: 0, into: &records)
      position = end
    }
    session.close(nowNs: 0, into: &records)
    for run in records.runs { #expect(!run.detail.contains("\0")) }
  }
}
