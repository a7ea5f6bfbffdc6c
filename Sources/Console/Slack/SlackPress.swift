internal import FleetModel
internal import Foundation
internal import Store
internal import TLS

/// A press of the button that acknowledges, from `/hooks/slack` or by Socket Mode.
///
/// Source: docs.slack.dev, "block_actions payload".
struct SlackPress: Equatable {
  let person: String
  let value: String

  private struct Payload: Decodable {
    struct User: Decodable {
      let id: String
      let username: String?
      let name: String?
    }
    struct Action: Decodable {
      let action_id: String
      let value: String?
    }
    let type: String
    let user: User
    let actions: [Action]
  }

  /// - Parameter body: of a signed request: a form whose field `payload` is JSON.
  /// - Returns: nil for what is no press of the button that acknowledges.
  static func read(_ body: [UInt8]) -> SlackPress? {
    (try? FormEncoding.fields(body)["payload"]).flatMap { read(payload: Array($0.utf8)) }
  }

  /// - Parameter payload: the JSON, which Socket Mode sends without a form. - Returns: as `read`.
  static func read(payload: [UInt8]) -> SlackPress? {
    guard let payload = try? JSONDecoder().decode(Payload.self, from: Data(payload)), payload.type == "block_actions",
      let value = payload.actions.first(where: { $0.action_id == ReceiverSecret.slackAction })?.value
    else { return nil }
    let user = payload.user
    guard let person = shownName(user.username ?? user.name) ?? shownName(user.id) else { return nil }
    return SlackPress(person: person, value: value)
  }

  /// The button holds the link's token: what it acknowledges is signed by this fleet, and who pressed it comes from Slack. One that comes
  /// again changes nothing.
  /// - Parameter receivers: whose app it was pressed in.
  /// - Throws: `Problem`.
  func carryOut(of receivers: [String], _ database: DatabasePool, nowNs: Int64) async throws -> ReceiverEventOutcome {
    let (receiver, person) = (receivers.first ?? "", person)
    let key = try await database.change { store throws(StoreError) in try store.pageLinkKey() }
    guard let token = PageToken.read(value, key: key) else { return .unknown }
    guard token.expiresNs > nowNs else { return .stale }
    let done = try await database.change { store throws(StoreError) in
      try store.acknowledge(
        pagedBy: token.messageID, actor: person, through: "in Slack (\(receiver))", nowNs: nowNs)
    }
    guard let done else { return .unknown }
    return done.taken.isEmpty ? .unchanged : .done
  }
}
