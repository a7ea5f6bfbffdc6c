internal import FleetModel
internal import Incidents
package import SiteConfiguration
package import Store
internal import TLS

/// Of what links in messages are made by which their receivers act without a login.
package struct PageLinks: Sendable, Equatable {
  /// Address of the console, without a slash at its end.
  package var console: String
  /// The fleet's key, 32 bytes: a secret.
  package var key: [UInt8]
  /// Receivers whose messages carry a button beside the link.
  package var buttons: Set<String>
  /// Where mails are answered: `name@host`; nil: nowhere.
  package var replyTo: String?

  package init(console: String, key: [UInt8], buttons: Set<String> = [], replyTo: String? = nil) {
    self.buttons = buttons
    self.replyTo = replyTo
    self.console = console.hasSuffix("/") ? String(console.dropLast()) : console
    self.key = key
  }

  /// - Returns: nil where no console has announced itself: no page would answer such a link.
  package static func read(_ store: Store, _ configuration: PagingConfiguration) throws(StoreError) -> PageLinks? {
    guard let announced = try store.consoleAddress() else { return nil }
    return PageLinks(
      console: configuration.console ?? announced, key: try store.pageLinkKey(),
      buttons: configuration.buttons, replyTo: configuration.replyTo)
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
    acknowledgingToken.flatMap { token in links.map { "\($0.console)/i/\(token)" } }
  }

  /// Where a mail is answered, so that the reply names its message; nil where none is configured, and where there is no link.
  var replyAddress: String? {
    guard let parts = links?.replyTo?.split(separator: "@"), parts.count == 2, let token = acknowledgingToken else {
      return nil
    }
    return "\(parts[0])+\(token)@\(parts[1])"
  }

  private var acknowledgingToken: String? {
    guard let links, delivery.event.isPage,
      delivery.incidents.contains(where: { $0.number > 0 && $0.state != .resolved })
    else { return nil }
    // By the hour, so that the attempts of a message are alike.
    let expiresNs = (nowNs / Self.hourNs + 1) * Self.hourNs + Self.linkLifeNs
    return PageToken(messageID: delivery.messageID, expiresNs: expiresNs)?.text(key: links.key)
  }

  /// A block of Slack with a button, where the receiver's app sends its presses to the console. Source: docs.slack.dev,
  /// Block Kit, actions and button; a value takes 2000 characters.
  var slackButton: JSON? {
    guard links?.buttons.contains(delivery.receiver) == true, let token = acknowledgingToken else { return nil }
    let button = JSON.object([
      ("type", .text("button")), ("action_id", .text(ReceiverSecret.slackAction)), ("style", .text("primary")),
      (
        "text",
        .object([
          ("type", .text("plain_text")), ("text", .text(delivery.isList ? "I have them all" : "I have it")),
        ])
      ), ("value", .text(token)),
    ])
    return .object([("type", .text("actions")), ("elements", .list([button]))])
  }

  /// An alert of a list has none: it would acknowledge all of them.
  var acknowledgingAnnotation: [(String, JSON)] {
    delivery.isList ? [] : acknowledging.map { [("acknowledge_url", .text($0))] } ?? []
  }
}
