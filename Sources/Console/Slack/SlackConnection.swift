internal import Files
internal import FleetModel
internal import Logging
internal import NIOCore
internal import NIOWebSocket
internal import Outbound
internal import Store
internal import Synchronization

/// One app's connection to Slack, made again whenever it ends: presses of buttons come in by it, without a public address.
///
/// Slack sends each press by one of an app's connections, so several consoles may have one each. A press is confirmed after it is stored:
/// where the console dies or the database is away before that, the person sees a warning beside the button, and nothing is lost in silence.
final class SlackConnection: Sendable {
  /// Carries out a press; throws where it could not be stored.
  typealias Take = @Sendable (SlackPress) async throws -> ReceiverEventOutcome
  /// Waits for so many milliseconds.
  typealias Pause = @Sendable (Int64) async -> Void

  struct Timing {
    /// From the beginning of the WebSocket to Slack's `hello`.
    var hello = Duration.seconds(10)
    var ping = Duration.seconds(20)
    /// Of the peer: Slack sends pings more often, and answers pings.
    var silence = Duration.seconds(60)
    /// For which a connection goes on beside its successor: what Slack has sent by it is still confirmed by it.
    var overlap = Duration.seconds(10)
  }

  private enum Limits {
    static let openDeadlineMs = 5_000
    /// Presses that are being stored; further ones are not confirmed, and Slack shows a warning beside the button.
    static let underWayMax = 16
    /// What a connection brings, which costs time to read. Slack sends a few messages an hour, and pings.
    static let frames = RateLimit(perSecond: 20, burst: 500)
    static let bytes = RateLimit(perSecond: 200_000, burst: 4 << 20)
    /// Between two lines of the log about presses: a peer may send as many as it likes.
    static let warningNs: Int64 = 10_000_000_000
  }

  private struct State {
    var underWay = 0
    var warnedNs: Int64?
  }

  /// Names of the receivers whose messages have the app's buttons.
  private let name: String
  private let settings: SlackSettings
  /// `xapp-…`: a secret.
  private let token: String
  private let outgoing: OutgoingRequests
  private let figures: SlackFigures
  private let logger: Logger
  private let timing: Timing
  private let pause: Pause
  private let take: Take
  private let state = Mutex(State())

  init(
    _ name: String, _ settings: SlackSettings, token: String, _ outgoing: OutgoingRequests, _ figures: SlackFigures,
    _ logger: Logger, timing: Timing = Timing(),
    pause: @escaping Pause = { try? await Task.sleep(for: .milliseconds($0)) }, take: @escaping Take
  ) {
    (self.name, self.settings, self.token) = (name, settings, token)
    (self.outgoing, self.figures, self.logger) = (outgoing, figures, logger)
    (self.timing, self.pause, self.take) = (timing, pause, take)
  }

  /// Until the task is cancelled; what is being stored then is stored and confirmed first.
  func run() async {
    figures.begin(name, nowNs: Clock.wallNs())
    var retry = SlackRetry()
    // That was ready last. Where Slack has asked for its successor it goes on until that one is ready.
    var served: Task<Void, Never>?
    while !Task.isCancelled {
      let (link, older) = (SlackLink(), served)
      let task = Task { await hold(link, replacing: older) }
      let end = await link.end()
      if end == nil { task.cancel() }
      if end != .refresh { await task.value }
      if link.isReady {
        // Two at most.
        older?.cancel()
        await older?.value
        served = task
      }
      guard let end else { break }
      let pauseMs = retry.pauseMs(isRefresh: end == .refresh, usedMs: link.usedMs, chance: .random(in: 0...1))
      if pauseMs > 0 { await pause(pauseMs) }
    }
    served?.cancel()
    await served?.value
    figures.end(name)
  }

  // MARK: One connection

  private func hold(_ link: SlackLink, replacing older: Task<Void, Never>?) async {
    var failure: (any Error)?
    do { try await stay(link, replacing: older) } catch { failure = error }
    if link.isReady { figures.addReady(-1, name, nowNs: Clock.wallNs()) }
    if let failure, !Task.isCancelled { fail(failure) }
    link.report(.over)
  }

