import FleetModel
import Foundation
import HTTPTypes
import Store
import TLS
import Testing

@testable import Console

/// What receivers send back: who signed it, and what it says.
@Suite struct EventSignatureTests {
  private func request(_ body: String, _ headers: [String: String]) throws -> RawRequest {
    var fields = HTTPFields()
    for (name, value) in headers { fields[try #require(HTTPField.Name(name))] = value }
    return RawRequest(body: Array(body.utf8), headers: fields)
  }

  private static let secrets = [ReceiverSecret("a", .pagerDuty, "s1"), ReceiverSecret("b", .pagerDuty, "s2")]

  /// While a secret is replaced several are given.
  @Test func pagerDutysSignatureIsAnyOfSeveral() throws {
    let body = #"{"event":{}}"#
    let right = "v1=0c4580c0bb20eb6ef6b2aee20a3bc06602eec46233e08fd592f12f168c6c0846"
    for (header, wanted) in [
      (right, ["a"]), ("v1=00," + right, ["a"]), ("v2=00, " + right + " ", ["a"]), (right.uppercased(), []),
      (String(right.dropLast(2)), []), (right + "00", []), ("", []), ("v1=", []),
      (String(repeating: "v1=00,", count: 16) + right, []), (right.replacing("v1", with: "v0"), []),
    ] as [(String, [String])] {
      let request = try request(body, ["X-PagerDuty-Signature": header])
      #expect(EventSignature.pagerDuty(request, Self.secrets) == wanted, "\(header)")
    }
    #expect(try EventSignature.pagerDuty(request(body + " ", ["X-PagerDuty-Signature": right]), Self.secrets) == [])
    #expect(try EventSignature.pagerDuty(request(body, [:]), Self.secrets) == [])
  }

  /// The example of Slack's documentation; five minutes from its time on either side.
  @Test func slacksSignatureIsThatOfItsDocumentation() throws {
    let body =
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
      + "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
      + "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
      + "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    let headers = [
      "X-Slack-Request-Timestamp": "1531420618",
      "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    ]
    let secrets = [ReceiverSecret("chat", .slack, "8f742231b10e8888abcd99yyyzzz85a5")]
    let request = try request(body, headers)
    for (seconds, wanted) in [(0, ["chat"]), (300, ["chat"]), (-300, ["chat"]), (301, []), (-301, [])]
      as [(Int64, [String])]
    {
      let nowNs = (1_531_420_618 + seconds) * 1_000_000_000
      #expect(EventSignature.slack(request, secrets, nowNs: nowNs) == wanted, "\(seconds)")
    }
    for time in ["", "x", "9223372036854775807", "-9223372036854775808", "1531420619"] {
      var changed = headers
      changed["X-Slack-Request-Timestamp"] = time
      #expect(
        try EventSignature.slack(self.request(body, changed), secrets, nowNs: 1_531_420_618_000_000_000) == [],
        "\(time)")
    }
  }

  @Test func eventsOfPagerDutyAreRead() throws {
    func event(_ change: (inout [String: Any]) -> Void) throws -> ReceiverEvent? {
      var event: [String: Any] = [
        "id": "e1", "event_type": "incident.acknowledged", "occurred_at": "2026-09-21T14:13:20.500Z",
        "agent": ["type": "user_reference", "summary": "Tenex\n\u{202e}Engineer"], "data": ["incident_key": "k"],
      ]
      change(&event)
      return PagerDutyEvent.read(Array(try JSONSerialization.data(withJSONObject: ["event": event])))
    }
    let read = try #require(try event { _ in })
    #expect(read.action == .acknowledge && read.alertKey == "k" && read.id == "pagerduty:e1")
    #expect(read.occurredNs == 1_790_000_000_500_000_000)
    #expect(read.person?.hasPrefix("Tenex ") == true && read.person?.unicodeScalars.contains("\u{202e}") == false)
    #expect(try event { $0["agent"] = ["type": "service_reference", "summary": "x"] }?.person == nil)
    #expect(try event { $0["agent"] = NSNull() }?.person == nil)
    #expect(try event { $0["event_type"] = "incident.resolved" }?.action == .resolve)
    for (name, value) in [
      ("event_type", "incident.annotated"), ("event_type", "pagey.ping"), ("occurred_at", "today"), ("id", ""),
      ("data", [String: String]()), ("data", ["incident_key": "a\u{0}b"]), ("data", NSNull()), ("agent", 7),
      ("data", ["incident_key": String(repeating: "k", count: 256)]),
    ] as [(String, Any)] {
      #expect(try event { $0[name] = value } == nil, "\(name) \(value)")
    }
    for body in ["", "[]", "{}", "{\"event\":null}", "\u{0}"] { #expect(PagerDutyEvent.read(Array(body.utf8)) == nil) }
  }

  @Test func pressesOfSlackAreRead() {
    func read(_ json: String) -> SlackPress? {
      let text = json.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
      return SlackPress.read(Array("payload=\(text)".utf8))
    }
    let press = { (user: String, type: String, action: String) in
      read(#"{"type":"\#(type)","user":\#(user),"actions":[{"action_id":"\#(action)","value":"v"}]}"#)
    }
    let one = press(#"{"id":"U1","username":"ann"}"#, "block_actions", "acknowledge")
    #expect(one?.person == "ann" && one?.value == "v")
    #expect(press(#"{"id":"U1","username":" \n"}"#, "block_actions", "acknowledge")?.person == "U1")
    #expect(press(#"{"id":"U1"}"#, "view_submission", "acknowledge") == nil)
    #expect(press(#"{"id":"U1"}"#, "block_actions", "open") == nil)
    #expect(SlackPress.read(Array("payload={".utf8)) == nil && SlackPress.read([]) == nil)
  }
}
