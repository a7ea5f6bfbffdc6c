package import FleetModel
package import Store
package import TLS

/// Makes what gives access, for the command line and the console. Its secret is shown once; the store has its hash.
package enum IssuedCredential {
  /// Of what scripts and calendars get.
  package static let daysMax: Int64 = 366

  /// - Parameter endNs: until when it is good, ns since 1970.
  package static func make(
    _ store: Store, _ kind: Credential.Kind, name: String, role: Role, endNs: Int64, actor: String
  ) throws(StoreError) -> AccessToken {
    let secret = AccessToken.make()
    try store.addCredential(
      Credential(id: secret.id, kind: kind, name: name, role: role, secretHash: secret.secretHash, expiresNs: endNs),
      actor: actor)
    return secret
  }

  /// Where a console is, without a slash at its end.
  /// - Parameter url: nil takes what it has announced.
  /// - Returns: nil where none is known.
  package static func console(_ store: Store, _ url: String?) throws(StoreError) -> String? {
    let known: String? = if let url { url } else { try store.consoleAddress() }
    return known.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
  }
}

/// The secret address at which a calendar shows who is on call.
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
    guard let base = try IssuedCredential.console(store, url) else { return nil }
    let secret = try IssuedCredential.make(store, .calendar, name: name, role: .viewer, endNs: endNs, actor: actor)
    return CalendarAddress(secret: secret, url: "\(base)/api/v1/oncall.ics?key=\(secret.text)")
  }
}

/// What was made or ended, as the command line and the console say it; without a full stop.
package enum CredentialSentences {
  package static func token(_ name: String, _ role: Role, _ endNs: Int64) -> String {
    "token '\(name)' is good for what the role \(role.rawValue) may, until \(Timestamp.text(endNs, digits: 0))"
  }

  package static func calendar(_ name: String, _ endNs: Int64) -> String {
    "the calendar of '\(name)' shows who is on call until \(Timestamp.text(endNs, digits: 0))"
  }

  package static func ended(_ name: String, _ count: Int) -> String {
    "'\(name)' has \(count) \(count == 1 ? "way" : "ways") in less"
  }
}
