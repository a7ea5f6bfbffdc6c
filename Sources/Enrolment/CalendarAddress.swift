package import FleetModel
package import Store
package import TLS

/// The secret address at which a calendar shows who is on call, for `oncall calendar` and the console.
package struct CalendarAddress: Sendable {
  package let secret: AccessToken
  package let url: String

  /// Calendars of others ask it: over TLS, at an address that is whole.
  package static func isOfConsole(_ url: String) -> Bool {
    let rest = url.utf8.dropFirst("https://".utf8.count)
    return url.hasPrefix("https://") && !rest.isEmpty
      && rest.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"\"'<>\\?#".utf8.contains($0) }
  }

  /// - Parameters:
  ///   - url: of the console; nil takes what it announced.
  ///   - name: under which it is listed and revoked.
  ///   - endNs: until when it is good, ns since 1970.
  /// - Returns: nil where no console's address is known.
  package static func make(
    _ store: Store, url: String?, name: String, endNs: Int64, actor: String
  ) throws(StoreError) -> CalendarAddress? {
    let known: String? = if let url { url } else { try store.consoleAddress() }
    guard var base = known else { return nil }
    if base.hasSuffix("/") { base.removeLast() }
    let secret = AccessToken.make()
    try store.addCredential(
      Credential(
        id: secret.id, kind: .calendar, name: name, role: .viewer, secretHash: secret.secretHash, expiresNs: endNs),
      actor: actor)
    return CalendarAddress(secret: secret, url: "\(base)/api/v1/oncall.ics?key=\(secret.text)")
  }
}

/// What was made, as the command line and the console say it; without a full stop.
package enum CredentialSentences {
  package static func token(_ name: String, _ role: Role, _ endNs: Int64) -> String {
    "token '\(name)' is good for what the role \(role.rawValue) may, until \(Timestamp.text(endNs, digits: 0))"
  }

  package static func calendar(_ name: String, _ endNs: Int64) -> String {
    "the calendar of '\(name)' shows who is on call until \(Timestamp.text(endNs, digits: 0))"
  }
}
