internal import Files
internal import FleetModel

/// A secret that lets a person or a script into the console: `sbk_` with its id, its secret and a checksum.
///
/// The prefix lets scanners of secrets find it, the checksum tells a mistyped one from one that was revoked.
package struct AccessToken: Sendable, Equatable {
  package static let prefix = "sbk_"
  static let idBytes = 6
  static let secretBytes = 32
  static let sumBytes = 4

  /// Names the token in lists and logs: no secret.
  package let id: String
  private let secret: [UInt8]

  /// With a fresh id and secret.
  package static func make() -> AccessToken {
    AccessToken(
      id: Hex.text(HostFiles.randomBytes(idBytes)), secret: HostFiles.randomBytes(secretBytes))
  }

  private init(id: String, secret: [UInt8]) {
    self.id = id
    self.secret = secret
  }

  /// - Parameter text: from a peer. - Returns: nil where it is none, or was cut or mistyped.
  package init?(_ text: String) {
    guard text.hasPrefix(Self.prefix), text.utf8.count == Self.textBytes else { return nil }
    guard let bytes = Hex.bytes(String(text.dropFirst(Self.prefix.count))) else { return nil }
    self.init(
      id: Hex.text(Array(bytes.prefix(Self.idBytes))),
      secret: Array(bytes.dropFirst(Self.idBytes).prefix(Self.secretBytes)))
    guard Array(bytes.suffix(Self.sumBytes)) == checksum else { return nil }
  }

  /// What the database keeps of it: SHA-256 of the secret.
  package var secretHash: [UInt8] { Digest.sha256(secret) }

  /// The whole, with its secret: shown once.
  package var text: String { head + Hex.text(checksum) }

  private static let textBytes = prefix.utf8.count + 2 * (idBytes + secretBytes + sumBytes)
  private var head: String { Self.prefix + id + Hex.text(secret) }

  private var checksum: [UInt8] {
    let sum = Digest.crc32(Array(head.utf8))
    return (0..<Self.sumBytes).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * $0)) }
  }
}
