package import FleetModel

/// Whom a join token lets in.
package struct Invitation: Sendable, Equatable {
  package var tokenID: String
  /// SHA-256 of the secret, 32 bytes. The secret itself is nowhere but in the token.
  package var secretHash: [UInt8]
  /// The host's name; with a `*` a pattern that the names of the hosts must match.
  package var hostName: String
  /// Wall clock, ns since 1970.
  package var expiresNs: Int64
  /// Machines that the token lets in.
  package var usesMax = 1
  /// Given to each host that joins with it.
  package var labels: [String: String] = [:]
  /// It may take over a host of that name that is in the fleet.
  package var replaces = false

  package init(tokenID: String, secretHash: [UInt8], hostName: String, expiresNs: Int64) {
    self.tokenID = tokenID
    self.secretHash = secretHash
    self.hostName = hostName
    self.expiresNs = expiresNs
  }

  /// More machines than one rack or one cluster gets in an hour: a leaked token must not let in a crowd.
  package static let usesLimit = 10_000
}

/// A machine that redeems a join token.
package struct Redemption: Sendable, Equatable {
  package var tokenID: String
  /// SHA-256 of the secret, 32 bytes.
  package var secretHash: [UInt8]
  /// SHA-256 of the host's public key, 32 bytes.
  package var keyPin: [UInt8]
  /// The id that the host gets where it is a new one.
  package var newHost: HostID
  package var nowNs: Int64
  /// What the machine calls itself.
  package var claimedName = ""
  package var machine: MachineIDHash?
  /// The host that the machine was before, by its state directory.
  package var previousHost: HostID?

  package init(tokenID: String, secretHash: [UInt8], keyPin: [UInt8], newHost: HostID, nowNs: Int64) {
    self.tokenID = tokenID
    self.secretHash = secretHash
    self.keyPin = keyPin
    self.newHost = newHost
    self.nowNs = nowNs
  }
}

/// Names and labels of hosts: who may call what how.
package enum HostNaming {
  /// Letters, digits, dots, dashes, underscores; at most 255 bytes. No dash in front: commands would read the name as an option.
  package static func isName(_ name: String) -> Bool {
    // A name of dots alone would stand for a directory in an address.
    (1...255).contains(name.utf8.count) && name.utf8.first != dash && name.utf8.allSatisfy(isNameByte)
      && name.utf8.contains { $0 != UInt8(ascii: ".") }
  }

  /// A name in which one `*` stands for any rest.
  package static func isPattern(_ text: String) -> Bool {
    text.utf8.count(where: { $0 == star }) == 1 && text.utf8.count <= 255 && text.utf8.first != dash
      && text.utf8.allSatisfy { $0 == star || isNameByte($0) }
  }

  private static let star = UInt8(ascii: "*")
  private static let dash = UInt8(ascii: "-")

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// Rules and profiles compare labels at each change; more or longer ones would be data, not labels.
  package static let labelsMax = 32
  package static let labelBytesMax = 128

  /// - Returns: what is wrong with the label, one sentence; nil where nothing is.
  package static func problem(ofLabel key: String, _ value: String) -> String? {
    guard isName(key), key.utf8.count <= labelBytesMax else {
      return "'\(key)' is no label: write letters, digits, dots, dashes and underscores, no dash in front, "
        + "such as role=trainer"
    }
    if key == "host" { return "the label host is the host's name; signalbox hosts rename changes it" }
    guard value.utf8.count <= labelBytesMax, value.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f })
    else {
      return "the value of label \(key) is longer than \(labelBytesMax) bytes or holds control characters"
    }
    return nil
  }
}
