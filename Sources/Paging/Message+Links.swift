internal import FleetModel
internal import Incidents
package import Store
internal import TLS

/// Of what links in messages are made by which their receivers act without a login.
package struct PageLinks: Sendable, Equatable {
  /// Address of the console, without a slash at its end.
  package var console: String
  /// The fleet's key, 32 bytes: a secret.
  package var key: [UInt8]

  package init(console: String, key: [UInt8]) {
    self.console = console.hasSuffix("/") ? String(console.dropLast()) : console
    self.key = key
  }

  /// - Parameter configured: the address that people use, where the configuration has one.
  /// - Returns: nil where no console has announced itself: no page would answer such a link.
  package static func read(_ store: Store, _ configured: String?) throws(StoreError) -> PageLinks? {
    guard let announced = try store.consoleAddress() else { return nil }
    return PageLinks(console: configured ?? announced, key: try store.pageLinkKey())
  }
}

extension Message {
  /// A link is good for so long: over a weekend, where a message is a ticket.
  private static let linkLifeNs: Int64 = 72 * hourNs
  private static let hourNs: Int64 = 3_600_000_000_000

  /// Where the receiver of a page acknowledges what it is about, all of it where it is a list. It acts once, by a button on the page that it
  /// shows: whatever visits the links of messages changes nothing.
  ///
  /// nil where no console runs, for news, which asks for nothing, and for what has no number yet.
  var acknowledging: String? {
    guard let links, delivery.event.isPage,
      delivery.incidents.contains(where: { $0.number > 0 && $0.state != .resolved })
    else { return nil }
    // By the hour, so that the attempts of a message are alike.
    let expiresNs = (nowNs / Self.hourNs + 1) * Self.hourNs + Self.linkLifeNs
    return PageToken(messageID: delivery.messageID, expiresNs: expiresNs).map { token in
      "\(links.console)/i/\(token.text(key: links.key))"
    }
  }

  /// An alert of a list has none: it would acknowledge all of them.
  var acknowledgingAnnotation: [(String, JSON)] {
    delivery.isList ? [] : acknowledging.map { [("acknowledge_url", .text($0))] } ?? []
  }
}
