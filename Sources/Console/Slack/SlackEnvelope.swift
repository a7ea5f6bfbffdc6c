internal import FleetModel

/// A message of Slack's Socket Mode. Pure.
///
/// Source: docs.slack.dev, "Using Socket Mode": `hello`, `disconnect`, and envelopes, each of which is acknowledged by its id.
enum SlackEnvelope: Equatable {
  /// The connection is ready.
  case hello
  /// Slack is about to end the connection (`warning`, `refresh_requested`), or Socket Mode was turned off (`link_disabled`).
  case disconnect(reason: String)
  /// - Parameter press: nil for what is no press of the button that acknowledges; it is confirmed all the same, or Slack sends it again.
  case envelope(id: String, press: SlackPress?)
  /// A message of another form.
  case unknown

  /// Of one whole message; a press of a button with the message around it has a few KiB.
  static let bytesMax = 256 << 10
  private static let idBytesMax = 200

  /// - Parameter bytes: of one text message, from the peer.
  static func read(_ bytes: [UInt8]) -> SlackEnvelope {
    guard bytes.count <= bytesMax, let message = JSON.read(bytes) else { return .unknown }
    switch message["type"]?.text {
    case "hello": return .hello
    case "disconnect":
      return .disconnect(reason: PlainText.cut(PlainText.line(message["reason"]?.text ?? ""), scalarsMax: 64))
    default:
      guard let id = message["envelope_id"]?.text, !id.isEmpty, id.utf8.count <= idBytesMax else { return .unknown }
      guard message["type"]?.text == "interactive", let payload = message["payload"] else {
        return .envelope(id: id, press: nil)
      }
      return .envelope(id: id, press: SlackPress.read(payload: Array(payload.written.utf8)))
    }
  }

  static func confirmation(of id: String) -> String { JSON.object([("envelope_id", .text(id))]).written }
}

/// How long the next connection waits. Pure.
struct SlackRetry {
  private static let firstMs: Int64 = 1_000
  private static let mostMs: Int64 = 300_000
  /// A connection that was in use for so long counts as good. A server that ends each at once, or asks for a refresh at once, is not asked
  /// without pause.
  static let goodMs: Int64 = 60_000
  private var nextMs = firstMs

  /// - Parameters:
  ///   - isRefresh: Slack has asked for a further connection, and serves the one before it meanwhile.
  ///   - usedMs: from its `hello`; 0 where there was none.
  ///   - chance: 0…1, so that several consoles do not come back at once.
  mutating func pauseMs(isRefresh: Bool, usedMs: Int64, chance: Double) -> Int64 {
    if usedMs >= Self.goodMs {
      nextMs = Self.firstMs
      if isRefresh { return 0 }
    }
    defer { nextMs = min(nextMs * 2, Self.mostMs) }
    return Int64(Double(nextMs) * (0.5 + chance / 2))
  }
}
