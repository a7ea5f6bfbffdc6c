import FleetModel
import Foundation
import Outbound
import Paging
import Store
import Testing

/// What a person woken at night sees, within what receivers publish as their limits.
@Suite struct MessageTests {
  static func delivery(_ event: Delivery.Event, hostile: Bool, isList: Bool = false) -> Delivery {
    // The dearest characters of each format, as a log line may hold them.
    let filler = hostile ? String(repeating: "<&`\"\\\u{1b}é😀", count: 3000) : "ok"
    var incident = IncidentRecord(
      number: 42, rule: "GPU-07", severity: .p0, dedupKey: "GPU-07|trainer-1|gpu 3|x",
      openedNs: 1_790_000_000_000_000_000)
    incident.hostName = "trainer-1"
    incident.entity = "gpu 3"
    incident.summary = "GPU 3 fell off the bus" + (hostile ? filler : "")
    incident.steps = ["Drain the host: scontrol update …", filler]
    incident.evidence = ["NVRM: Xid 79", filler]
    incident.ackedBy = "ann"
    return Delivery(
      rows: [1], receiver: "duty", event: event, messageID: "msg_1", attempts: 1, detail: "",
      incidents: Array(repeating: incident, count: isList ? 100 : 1), incidentCount: isList ? 10_000 : 1, isList: isList
    )
  }

  static func body(_ delivery: Delivery, _ receiver: Receiver) throws -> [String: Any] {
    let message = Message(delivery, nowNs: 1_790_000_000_000_000_000, console: "https://signalbox.example.org")
    guard case .http(let request) = message.request(to: receiver) else {
      throw OutboundError(code: 0, message: "no HTTP")
    }
    #expect(request.body.count <= 512 << 10)
    return try #require(try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any])
  }

  @Test(arguments: [false, true], [false, true])
  func pagerDutysFieldsStayWithinItsLimits(_ hostile: Bool, _ isList: Bool) throws {
    for event in [Delivery.Event.trigger, .escalate, .acknowledge, .resolve] {
      let body = try Self.body(
        Self.delivery(event, hostile: hostile, isList: isList), .pagerDuty(url: "http://x", routingKey: "k"))
      let wanted = [Delivery.Event.acknowledge: "acknowledge", .resolve: "resolve"][event] ?? "trigger"
      #expect(body["event_action"] as? String == wanted)
      #expect((body["dedup_key"] as? String ?? "").utf8.count <= 255)
      guard let payload = body["payload"] as? [String: Any] else {
        #expect(wanted != "trigger")
        continue
      }
      #expect((payload["summary"] as? String ?? "").count <= 1024)
      #expect(payload["severity"] as? String == "critical")
      #expect(payload["source"] as? String == "trainer-1")
    }
  }

  @Test(arguments: [false, true], [false, true])
  func slacksBlocksStayWithinItsLimits(_ hostile: Bool, _ isList: Bool) throws {
    let body = try Self.body(Self.delivery(.trigger, hostile: hostile, isList: isList), .slack(url: "http://x"))
    let blocks = try #require(body["blocks"] as? [[String: Any]])
    #expect(blocks.count <= 50)
    for block in blocks {
      let text = try #require((block["text"] as? [String: Any])?["text"] as? String)
      #expect((1...3000).contains(text.utf16.count))
      // A cut entity would be shown as it is, a free angle bracket would be a link.
      #expect(!text.contains("<") && !text.contains(">"))
      #expect(text.split(separator: "&").dropFirst().allSatisfy { $0.contains(/^(amp|lt|gt);/) })
    }
  }

  @Test func theTextSaysWhatSinceWhenWhyWhatToDoAndHowToAnswer() throws {
    let delivery = Self.delivery(.trigger, hostile: false)
    let message = Message(delivery, nowNs: 1_790_000_000_000_000_000, console: "https://signalbox.example.org")
    let mail = message.request(to: .email(EmailReceiver(server: "smtp://x", from: "a@b", to: ["c@d"])))
    guard case .mail(let request) = mail else { throw OutboundError(code: 0, message: "no mail") }
    let parts = String(decoding: request.message, as: UTF8.self).components(separatedBy: "\r\n\r\n")
    let text = try #require(
      Data(base64Encoded: parts[1], options: .ignoreUnknownCharacters).map { String(decoding: $0, as: UTF8.self) })
    let lines = [
      "[P0] GPU-07 trainer-1 gpu 3: GPU 3 fell off the bus", "Since 2026-09-21T14:13:20Z, incident 42",
      "https://signalbox.example.org/incidents/42", "  NVRM: Xid 79", "  1. Drain the host: scontrol update …",
      "Answer with: signalbox incidents ack 42",
    ]
    for line in lines { #expect(text.contains(line), "\(line) in \(text)") }
    #expect(parts[0].contains("Subject: =?utf-8?B?"))
    #expect(parts[0].split(separator: "\r\n").allSatisfy { $0.utf8.count <= 998 })
  }

  @Test func aLineOfAHostileLogCannotBecomeAHeader() throws {
    var delivery = Self.delivery(.trigger, hostile: true)
    delivery.incidents[0].summary = "x\r\nBcc: all@example.org"
    let message = Message(delivery, nowNs: 0)
    guard case .mail(let request) = message.request(to: .email(EmailReceiver(server: "s", from: "a@b", to: ["c@d"])))
    else {
      throw OutboundError(code: 0, message: "no mail")
    }
    let head = String(decoding: request.message, as: UTF8.self).components(separatedBy: "\r\n\r\n")[0]
    #expect(!head.contains("Bcc"))
    #expect(head.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 78 || !$0.hasPrefix("Subject") })
  }
}
