internal import FleetModel
internal import Foundation
internal import HTTPTypes
internal import Store

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
      return outcome(try await press.carryOut(of: receivers, question.database, nowNs: question.nowNs).rawValue)
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
}

/// Names of people in other services, as timelines show them.
func shownName(_ name: String?) -> String? {
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
