import FleetModel
import Incidents
import Foundation
import Outbound
@testable import Paging
import SiteConfiguration
import Store
import Testing

/// What a person woken at night sees, within what receivers publish as their limits.
@Suite struct MessageTests {
  static func delivery(_ event: Delivery.Event, hostile: Bool, isList: Bool = false) -> Delivery {
    // The characters that each format escapes to the most bytes, as a log line may hold them.
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
      "Acknowledge, which stops the escalation, with: signalbox incidents ack 42",
    ]
    for line in lines { #expect(text.contains(line), "\(line) in \(text)") }
    #expect(parts[0].contains("Subject: =?utf-8?B?"))
    #expect(parts[0].split(separator: "\r\n").allSatisfy { $0.utf8.count <= 998 })
  }

  /// A lock screen shows the beginning: the reason stands before the path, once.
  @Test func aHeadlineNamesHostAndPathOnce() {
    var delivery = Self.delivery(.trigger, hostile: false)
    delivery.incidents[0].hostName = "gpu-01"
    delivery.incidents[0].entity = "/srv/run-1.log"
    delivery.incidents[0].summary = "Data loader died on gpu-01: /srv/run-1.log (worker 3)"
    #expect(
      Message(delivery, nowNs: 0).headline == "[P0] GPU-07: Data loader died on gpu-01: /srv/run-1.log (worker 3)")
    delivery.incidents[0].summary = "Data loader died"
    #expect(Message(delivery, nowNs: 0).headline == "[P0] GPU-07 gpu-01 /srv/run-1.log: Data loader died")
  }

  /// Evidence of any length cut off the steps behind it.
  @Test func stepsRunbookAndAnswerComeBeforeTheEvidenceAndAreNeverCutByIt() throws {
    var delivery = Self.delivery(.trigger, hostile: false)
    delivery.incidents[0].evidence = (0..<3000).map { "line \($0) of the log, as long as they are" }
    delivery.incidents[0].causes = ["power", "cooling"]
    delivery.incidents[0].runbook = "https://signalbox.example.org/runbooks/GPU-07.md"
    let receivers: [Receiver] = [.slack(url: "http://x"), .pagerDuty(url: "http://x", routingKey: "k")]
    for receiver in receivers {
      let text = Self.texts(try Self.body(delivery, receiver)).joined(separator: "\n")
      for line in [
        "1. Drain the host: scontrol update", "Often: power; cooling", "signalbox incidents ack 42",
        "line 0 of the log",
        "https://signalbox.example.org/runbooks/GPU-07.md", "more: signalbox incidents show 42",
      ] { #expect(text.contains(line), "\(line)") }
    }
    let message = Message(delivery, nowNs: 0)
    let short = message.text(limit: 600)
    #expect(short.utf16.count <= 600 && short.contains("ack 42") && short.contains("Runbook: https://"))
    #expect(
      try #require(short.range(of: "Steps:")).lowerBound < (try #require(short.range(of: "Evidence:")).lowerBound))
  }

  @Test func slacksStepsStandOutsideOfTheBlockOfCode() throws {
    let body = try Self.body(Self.delivery(.trigger, hostile: false), .slack(url: "http://x"))
    let texts = (body["blocks"] as? [[String: Any]] ?? []).compactMap { $0["text"] as? [String: Any] }
    let steps = try #require(texts.first { ($0["text"] as? String)?.contains("1. Drain") == true })
    #expect(steps["type"] as? String == "plain_text")
    let evidence = try #require(texts.first { ($0["text"] as? String)?.contains("Xid 79") == true })
    #expect((evidence["text"] as? String)?.hasPrefix("```") == true)
  }

  @Test func listsOfNewsSayWhatTheyAre() throws {
    var ended = Self.delivery(.resolve, hostile: false, isList: true)
    ended.incidentCount = 100
    for index in ended.incidents.indices { ended.incidents[index].state = .resolved }
    ended.list = ListNews(id: "msg_a", open: 3, unacknowledged: 1)
    #expect(Message(ended, nowNs: 0).headline.hasPrefix("RESOLVED: 100 incidents, 3 of the list go on"))
    var acked = Self.delivery(.acknowledge, hostile: false, isList: true)
    acked.incidentCount = 100
    for index in acked.incidents.indices { acked.incidents[index].state = .acked }
    #expect(Message(acked, nowNs: 0).headline.hasPrefix("ACKED: 100 incidents"))
    // An Alertmanager ends no alert because of an acknowledgement.
    let body = try Self.body(acked, .alertmanagerWebhook(url: "http://x"))
    #expect(body["status"] as? String == "firing")
  }

  @Test func aListNamesTheNumbersAndHowToAnswer() {
    let text = Message(Self.delivery(.trigger, hostile: false, isList: true), nowNs: 0).text(limit: 100_000)
    #expect(text.contains("#42 [P0] GPU-07") && text.contains("with: signalbox incidents ack N"))
  }

  /// It may have begun hours ago: the page says why it comes only now. What ends or is acknowledged does not.
  @Test(arguments: [false, true]) func aPageOfWhatWasMutedSaysUntilWhenAndByWhat(isList: Bool) throws {
    var delivery = Self.delivery(.trigger, hostile: false, isList: isList)
    delivery.detail = Delivery.wasMuted(
      untilNs: 1_790_000_000_000_000_000, by: "silence #7 by ann: new\n\u{1b}disks" + String(repeating: "x", count: 999)
    )
    let line = "Was muted until 2026-09-21T14:13:20Z by silence #7 by ann: new \u{fffd}disksx"
    let message = Message(delivery, nowNs: 0)
    #expect(message.headline.hasPrefix(isList ? "UNMUTED 10000 incidents" : "UNMUTED [P0] GPU-07"))
    let shown = try #require(message.text(limit: 100_000).split(separator: "\n").first { $0.hasPrefix(line) })
    #expect(shown.unicodeScalars.count == 300 && shown.hasSuffix("…"))
    for receiver in [Receiver.slack(url: "http://x"), .pagerDuty(url: "http://x", routingKey: "k")] {
      #expect(Self.texts(try Self.body(delivery, receiver)).contains { $0.contains(line) })
    }
    for event in [Delivery.Event.resolve, .acknowledge] {
      delivery.event = event
      #expect(!Message(delivery, nowNs: 0).text(limit: 100_000).contains("muted"))
    }
    delivery.event = .escalate
    #expect(Message(delivery, nowNs: 0).headline.hasPrefix("ESCALATED"))
    #expect(Message(delivery, nowNs: 0).text(limit: 100_000).contains(line))
  }

  @Test func anEndSaysWhenAndByWhomAndAsksForNothing() {
    var delivery = Self.delivery(.resolve, hostile: false)
    delivery.incidents[0].state = .resolved
    delivery.incidents[0].resolvedNs = 1_790_000_060_000_000_000
    delivery.incidents[0].resolvedBy = "bob"
    let text = Message(delivery, nowNs: 0).text(limit: 100_000)
    #expect(text.contains("Ended 2026-09-21T14:14:20Z by bob"))
    #expect(!text.contains("Steps:") && !text.contains("cknowledge"))
    delivery.event = .acknowledge
    delivery.incidents[0].state = .acked
    let acked = Message(delivery, nowNs: 0).text(limit: 100_000)
    #expect(acked.hasPrefix("ACKED by") && !acked.contains("Steps:") && !acked.contains("incidents ack"))
  }

  /// From memory an incident has no number, and cannot be acknowledged yet.
  @Test(arguments: [false, true]) func aPageWithoutANumberSaysWhenItCanBeAcknowledged(isList: Bool) {
    var delivery = Self.delivery(.trigger, hostile: false, isList: isList)
    for index in delivery.incidents.indices { delivery.incidents[index].number = 0 }
    let text = Message(delivery, nowNs: 0).text(limit: 100_000)
    #expect(text.contains("It can be acknowledged once the database answers again") && !text.contains("ack 0"))
  }

  /// What does not fit is counted, and how to answer stays.
  @Test func aListThatIsTooLongSaysHowManyItLeavesOut() throws {
    var delivery = Self.delivery(.trigger, hostile: false, isList: true)
    let one = delivery.incidents[0]
    delivery.incidents = (1...70).map { number in
      var incident = one
      incident.number = Int64(number)
      incident.entity = "/srv/<runs>/" + String(repeating: "x", count: number * 3)
      return incident
    }
    delivery.incidentCount = 150
    for receiver in [Receiver.slack(url: "http://x"), .pagerDuty(url: "http://x", routingKey: "k")] {
      let text = Self.texts(try Self.body(delivery, receiver)).joined(separator: "\n")
      let lines = text.split(separator: "\n")
      let named = lines.count { $0.hasPrefix("#") }
      #expect(named > 10 && named < 70)
      #expect(
        lines.contains { $0.hasPrefix("… and \(150 - named) more: signalbox incidents list") }, "\(text.suffix(300))")
      #expect(text.contains("with: signalbox incidents ack N"))
    }
    // A mail has room for all that are named.
    let mail = Message(delivery, nowNs: 0).text(limit: 100_000).split(separator: "\n")
    #expect(mail.count { $0.hasPrefix("#") } == 70 && mail.contains { $0.hasPrefix("… and 80 more") })
  }

  @Test func newsOfAListSaysWhatHasEndedAndWhatIsAcknowledged() {
    var delivery = Self.delivery(.resolve, hostile: false, isList: true)
    var (ended, acked) = (delivery.incidents[0], delivery.incidents[0])
    (ended.number, ended.state) = (4, .resolved)
    (acked.number, acked.state) = (3, .acked)
    delivery.incidents = [acked, ended]
    delivery.incidentCount = 2
    delivery.list = ListNews(id: "msg_a", open: 11, unacknowledged: 10)
    let text = Message(delivery, nowNs: 0).text(limit: 10_000)
    #expect(text.hasPrefix("RESOLVED 1, ACKED 1: 2 incidents, 11 of the list go on"))
    #expect(text.contains("\n#3 ACKED [P0]") && text.contains("\n#4 RESOLVED [P0]"))
  }

  /// A file's name may hold a line break: in a list it would look like an incident of its own.
  @Test func aNameIsOneLine() throws {
    var delivery = Self.delivery(.trigger, hostile: false, isList: true)
    delivery.incidents[0].entity = "/srv/a\n#99 [P0] FORGED b"
    delivery.incidents[0].summary = "died\n#98 [P0] FORGED"
    let message = Message(delivery, nowNs: 0)
    #expect(!message.text(limit: 100_000).contains("\n#9"))
    let body = try Self.body(delivery, .webhook(url: "http://x", secrets: []))
    let incidents = try #require(body["incidents"] as? [[String: Any]])
    #expect((incidents[0]["summary"] as? String)?.contains("\n") == false)
    let alert = try #require(
      (try Self.body(delivery, .alertmanagerWebhook(url: "http://x"))["alerts"] as? [[String: Any]])?.first)
    #expect(((alert["annotations"] as? [String: Any])?["summary"] as? String)?.contains("\n") == false)
  }

  /// Two long paths may differ at their ends alone: the labels are the alert's identity.
  @Test func longNamesAreDifferentAlerts() throws {
    var labels: Set<String> = []
    for end in ["one.log", "two.log"] {
      var delivery = Self.delivery(.trigger, hostile: false)
      delivery.incidents[0].entity = "/" + String(repeating: "d", count: 360) + "/" + end
      let body = try Self.body(delivery, .alertmanagerWebhook(url: "http://x"))
      let alert = try #require((body["alerts"] as? [[String: Any]])?.first)
      let entity = try #require((alert["labels"] as? [String: Any])?["entity"] as? String)
      #expect(entity.utf8.count <= 255)
      labels.insert(entity)
    }
    #expect(labels.count == 2)
  }

  /// The end of a part of a list must not look like the end of all to a program.
  @Test func aWebhookIsSentHowItsListStands() throws {
    var delivery = Self.delivery(.resolve, hostile: false, isList: true)
    delivery.list = ListNews(id: "msg_a", open: 19, unacknowledged: 7)
    let body = try Self.body(delivery, .webhook(url: "http://x", secrets: []))
    #expect(body["still_open"] as? Int == 19 && body["unacknowledged"] as? Int == 7)
    #expect(body["list"] as? String == body["dedup_key"] as? String)
  }

  @Test func anAlertmanagerKnowsAnIncidentWithAndWithoutItsNumber() throws {
    func labels(_ number: Int64) throws -> [String: String]? {
      var delivery = Self.delivery(.trigger, hostile: false)
      delivery.incidents[0].number = number
      let body = try Self.body(delivery, .alertmanagerWebhook(url: "http://x"))
      return (body["alerts"] as? [[String: Any]])?.first?["labels"] as? [String: String]
    }
    #expect(try labels(0) == labels(17))
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

  // MARK: Marks, controls, directions

  /// What a log line may hold: each is one Swift Character, which receivers read differently.
  static let marked =
    "<\u{338}!channel> <\u{301}https://x|y> `\u{338}` \u{1b}[2J \u{202e}evil\u{2066} a\r\nBcc: b\u{2028}c "

  static func markedDelivery() -> Delivery {
    var delivery = delivery(.trigger, hostile: false)
    delivery.incidents[0].summary = marked + "a" + String(repeating: "\u{338}", count: 20_000)
    delivery.incidents[0].entity = marked + String(repeating: "\u{301}", count: 2000)
    delivery.incidents[0].evidence = [marked, String(repeating: "a\u{338}", count: 200_000)]
    return delivery
  }

  private static func texts(_ value: Any) -> [String] {
    switch value {
    case let text as String: [text]
    case let list as [Any]: list.flatMap(texts)
    case let object as [String: Any]: object.values.flatMap(texts)
    default: []
    }
  }

  @Test func slackGetsNoCommandAndNoLinkOutOfALine() throws {
    let body = try Self.body(Self.markedDelivery(), .slack(url: "http://x"))
    for text in Self.texts(body) {
      // The block's own fences apart, nothing of Slack's is left.
      let inner = text.replacing("```", with: "").unicodeScalars
      #expect(!inner.contains("<") && !inner.contains(">") && !inner.contains("`"))
      #expect(text.utf16.count <= 3000)
    }
  }

  @Test func whatPeopleReadHoldsNoControlsAndNoDirections() throws {
    let receivers: [Receiver] = [
      .slack(url: "http://x"), .pagerDuty(url: "http://x", routingKey: "k"), .alertmanagerWebhook(url: "http://x"),
    ]
    for receiver in receivers {
      for text in Self.texts(try Self.body(Self.markedDelivery(), receiver)) {
        let hostile = text.unicodeScalars.filter { $0 != "\n" && JSONText.isHostile($0) }
        // Keys are for programs.
        if !text.hasPrefix("GPU-07|") { #expect(hostile.isEmpty, "\(text.prefix(200))") }
      }
    }
    let body = try Self.body(Self.markedDelivery(), .webhook(url: "http://x", secrets: []))
    let message = try #require(body["message"] as? String)
    #expect(!message.unicodeScalars.contains(where: JSONText.isHostile))
  }

  @Test func pagerDutysSummaryIsWithinItsLimitByEveryMeasure() throws {
    let body = try Self.body(Self.markedDelivery(), .pagerDuty(url: "http://x", routingKey: "k"))
    let payload = try #require(body["payload"] as? [String: Any])
    let summary = try #require(payload["summary"] as? String)
    #expect((500...1024).contains(summary.utf8.count))
    #expect((payload["component"] as? String ?? "").utf8.count <= 255)
  }

  @Test func anAlertsLabelsAreShortLines() throws {
    let body = try Self.body(Self.markedDelivery(), .alertmanagerWebhook(url: "http://x"))
    let alerts = try #require(body["alerts"] as? [[String: Any]])
    let labels = try #require(alerts.first?["labels"] as? [String: String])
    for label in labels.values { #expect(label.utf8.count <= 255 && !label.contains("\n")) }
  }

  @Test func aSubjectIsValidAndShort() throws {
    let message = Message(Self.markedDelivery(), nowNs: 0)
    guard case .mail(let request) = message.request(to: .email(EmailReceiver(server: "s", from: "a@b", to: ["c@d"])))
    else { throw OutboundError(code: 0, message: "no mail") }
    let head = String(decoding: request.message, as: UTF8.self).components(separatedBy: "\r\n\r\n")[0]
    #expect(!head.contains("Bcc"))
    let subject = head.components(separatedBy: "\r\nDate:")[0].components(separatedBy: "Subject: ")[1]
    for word in subject.components(separatedBy: "\r\n ") {
      #expect(word.utf8.count <= 75 && word.hasPrefix("=?utf-8?B?") && word.hasSuffix("?="))
      let bytes = try #require(Data(base64Encoded: String(word.dropFirst(10).dropLast(2))))
      // RFC 2047: each word is text by itself.
      #expect(String(bytes: bytes, encoding: .utf8) != nil)
    }
  }
}
