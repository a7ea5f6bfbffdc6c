internal import FleetModel
internal import Foundation
internal import HTTPTypes
internal import Store
internal import TLS

/// What receivers send back: whoever acknowledges there has acknowledged here.
extension RouteTable {
  static let hooks: [Route] = [
    Route(
      method: .post, path: "/hooks/pagerduty", role: nil, summary: "Events of PagerDuty's webhooks, version 3.",
      rawBytesMax: PagerDutyEvent.bytesMax, shape: .document("application/json")
    ) { question in
      guard let request = question.raw else { throw Problem(.badRequest, "an event has a body") }
      let secrets = try await secrets(.pagerDuty, question)
      let receivers = EventSignature.pagerDuty(request, secrets)
      if receivers.isEmpty { throw wrongSignature }
      guard let event = PagerDutyEvent.read(request.body) else { return outcome("not used") }
      return outcome(try await take(event, of: receivers, place: "in PagerDuty", question).rawValue)
    },
    Route(
      method: .post, path: "/hooks/slack", role: nil, summary: "Buttons that people pressed in Slack.",
      rawBytesMax: ParameterLimits.bodyBytesMax, shape: .document("application/json")
    ) { question in
      guard let request = question.raw else { throw Problem(.badRequest, "an event has a body") }
      let secrets = try await secrets(.slack, question)
      let receivers = EventSignature.slack(request, secrets, nowNs: question.nowNs)
      if receivers.isEmpty { throw wrongSignature }
      guard let press = SlackPress.read(request.body) else { return outcome("not used") }
      return outcome(try await take(press, of: receivers, question))
    },
  ]

  private static let wrongSignature = Problem(
    .unauthorized, "this was signed with no secret of a receiver, or too long ago: compare the secret in signalbox.yaml"
  )

  private static func secrets(
    _ kind: ReceiverSecret.Kind, _ question: Question
  ) async throws -> [ReceiverSecret] {
    let secrets = try await question.database.change { store throws(StoreError) in try store.receiverSecrets(kind) }
    if secrets.isEmpty {
      throw Problem(
        .notFound, "no receiver has a secret for events here: give one in paging.receivers of signalbox.yaml")
    }
    return secrets
  }

  /// For whoever looks at what the sender recorded.
  private static func outcome(_ word: String) -> Reply {
    let json = JSON.object([("outcome", .text(word))])
    return .document(Array((json.written + "\n").utf8), contentType: "application/json")
  }

  private static func take(
    _ event: ReceiverEvent, of receivers: [String], place: String, _ question: Question
  ) async throws -> ReceiverEventOutcome {
    let nowNs = question.nowNs
    return try await question.database.change { store throws(StoreError) in
      try store.take(event, of: receivers, place: place, nowNs: nowNs)
    }
  }

  /// The button holds the link's token: what it acknowledges is signed by this fleet, and who pressed it by Slack.
  private static func take(_ press: SlackPress, of receivers: [String], _ question: Question) async throws -> String {
    let nowNs = question.nowNs
    let receiver = receivers.first ?? ""
    let key = try await question.database.change { store throws(StoreError) in try store.pageLinkKey() }
    guard let token = PageToken.read(press.value, key: key) else { return ReceiverEventOutcome.unknown.rawValue }
    guard token.expiresNs > nowNs else { return ReceiverEventOutcome.stale.rawValue }
    let done = try await question.database.change { store throws(StoreError) in
      try store.acknowledge(
        pagedBy: token.messageID, actor: press.person, through: "in Slack (\(receiver))", nowNs: nowNs)
    }
    guard let done else { return ReceiverEventOutcome.unknown.rawValue }
    return (done.taken.isEmpty ? ReceiverEventOutcome.unchanged : .done).rawValue
  }
}

/// Names of people in other services, as timelines show them.
private func shownName(_ name: String?) -> String? {
  let line = PlainText.cut(PlainText.line(name ?? ""), scalarsMax: 64)
  return line.contains { !$0.isWhitespace } ? line : nil
}

/// Source: PagerDuty developer docs, "Webhooks", Overview (version 3).
enum PagerDutyEvent {
  /// PagerDuty drops events of more.
  static let bytesMax = 256 << 10

  private struct Body: Decodable {
    struct Event: Decodable {
      struct Agent: Decodable {
        let type: String?
        let summary: String?
      }
      struct Incident: Decodable {
        let incident_key: String?
      }
      let id: String
      let event_type: String
      let occurred_at: String
      let agent: Agent?
      let data: Incident?
    }
    let event: Event
  }

  private static let actions: [String: ReceiverEvent.Action] = [
    "incident.acknowledged": .acknowledge, "incident.unacknowledged": .unacknowledge, "incident.resolved": .resolve,
  ]

  /// - Returns: nil for an event of another type, of an incident without a key, or of no such form.
  static func read(_ body: [UInt8]) -> ReceiverEvent? {
    guard let event = try? JSONDecoder().decode(Body.self, from: Data(body)).event,
      let action = actions[event.event_type], let key = event.data?.incident_key, !key.isEmpty,
      key.utf8.count <= keyBytesMax, !(key + event.id).utf8.contains(0), !event.id.isEmpty,
      let occurredNs = Timestamp.parse(event.occurred_at)
    else { return nil }
    let person = event.agent?.type == "user_reference" ? shownName(event.agent?.summary) : nil
    return ReceiverEvent(
      id: "pagerduty:\(event.id)", action: action, alertKey: key, person: person, occurredNs: occurredNs)
  }

  /// Of an alert's key, in the database and at PagerDuty.
  private static let keyBytesMax = 255
}

/// Source: docs.slack.dev, "block_actions payload": a form whose field `payload` is JSON.
struct SlackPress {
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

  /// - Returns: nil for what is no press of the button that acknowledges.
  static func read(_ body: [UInt8]) -> SlackPress? {
    guard let text = try? FormBody.fields(body)["payload"],
      let payload = try? JSONDecoder().decode(Payload.self, from: Data(text.utf8)), payload.type == "block_actions",
      let value = payload.actions.first(where: { $0.action_id == ReceiverSecret.slackAction })?.value
    else { return nil }
    let user = payload.user
    guard let person = shownName(user.username ?? user.name) ?? shownName(user.id) else { return nil }
    return SlackPress(person: person, value: value)
  }
}