  private func fail(_ error: any Error) {
    let sentence: String =
      switch error {
      case let error as OutboundError: "Slack's Web API does not answer (\(error.message))"
      case let error as WebSocketClient.Failure: error.description
      // Errors of NIO may hold what the peer has sent, which is not printed.
      default: "\(type(of: error))"
      }
    figures.fail(name, sentence)
    logger.warning("the connection to Slack has failed", metadata: ["receivers": "\(name)", "reason": "\(sentence)"])
  }

  /// - Throws: where the connection ends without a refresh that Slack has asked for.
  private func stay(_ link: SlackLink, replacing older: Task<Void, Never>?) async throws {
    let address = try await open()
    let socket = try await WebSocketClient.connect(
      to: address, authorities: settings.authorities, messageBytesMax: SlackEnvelope.bytesMax,
      silence: timing.silence)
    defer { socket.close() }
    let beat = Task { [timing] in
      try await Task.sleep(for: timing.hello)
      guard link.isReady else { return socket.close() }
      while true {
        try await Task.sleep(for: timing.ping)
        try await socket.write(.ping, ByteBuffer())
      }
    }
    defer { beat.cancel() }
    // What is being stored when the connection ends is stored and confirmed first.
    try await withThrowingDiscardingTaskGroup { group in
      var (frames, bytes) = (RateMeter(), RateMeter())
      for await frame in socket.frames {
        let nowNs = Clock.monotonicNs()
        guard frames.take(1, of: Limits.frames, nowNs: nowNs) == 1,
          bytes.take(frame.length, of: Limits.bytes, nowNs: nowNs) == frame.length
        else {
          throw WebSocketClient.Failure(description: "Slack sends more than a connection may bring")
        }
        switch frame.opcode {
        case .ping: try await socket.write(.pong, frame.unmaskedData)
        case .pong: break
        case .connectionClose: return
        case .text:
          try await answer(
            SlackEnvelope.read(Array(frame.unmaskedData.readableBytesView)), link, older, socket, &group)
        case .binary: figures.add { $0.unread += 1 }
        // Source: RFC 6455, section 5.2: an unknown opcode fails the connection.
        default: throw WebSocketClient.Failure(description: "Slack has sent a frame that is none of RFC 6455")
        }
      }
    }
    if !link.isLeaving {
      throw WebSocketClient.Failure(
        description: link.isReady
          ? "Slack has ended the connection, or was silent" : "no hello came from Slack before the connection ended")
    }
  }

  private func answer(
    _ envelope: SlackEnvelope, _ link: SlackLink, _ older: Task<Void, Never>?, _ socket: WebSocketClient.Socket,
    _ group: inout ThrowingDiscardingTaskGroup<any Error>
  ) async throws {
    switch envelope {
    case .hello:
      guard link.setReady() else { return }
      figures.addReady(1, name, nowNs: Clock.wallNs())
      logger.notice("connected to Slack: buttons in its messages act here", metadata: ["receivers": "\(name)"])
      guard let older else { return }
      Task { [timing] in
        try? await Task.sleep(for: timing.overlap)
        older.cancel()
      }
    case .disconnect("warning"), .disconnect("refresh_requested"):
      guard link.isReady, !link.isLeaving else { return }
      figures.add { $0.refreshes += 1 }
      link.report(.refresh)
    case .disconnect("link_disabled"):
      throw WebSocketClient.Failure(description: "Socket Mode is turned off: turn it on at the app's page at Slack")
    case .disconnect(let reason):
      throw WebSocketClient.Failure(description: "Slack ends the connection (\(PlainText.visible(reason)))")
    case .envelope(let id, nil):
      figures.add { $0.unused += 1 }
      try await socket.write(.text, ByteBuffer(string: SlackEnvelope.confirmation(of: id)))
    case .envelope(let id, let press?):
      guard begin() else { return figures.add { $0.refused += 1 } }
      group.addTask { [self] in
        defer { state.withLock { $0.underWay -= 1 } }
        guard await carryOut(press) else { return }
        // A connection that has ended meanwhile: Slack sends the press again, which changes nothing then.
        try? await socket.write(.text, ByteBuffer(string: SlackEnvelope.confirmation(of: id)))
      }
    case .unknown: figures.add { $0.unread += 1 }
    }
  }

