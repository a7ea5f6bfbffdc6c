import Answers
import FleetModel
import Foundation
import Logging
import Store
import Synchronization
import Testing

@testable import Console

@Suite struct SlackTests {
  // MARK: Messages

  @Test(
    arguments: [
      (#"{"type":"hello","num_connections":1}"#, .hello),
      (#"{"type":"disconnect","reason":"warning"}"#, .disconnect(reason: "warning")),
      (#"{"type":"disconnect"}"#, .disconnect(reason: "")),
      (#"{"type":"events_api","envelope_id":"e1","payload":{}}"#, .envelope(id: "e1", press: nil)),
      (#"{"envelope_id":"e1"}"#, .envelope(id: "e1", press: nil)),
      (#"{"type":"interactive","envelope_id":"e2"}"#, .envelope(id: "e2", press: nil)),
      (#"{"type":"interactive","envelope_id":"e2","payload":"x"}"#, .envelope(id: "e2", press: nil)),
      (
        #"{"type":"interactive","envelope_id":"e2","payload":{"type":"view_submission"}}"#,
        .envelope(id: "e2", press: nil)
      ),
      (
        #"""
        {"type":"interactive","envelope_id":"e3","payload":{"type":"block_actions","user":{"id":"U1","username":"ann"},
        "actions":[{"action_id":"acknowledge","value":"token\"\u00fc"}]}}
        """#, .envelope(id: "e3", press: SlackPress(person: "ann", value: "token\"ü"))
      ),
      ("", .unknown), ("[]", .unknown), ("{", .unknown), (#"{"envelope_id":""}"#, .unknown),
      (#"{"type":"interactive","envelope_id":7}"#, .unknown),
    ] as [(String, SlackEnvelope)]) func messagesAreRead(text: String, envelope: SlackEnvelope)
  {
    #expect(SlackEnvelope.read(Array(text.utf8)) == envelope)
  }

  @Test func whatIsLongerThanAMessageIsNotRead() {
    let long = #"{"type":"hello","x":"\#(String(repeating: "a", count: SlackEnvelope.bytesMax))"}"#
    #expect(SlackEnvelope.read(Array(long.utf8)) == .unknown)
    let id = String(repeating: "e", count: 201)
    #expect(SlackEnvelope.read(Array(#"{"type":"x","envelope_id":"\#(id)"}"#.utf8)) == .unknown)
    let deep = String(repeating: "[", count: 100_000)
    #expect(SlackEnvelope.read(Array(#"{"type":"interactive","envelope_id":"e","payload":\#(deep)"#.utf8)) == .unknown)
  }

  @Test func aConfirmationNamesItsEnvelope() {
    #expect(SlackEnvelope.confirmation(of: "e\"1") == #"{"envelope_id":"e\"1"}"#)
  }

  @Test func pausesGrowUntilAConnectionWasInUseForLong() {
    var retry = SlackRetry()
    let pauses = (0..<12).map { _ in retry.pauseMs(isRefresh: false, usedMs: 0, chance: 1) }
    #expect(pauses.prefix(4) == [1_000, 2_000, 4_000, 8_000] && pauses.last == 300_000)
    // A server that is ready and ends the connection, or asks for another one, at once.
    #expect(retry.pauseMs(isRefresh: false, usedMs: 59_999, chance: 0) == 150_000)
    #expect(retry.pauseMs(isRefresh: true, usedMs: 10, chance: 0) == 150_000)
    #expect(retry.pauseMs(isRefresh: true, usedMs: 60_000, chance: 1) == 0)
    #expect(retry.pauseMs(isRefresh: false, usedMs: 60_000, chance: 0) == 500)
    #expect(retry.pauseMs(isRefresh: false, usedMs: 0, chance: 1) == 2_000)
  }

  // MARK: The connection

  /// A Slack of the tests, with a certificate of its own.
  private final class FakeSlack {
    let directory = "/tmp/signalbox-slack-\(UUID().uuidString.prefix(8))"
    let url: String
    private let process = Process()

    init() throws {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      let openssl = Process()
      openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
      openssl.arguments = [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=slack", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory + "/key.pem", "-out",
        directory + "/cert.pem",
      ]
      openssl.standardError = FileHandle.nullDevice
      try openssl.run()
      openssl.waitUntilExit()
      let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("slack_server.py").path
      process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
      process.arguments = [script, "serve", directory]
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
      url = String(try #require(line.split(separator: " ").last)).trimmingCharacters(in: .newlines)
    }

    deinit {
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      try? FileManager.default.removeItem(atPath: directory)
    }

    var settings: SlackSettings {
      var settings = SlackSettings()
      settings.api = url + "/api"
      settings.authorities = directory + "/cert.pem"
      return settings
    }

    @discardableResult func ask(_ path: String, _ body: Any? = nil) async throws -> [String: Any] {
      var words = ["-sS", "-m", "100", "--cacert", directory + "/cert.pem", url + path]
      if let body {
        let data = try JSONSerialization.data(withJSONObject: body, options: .fragmentsAllowed)
        words += ["-d", body as? String ?? String(decoding: data, as: UTF8.self)]
      }
      return try #require(try JSONSerialization.jsonObject(with: await Self.curl(words)) as? [String: Any])
    }

    /// On a thread of its own: what it waits for may need those of Swift's tasks.
    private static func curl(_ words: [String]) async throws -> Data {
      try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
          continuation.resume(
            with: Result {
              let curl = Process()
              curl.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
              curl.arguments = words
              let output = Pipe()
              curl.standardOutput = output
              try curl.run()
              let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
              curl.waitUntilExit()
              return bytes
            })
        }
      }
    }

    /// - Returns: whether it was confirmed.
    func press(_ id: String, _ value: String, _ more: [String: Any] = [:]) async throws -> Bool {
      let payload: [String: Any] = [
        "type": "block_actions", "user": ["id": "U1", "username": "ann"],
        "actions": [["action_id": "acknowledge", "value": value]],
      ]
      let envelope: [String: Any] = ["type": "interactive", "envelope_id": id, "payload": payload]
      return try await ask("/press", envelope.merging(more) { $1 })["confirmed"] as? Bool ?? false
    }
  }

  private final class Log: Sendable {
    let presses = Mutex<[SlackPress]>([])
    let pauses = Mutex<[Int64]>([])
    let lines = Mutex<[String]>([])

    func holds(_ text: String) -> Bool { lines.withLock { $0.contains { $0.contains(text) } } }
  }

  private struct LogLines: LogHandler {
    let log: Log
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { log.lines.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") } }
  }

  private static let token = "xapp-1-A111-222-secret"

  private static func connection(
    _ slack: FakeSlack, _ outgoing: OutgoingRequests, _ figures: SlackFigures, _ log: Log, token: String = token,
    timing: SlackConnection.Timing = .init()
  ) -> SlackConnection {
    SlackConnection(
      "team", slack.settings, token: token, outgoing, figures, Logger(label: "test") { _ in LogLines(log: log) },
      timing: timing,
      pause: { pauseMs in
        log.pauses.withLock { $0.append(pauseMs) }
        try? await Task.sleep(for: .milliseconds(1))
      }
    ) { press in
      if press.value == "fails" { throw Problem.databaseAway }
      log.presses.withLock { $0.append(press) }
      return .done
    }
  }

  private static func until(_ isSo: () async throws -> Bool) async throws {
    while try await !isSo() { try await Task.sleep(for: .milliseconds(5)) }
  }

  @Test(.timeLimit(.minutes(15))) func pressesComeInBySocketModeWhateverSlackDoes() async throws {
    let slack = try FakeSlack()
    let (log, figures) = (Log(), SlackFigures())
    let outgoing = try OutgoingRequests()
    defer { outgoing.stop() }
    let steps = [
      "html", "plain", "refuse", "cut", "huge", "claim", "opcode", "pieces", "flood", "link_disabled", "disconnect",
    ]
    try await slack.ask("/plan", steps)
    var timing = SlackConnection.Timing()
    timing.overlap = .zero
    let connection = Self.connection(slack, outgoing, figures, log, timing: timing)
    let task = Task { await connection.run() }
    for _ in 0..<2 { #expect(try await slack.press("e1", "t1")) }
    #expect(try await slack.press("e2", "t2", ["in_pieces": true]))
    // What is no press is confirmed and does nothing; what was not stored is not confirmed.
    #expect(try await slack.press("e3", "x", ["type": "events_api"]))
    #expect(try await !slack.press("e4", "fails", ["wait": 0.3]))
    for text in ["{", "[]", #"{"type":"later"}"#] { try await slack.ask("/raw", text) }
    #expect(try await slack.press("e5", "t5"))
    #expect(log.presses.withLock { $0.map(\.value) } == ["t1", "t1", "t2", "t5"])
    let counts = figures.counts
    #expect(counts.presses == [.done: 4] && counts.refused == 1 && counts.unused == 1 && counts.refreshes == 1)
    #expect(counts.failures == steps.count - 1, "\(log.lines.withLock { $0 })")
    let state = try await slack.ask("/state")
    #expect(state["opened"] as? Int == steps.count + 1 && state["pongs"] as? Int == 1, "\(state)")
    // One after each step: the loop of connections is at rest.
    #expect(log.pauses.withLock { $0.count } == steps.count)
    // The one that was to be replaced is gone.
    try await Self.until { figures.ready == 1 }
    #expect(figures.answer?.value("state") == .text("connected"))
    task.cancel()
    await task.value
    #expect(figures.ready == 0 && figures.answer == nil)
    for sentence in [
      "answers HTTP 503 and no JSON object", "begin with wss://", "refuses the WebSocket", "no hello came",
      "Socket Mode is turned off", "none of RFC 6455", "sends more than a connection may bring",
    ] { #expect(log.holds(sentence), "\(sentence): \(log.lines.withLock { $0 })") }
  }

  /// A server that is silent is left, and one that answers the upgrade wrongly.
  @Test(.timeLimit(.minutes(15))) func aSilentServerIsLeft() async throws {
    let slack = try FakeSlack()
    let (log, figures) = (Log(), SlackFigures())
    let outgoing = try OutgoingRequests()
    defer { outgoing.stop() }
    try await slack.ask("/plan", ["wrong_accept", "mute", "mute", "mute"])
    // Of the two limits only one can end a silent connection while this test runs.
    var timing = SlackConnection.Timing()
    (timing.hello, timing.silence) = (.seconds(3_600), .milliseconds(50))
    let first = Self.connection(slack, outgoing, figures, log, timing: timing)
    let task = Task { await first.run() }
    try await Self.until { figures.counts.failures >= 2 }
    task.cancel()
    await task.value
    (timing.hello, timing.silence, timing.ping) = (.milliseconds(50), .seconds(3_600), .milliseconds(5))
    let second = Self.connection(slack, outgoing, figures, log, timing: timing)
    let failures = figures.counts.failures
    let later = Task { await second.run() }
    try await Self.until { figures.counts.failures > failures }
    // What is ready is asked whether it is still there.
    try await Self.until { try await slack.ask("/state")["pings"] as? Int ?? 0 > 1 }
    later.cancel()
    await later.value
    for sentence in ["does not speak the WebSocket protocol", "no hello came"] {
      #expect(log.holds(sentence), "\(log.lines.withLock { $0 })")
    }

    // A server that is not whom its certificate names, or comes from an authority that is not trusted, is no server.
    let address = slack.url.replacing("https://", with: "wss://") + "/link/?ticket=t"
    let certificate = slack.directory + "/cert.pem"
    for (address, authorities, sentence) in [
      (address, nil, "certificate is not its own"),
      (address.replacing("127.0.0.1", with: "localhost"), certificate, "certificate is not its own"),
      ("wss://127.0.0.1:1/?ticket=t", certificate, "allow the console outgoing TCP"), ("wss:///x", nil, "wss://HOST"),
    ] as [(String, String?, String)] {
      let failure = await #expect(throws: WebSocketClient.Failure.self) {
        _ = try await WebSocketClient.connect(
          to: address, authorities: authorities, messageBytesMax: 1, silence: .seconds(1))
      }
      let text = failure?.description ?? ""
      #expect(text.contains(sentence) && !text.contains("ticket"), "\(address): \(text)")
    }

    // A token that Slack does not know, and no word of either in the log.
    let unknown = Self.connection(slack, outgoing, figures, log, token: "xapp-wrong")
    let other = Task { await unknown.run() }
    try await Self.until { log.holds("invalid_auth") }
    #expect(figures.answer?.value("state") == .text("not connected"))
    if case .text(let reason) = figures.answer?.value("reason") { #expect(reason.contains("invalid_auth")) }
    other.cancel()
    await other.value
    let lines = log.lines.withLock { $0.joined(separator: "\n") }
    #expect(!lines.contains("xapp") && !lines.contains("ticket"), "\(lines)")
  }
}
