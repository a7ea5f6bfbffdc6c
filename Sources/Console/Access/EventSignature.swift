internal import FleetModel
internal import Store
internal import TLS

/// Signatures of receivers over the events that they send. Pure.
enum EventSignature {
  /// A header of more is not read on.
  private static let signaturesMax = 16
  /// A request of Slack that is older was recorded by somebody and sent again.
  private static let slackAgeNs: UInt64 = 300_000_000_000

  /// Source: PagerDuty developer docs, "Verifying Signatures": `X-PagerDuty-Signature: v1=HEX,v1=HEX`, several while a
  /// secret is replaced; HMAC-SHA-256 of the body.
  /// - Returns: the receivers whose secret one of them was made with.
  static func pagerDuty(_ request: RawRequest, _ secrets: [ReceiverSecret]) -> [String] {
    let given = (request.header("X-PagerDuty-Signature") ?? "").split(separator: ",").prefix(signaturesMax)
      .compactMap { signature($0, version: "v1=") }
    return secrets.filter { secret in
      let wanted = Digest.hmacSHA256(key: Array(secret.secret.utf8), request.body)
      return given.contains { Digest.equal($0, wanted) }
    }.map(\.receiver)
  }

  /// Source: docs.slack.dev, "Verifying requests from Slack": `X-Slack-Signature: v0=HEX` of `v0:TIMESTAMP:BODY`, and
  /// `X-Slack-Request-Timestamp` in seconds, at most five minutes from now.
  static func slack(_ request: RawRequest, _ secrets: [ReceiverSecret], nowNs: Int64) -> [String] {
    guard let time = request.header("X-Slack-Request-Timestamp"), let seconds = Int64(time),
      nowNs.subtractingClamped(seconds.multipliedClamped(by: 1_000_000_000)).magnitude <= slackAgeNs,
      let given = request.header("X-Slack-Signature").flatMap({ signature(Substring($0), version: "v0=") })
    else { return [] }
    let signed = Array("v0:\(time):".utf8) + request.body
    return secrets.filter { secret in
      Digest.equal(given, Digest.hmacSHA256(key: Array(secret.secret.utf8), signed))
    }.map(\.receiver)
  }

  private static func signature(_ text: Substring, version: String) -> [UInt8]? {
    let word = text.drop { $0 == " " }.prefix { $0 != " " }
    guard word.hasPrefix(version) else { return nil }
    return Hex.bytes(String(word.dropFirst(version.count)))
  }
}