  private func begin() -> Bool {
    state.withLock { state in
      guard state.underWay < Limits.underWayMax else { return false }
      state.underWay += 1
      return true
    }
  }

  /// - Returns: whether it was stored, and is to be confirmed.
  private func carryOut(_ press: SlackPress) async -> Bool {
    do {
      let outcome = try await take(press)
      figures.add { $0.presses[outcome, default: 0] += 1 }
      return true
    } catch {
      figures.add { $0.refused += 1 }
      let nowNs = Clock.monotonicNs()
      let isQuiet = state.withLock { state in
        let isQuiet = state.warnedNs.map { nowNs - $0 < Limits.warningNs } ?? false
        if !isQuiet { state.warnedNs = nowNs }
        return isQuiet
      }
      let reason = (error as? Problem)?.detail ?? "\(type(of: error))"
      if !isQuiet {
        logger.warning("a button pressed in Slack could not be carried out", metadata: ["reason": "\(reason)"])
      }
      return false
    }
  }

  /// Source: docs.slack.dev, apps.connections.open.
  /// - Returns: the WebSocket's address, whose query is a secret.
  private func open() async throws -> String {
    var request = OutgoingRequest(
      url: settings.api + "/apps.connections.open",
      headers: ["Authorization: Bearer \(token)", "Content-Type: application/x-www-form-urlencoded"])
    request.authorities = settings.authorities
    let answer = try await outgoing.send(request, deadlineMs: Limits.openDeadlineMs)
    guard let json = JSON.read(answer.body), let isOpen = json["ok"]?.flag else {
      throw WebSocketClient.Failure(
        description: "apps.connections.open answers HTTP \(answer.code) and no JSON object with ok")
    }
    guard isOpen, let url = json["url"]?.text else {
      let word = PlainText.visible(PlainText.cut(PlainText.line(json["error"]?.text ?? "no url"), scalarsMax: 64))
      throw WebSocketClient.Failure(
        description:
          "Slack refuses the app-level token (\(word)): compare app_token in signalbox.yaml with the app's page at Slack"
      )
    }
    return url
  }
}

/// What the loop of connections knows of one of them.
private final class SlackLink: Sendable {
  /// How a connection needs a successor.
  enum End {
    /// Slack has asked for one, and serves this one meanwhile.
    case refresh
    case over
  }

  private struct State {
    /// Of `hello`, on the monotonic clock.
    var readyNs: Int64?
    var isLeaving = false
  }

  private let state = Mutex(State())
  private let ends: AsyncStream<End>
  private let sink: AsyncStream<End>.Continuation

  init() { (ends, sink) = AsyncStream.makeStream(of: End.self, bufferingPolicy: .bufferingOldest(1)) }

  /// The first that is reported. - Returns: nil where the task was cancelled.
  func end() async -> End? {
    var iterator = ends.makeAsyncIterator()
    return await iterator.next()
  }

  func report(_ end: End) {
    if end == .refresh { state.withLock { $0.isLeaving = true } }
    sink.yield(end)
  }

  /// - Returns: whether it was not ready before.
  func setReady() -> Bool {
    state.withLock { state in
      if state.readyNs != nil { return false }
      state.readyNs = Clock.monotonicNs()
      return true
    }
  }

  var isReady: Bool { state.withLock { $0.readyNs != nil } }
  var isLeaving: Bool { state.withLock { $0.isLeaving } }
  var usedMs: Int64 { state.withLock { $0.readyNs.map { (Clock.monotonicNs() - $0) / 1_000_000 } ?? 0 } }
}
