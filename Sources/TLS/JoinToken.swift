internal import FleetModel
internal import Files

/// Where a collector listens.
package struct CollectorAddress: Sendable, Hashable, CustomStringConvertible {
  /// A DNS name or an IP address, without brackets.
  package let host: String
  package let port: UInt16

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// - Parameter text: "name:4317", "192.0.2.1:4317" or "[2001:db8::1]:4317"; nil otherwise.
  package init?(_ text: String) {
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
    var host = text[..<colon]
    let digits = text[text.utf8.index(after: colon)...]
    guard let port = UInt16(digits), port > 0, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.utf8.contains(UInt8(ascii: ":")) {
      return nil
    }
    guard !host.isEmpty, host.utf8.count <= 255, host.utf8.allSatisfy(Self.isHostByte) else { return nil }
    self.init(host: String(host), port: port)
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "%"): true
    default: false
    }
  }

  package var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The one string with which a host joins a fleet: `sbj1.<id>.<secret>.<pin[+pin]>.<addresses>`.
///
/// All parts are base64url without padding. The last one holds the addresses' length (2 bytes), the addresses joined by commas, and the CRC-32
/// of all that stands before, so that an incomplete paste and a mistyped character are distinguished from a token that is merely unknown.
package struct JoinToken: Sendable, Equatable, CustomStringConvertible {
  package static let prefix = "sbj1"
  package static let idBytes = 9
  package static let secretBytes = 32
  package static let pinBytes = 32
  /// Two roots: the old and the new one while a root is replaced.
  package static let pinsMax = 2
  package static let addressesMax = 8
  /// More than eight addresses of 255 characters need in base64.
  package static let textBytesMax = 4096

  /// 12 characters, public: names the token in the database and in messages.
  package let id: String
  /// 32 random bytes.
  package let secret: [UInt8]
  /// SHA-256 of the roots' SubjectPublicKeyInfo.
  package let pins: [[UInt8]]
  package let addresses: [CollectorAddress]

  /// A token with a fresh id and secret.
  ///
  /// - Precondition: one or two pins of 32 bytes, one to eight addresses; both come from this program, not from a peer.
  package static func make(pins: [[UInt8]], addresses: [CollectorAddress]) -> JoinToken {
    precondition((1...pinsMax).contains(pins.count) && pins.allSatisfy { $0.count == pinBytes })
    precondition((1...addressesMax).contains(addresses.count))
    return JoinToken(
      id: freshID(), secret: HostFiles.randomBytes(secretBytes), pins: pins, addresses: addresses)
  }

  /// Never with a dash in front: as a command's argument, `signalbox hosts uninvite ID`, that would be read as an option.
  ///
  /// - Parameter draw: random bytes, as many as it is asked for.
  static func freshID(draw: (Int) -> [UInt8] = HostFiles.randomBytes) -> String {
    while true {
      let id = Base64.url.encode(draw(idBytes))
      if !id.hasPrefix("-") { return id }
    }
  }

  /// What the collector stores of the secret: SHA-256 of its 32 bytes.
  package var secretHash: [UInt8] { Digest.sha256(secret) }

  /// The secret as it is sent in a JoinRequest.
  package var secretText: String { Base64.url.encode(secret) }

  /// - Parameter secretText: a JoinRequest's secret, from a peer; nil where it cannot be one.
  package static func secretHash(ofText secretText: String) -> [UInt8]? {
    guard secretText.utf8.count == 43, let secret = Base64.url.decode(secretText.utf8) else { return nil }
    return Digest.sha256(secret)
  }

  /// - Returns: whether `id` has the form of a token's id.
  package static func isID(_ id: String) -> Bool {
    id.utf8.count == 12 && Base64.url.decode(id.utf8)?.count == idBytes
  }

  /// The whole token, with its secret: printed once, to the operator who asked for it.
  package var text: String {
    let list = [UInt8](addresses.map(\.description).joined(separator: ",").utf8)
    let length = [UInt8(truncatingIfNeeded: list.count >> 8), UInt8(truncatingIfNeeded: list.count)]
    let head = "\(Self.prefix).\(id).\(secretText).\(pins.map(Base64.url.encode).joined(separator: "+"))."
    let sum = Digest.crc32([UInt8](head.utf8) + length + list)
    return head + Base64.url.encode(length + list + Self.bytes(sum))
  }

  private static func bytes(_ sum: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> $0) }
  }

  /// Without the secret.
  package var description: String { "\(Self.prefix).\(id).…" }

  /// What a token holds, for the operator who holds one: nothing is consumed or sent, and the secret is not shown.
  package func describe() -> String {
    let pinLines = pins.map { "authority key SHA-256: " + $0.map(Hex.text).joined() }
    return (["token: \(id)"] + addresses.map { "collector: \($0)" } + pinLines).joined(separator: "\n")
  }
}
