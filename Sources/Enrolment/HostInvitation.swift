internal import FleetModel
package import Store
package import TLS

/// Why no invitation is made; one sentence that says what to do.
package struct InvitationProblem: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String
}

/// Makes join tokens, for `hosts invite`, the console and the demo.
package enum HostInvitation {
  package static let lifeMaxNs: Int64 = 30 * 86_400_000_000_000

  /// - Parameters:
  ///   - addresses: of collectors, for the token; empty: what the collectors have announced.
  ///   - endNs: until when it is good, ns since 1970.
  ///   - fill: sets what the invitation holds beyond name and end.
  /// - Throws: `InvitationProblem` or `StoreError`.
  package static func make(
    _ store: Store, endNs: Int64, addresses: [TLS.CollectorAddress], name: String, actor: String,
    fill: (inout Invitation) -> Void = { _ in }
  ) throws -> JoinToken {
    let collectors = try store.collectors()
    let pins = try pins(store, collectors.map(\.caPin))
    let known = collectors.compactMap { TLS.CollectorAddress($0.address) }.filter { !isWildcard($0.host) }
      .prefix(JoinToken.addressesMax)
    guard !pins.isEmpty else {
      throw InvitationProblem(
        description: "no collector has announced itself in this database; start signalbox-collector once")
    }
    guard !known.isEmpty || !addresses.isEmpty else {
      throw InvitationProblem(
        description:
          "no collector has announced an address that hosts can connect to: give --address HOST:PORT to signalbox hosts "
          + "invite, or start signalbox-collector with --advertise HOST:PORT")
    }
    let token = JoinToken.make(
      pins: pins, addresses: addresses.isEmpty ? Array(known) : Array(addresses.prefix(JoinToken.addressesMax)))
    var invitation = Invitation(
      tokenID: token.id, secretHash: token.secretHash, hostName: name, expiresNs: endNs)
    fill(&invitation)
    try store.invite(invitation, actor: actor)
    return token
  }

  /// The fleet's authority; before it was noted, what the collectors announced.
  private static func pins(_ store: Store, _ announced: [String]) throws -> [[UInt8]] {
    if let fleet = try store.fleetAuthority().flatMap({ Hex.bytes($0) }) { return [fleet] }
    return Array(Set(announced.compactMap { Hex.bytes($0) }).prefix(JoinToken.pinsMax))
  }

  /// To listen on, never to connect to.
  package static func isWildcard(_ host: String) -> Bool { ["0.0.0.0", "::", "*"].contains(host) }
}
