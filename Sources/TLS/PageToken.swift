internal import FleetModel

/// The part of a link in a message by which its receiver acknowledges without a login: it names the message, has an end, and is signed.
///
/// Signed instead of stored: each attempt of a message carries the same link, and a message costs the database no further row. The message
/// leads to the one receiver and to the incidents that it pages.
package struct PageToken: Sendable, Equatable {
  /// As in the outbox: `msg_` and 32 hex digits.
  package let messageID: String
  /// After this it does nothing more; ns since 1970, whole seconds.
  package let expiresNs: Int64

  private static let prefix = "msg_"
  private static let idBytes = 16
  private static let timeBytes = 4
  /// Half of the SHA-256: 128 bits, which cannot be guessed.
  private static let sumBytes = 16
  private static let secondNs: Int64 = 1_000_000_000

  /// - Parameters:
  ///   - messageID: of a message about incidents.
  ///   - expiresNs: ns since 1970; cut to whole seconds.
  /// - Returns: nil where the id has another form, or the time does not fit 32 bits of seconds.
  package init?(messageID: String, expiresNs: Int64) {
    guard let id = Self.bytes(of: messageID), UInt32(exactly: expiresNs / Self.secondNs) != nil else { return nil }
    self.messageID = Self.prefix + Hex.text(id)
    self.expiresNs = expiresNs / Self.secondNs * Self.secondNs
  }

  /// 48 characters of Base64 for addresses.
  /// - Parameter key: of the fleet; who has it makes links.
  package func text(key: [UInt8]) -> String {
    let seconds = UInt32(clamping: expiresNs / Self.secondNs)
    let head =
      (Self.bytes(of: messageID) ?? [])
      + (0..<Self.timeBytes).map { UInt8(truncatingIfNeeded: seconds >> UInt32(24 - 8 * $0)) }
    return Base64.url.encode(head + Self.signature(of: head, key))
  }

  /// - Parameter text: from a peer.
  /// - Returns: nil where it was not signed with the key. Whether it has expired is not asked.
  package static func read(_ text: String, key: [UInt8]) -> PageToken? {
    guard text.utf8.count <= 64, let bytes = Base64.url.decode(text.utf8),
      bytes.count == idBytes + timeBytes + sumBytes
    else { return nil }
    let head = Array(bytes.prefix(idBytes + timeBytes))
    guard Digest.equal(Array(bytes.suffix(sumBytes)), signature(of: head, key)) else { return nil }
    let seconds = head.suffix(timeBytes).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return PageToken(
      messageID: prefix + Hex.text(Array(head.prefix(idBytes))), expiresNs: Int64(seconds) * secondNs)
  }

  /// What a form or a program sends beside the token to act: whatever visits or posts to links blindly does not know it.
  package static func confirmation(of text: String) -> String {
    Base64.url.encode(Digest.hmacSHA256(key: Array(text.utf8), Array("acknowledge".utf8)))
  }

  private static func signature(of head: [UInt8], _ key: [UInt8]) -> [UInt8] {
    Array(Digest.hmacSHA256(key: key, Array("page".utf8) + head).prefix(sumBytes))
  }

  private static func bytes(of messageID: String) -> [UInt8]? {
    guard messageID.hasPrefix(prefix), let id = Hex.bytes(String(messageID.dropFirst(prefix.count))),
      id.count == idBytes
    else { return nil }
    return id
  }
}
