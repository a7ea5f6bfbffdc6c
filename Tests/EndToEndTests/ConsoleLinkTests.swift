import FleetModel
import Foundation
import Incidents
import Postgres
import Store
import TLS
import Testing

extension EndToEndTests.Consoles {
  /// A collector that pages a webhook twice, and a page for each change.
  private func page() throws -> PageReceiver {
    let receiver = try PageReceiver(directory: fleet.directory, seed: 1, isCalm: true)
    let text = """
      paging:
        receivers:
          duty: { webhook: { url: "\(receiver.url("duty"))" } }
          lead: { webhook: { url: "\(receiver.url("lead"))" } }
          pd: { pagerduty: { url: "\(receiver.url("pd"))", routing_key: k, webhook_secret: "\(Self.pagerDutySecret)" } }
          chat: { slack: { url: "\(receiver.url("chat"))", signing_secret: "\(Self.slackSecret)" } }
        policies:
          P0: [{ to: duty }, { to: lead, after: 15m }]
        messages_per_minute: 3

      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: fleet.directory + "/signalbox.yaml"))
    #expect(fleet.stopCollector() == 0)
    try fleet.startCollector(["--config", fleet.directory + "/signalbox.yaml"])
    return receiver
  }

  private func open(_ rules: [String], at receivers: [String] = ["duty"]) throws {
    let store = try Store.open(DatabaseURL(parsing: fleet.databaseURL))
    defer { store.close() }
    let nowNs = Int64(Date().timeIntervalSince1970 * 1e9)
    let policy = PagingPolicy { _, nowNs in
      receivers.map { PlannedDelivery(receiver: $0, dueNs: nowNs) }
        + [PlannedDelivery(receiver: "lead", dueNs: nowNs + 900_000_000_000, step: 1)]
    }
    try store.apply(
      rules.map { rule in
        var change = IncidentChange(
          .opened, rule: rule, severity: .p0, hostName: "gpu-1", eventNs: nowNs, detectedNs: nowNs)
        change.summary = "<script>alert(1)</script> \(rule) fell"
        change.steps = ["Drain the host"]
        return change
      }, policy: policy, nowNs: nowNs)
  }

  private func path(of page: PageReceiver.Page) throws -> String {
    let link = try #require(try page.body()["acknowledge_url"] as? String)
    #expect(link.hasPrefix(url + "/i/"))
    return String(link.dropFirst(url.count))
  }

  private func confirmation(_ html: String) throws -> [String] {
    let start = try #require(html.range(of: "name=\"confirm\" value=\""), "\(html)")
    return ["--data-urlencode", "confirm=" + html[start.upperBound...].prefix { $0 != "\"" }]
  }

  /// Scanners of mails and prefetchers of chats visit the link of a page 1 000 times and take nothing; a press of its button does, once.
  @Test func aLinkOfAMessageTakesItsIncidentAndNoVisitDoes() throws {
    defer { tearDown() }
    let receiver = try page()
    defer { receiver.stop() }
    try open(["GPU-07", "SECRET-1"])
    try fleet.eventually("a page of each") { try receiver.pages("trigger").count == 2 }
    let pages = try receiver.pages("trigger")
    let path = try path(of: try #require(pages.first { $0.text.contains("GPU-07") }))
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let scan = try Program.run(
      "/usr/bin/python3",
      [root.path + "/link_scanner.py", url + path, fleet.collectorState + "/ca/root.pem", "1000"], within: 120)
    let visits = try #require(try JSONSerialization.jsonObject(with: Data(scan.output.utf8)) as? [String: Int])
    #expect(visits.values.reduce(0, +) >= 1000 && visits["GET 200", default: 0] > 200, "\(visits)")
    #expect(visits["HEAD 200", default: 0] > 100 && visits["POST 400", default: 0] > 50, "\(visits)")
    #expect(try fleet.json("incidents", "list").map { $0["state"] as? String } == ["open", "open"])
    #expect(try fleet.value("select count(*) from signalbox.used_links") == 0)

    let shown = try ask(path)
    #expect(shown.status == 200 && shown.body.contains("I have it") && shown.body.contains("Drain the host"))
    #expect(
      shown.body.contains("You act as duty") && !shown.body.contains("<script>") && !shown.body.contains("SECRET-1"))
    #expect(shown.header("referrer-policy") == "no-referrer" && shown.header("cache-control") == "no-store")
    for accept in ["application/json", "text/markdown"] {
      let twin = try ask(path, ["-H", "Accept: \(accept)"])
      #expect(twin.status == 200 && !twin.body.contains("SECRET-1") && !twin.body.contains("\"asked\":1"), "\(twin)")
    }
    let form = try confirmation(shown.body)
    for words in [["-d", "confirm=x"], form + ["-H", "Sec-Fetch-Site: cross-site"]] {
      #expect(try ask(path, words).status == 403)
    }
    let taken = try ask(path, form)
    #expect(
      taken.status == 200
        && taken.body.contains(/You have it; nobody else is woken\. Escalation stopped at \d\d:\d\d:\d\d UTC\./),
      "\(taken)")
    #expect(!taken.body.contains("I have it"))
    let again = try ask(path, form)
    #expect(again.body.contains("This is taken already") && again.body.contains("duty has it"), "\(again)")
    #expect(try ask(path).body.contains("This link was used at"))
    let incident = try #require(try fleet.json("incidents", "list").first { $0["rule"] as? String == "GPU-07" })
    #expect(incident["acked_by"] as? String == "duty")
    try fleet.eventually("the news of it") { try receiver.pages("acknowledge").map(\.to) == ["duty"] }
    #expect(
      try fleet.value("select count(*) from signalbox.outbox where receiver = 'lead' and state = 'cancelled'") == 1)
    try refusedLinksSayWhatToDo(path)

    // Who acted stands in the audit, and the link nowhere.
    let audit = try fleet.json("audit")
    #expect(audit.contains { $0["action"] as? String == "incidents.ack" && $0["actor"] as? String == "duty" })
    let token = String(path.dropFirst("/i/".count))
    let written = "\(audit) \(console.errors) \(fleet.collector?.errors ?? "")"
    #expect(!written.contains(token))
    try aListIsTakenAsAWhole(receiver)
    try whatIsDoneElsewhereCountsHere(receiver)
  }

  private static let pagerDutySecret = "pd-secret"
  private static let slackSecret = "slack-secret"

  private func signed(_ words: [String], _ body: String) -> [String] {
    words.flatMap { ["-H", $0] } + ["-H", "Content-Type: application/json", "--data-binary", body]
  }

  private func pagerDuty(_ type: String, _ key: String, id: String, secret: String = pagerDutySecret) throws -> Answer {
    let at = Timestamp.text(Int64(Date().timeIntervalSince1970 * 1e9))
    let body = """
      {"event":{"id":"\(id)","event_type":"incident.\(type)","resource_type":"incident","occurred_at":"\(at)",\
      "agent":{"id":"PLH1HKV","summary":"Tenex Engineer","type":"user_reference"},"client":null,\
      "data":{"id":"PGR0VU2","type":"incident","number":2,"status":"x","incident_key":"\(key)","title":"ü"}}}
      """
    let sum = Hex.text(Digest.hmacSHA256(key: Array(secret.utf8), Array(body.utf8)))
    return try ask("/hooks/pagerduty", signed(["X-PagerDuty-Signature: v1=00ff,v1=\(sum)"], body))
  }

  private func slack(_ value: String, secondsAgo: Int64 = 0) throws -> Answer {
    let payload =
      #"{"type":"block_actions","user":{"id":"U1","username":"ann"},"actions":[{"action_id":"acknowledge","value":"\#(value)"}]}"#
    let body = "payload=" + (payload.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
    let time = Int64(Date().timeIntervalSince1970) - secondsAgo
    let sum = Hex.text(Digest.hmacSHA256(key: Array(Self.slackSecret.utf8), Array("v0:\(time):\(body)".utf8)))
    return try ask(
      "/hooks/slack", signed(["X-Slack-Request-Timestamp: \(time)", "X-Slack-Signature: v0=\(sum)"], body))
  }

  private func ackedBy(_ rule: String) throws -> String? {
    try fleet.json("incidents", "list").first { $0["rule"] as? String == rule }?["acked_by"] as? String
  }

  /// An acknowledgement in PagerDuty or Slack stops the escalation here, and the others are informed.
  private func whatIsDoneElsewhereCountsHere(_ receiver: PageReceiver) throws {
    try open(["PD-1"], at: ["pd", "chat"])
    try fleet.eventually("a page to PagerDuty and one to Slack") {
      try Set(receiver.pages().map(\.to)).isSuperset(of: ["pd", "chat"])
    }
    let key = try #require(try receiver.pages().first { $0.to == "pd" }).keys[0]
    #expect(try ask("/hooks/pagerduty", signed([], "{}")).status == 401)
    #expect(try pagerDuty("acknowledged", key, id: "a", secret: "other").status == 401 && ackedBy("PD-1") == nil)
    #expect(try ask("/hooks/pagerduty").status == 405)
    func outcome(_ answer: Answer) -> String? {
      answer.status == 200 ? answer.object["outcome"] as? String : answer.body
    }
    let waiting =
      "select count(*) from signalbox.outbox o join signalbox.incidents i on i.number = o.incident where i.rule = 'PD-1' and o.receiver = 'lead' and o.state = 'waiting'"
    #expect(try outcome(pagerDuty("acknowledged", key, id: "a")) == "done")
    #expect(try ackedBy("PD-1") == "Tenex Engineer" && fleet.value(waiting) == 0)
    try fleet.eventually("news to Slack") {
      try receiver.pages().contains { $0.to == "chat" && $0.text.contains("ACKED by Tenex Engineer") }
    }
    #expect(try outcome(pagerDuty("acknowledged", key, id: "a")) == "repeated")
    #expect(try outcome(pagerDuty("unacknowledged", key, id: "b")) == "done")
    #expect(try ackedBy("PD-1") == nil && fleet.value(waiting) == 1)
    #expect(try outcome(pagerDuty("acknowledged", "none", id: "c")) == "unknown alert")
    #expect(try outcome(pagerDuty("annotated", key, id: "d")) == "not used")

    let blocks = try #require(try receiver.pages().first { $0.to == "chat" }?.body()["blocks"] as? [[String: Any]])
    let elements = try #require(blocks.compactMap { $0["elements"] as? [[String: Any]] }.first)
    let value = try #require(elements[0]["value"] as? String)
    #expect(try slack(value, secondsAgo: 301).status == 401 && ackedBy("PD-1") == nil)
    #expect(try outcome(slack(value + "x")) == "unknown alert")
    #expect(try outcome(slack(value)) == "done" && ackedBy("PD-1") == "ann" && fleet.value(waiting) == 0)
    #expect(try outcome(slack(value)) == "unchanged")
    // Whoever has it by another way keeps it.
    #expect(try outcome(pagerDuty("unacknowledged", key, id: "e")) == "unchanged")
    #expect(try outcome(pagerDuty("resolved", key, id: "f")) == "done" && ackedBy("PD-1") == nil)
    #expect(try fleet.json("audit", "--action", "access.refused").contains { $0["subject"] as? String == "signature" })
    let admin = try ask("/admin", ["-H", "Accept: text/markdown"], token: token("root", "admin"))
    #expect(admin.body.contains("| pd | acknowledge | unknown alert | 1 |"), "\(admin.body)")
    let text = ["-H", "Accept: text/markdown"]
    let viewer = try token("reader", "viewer")
    let rules = try ask("/rules", text, token: viewer)
    #expect(rules.status == 200 && rules.body.contains("| SIGNALBOX-DATABASE | "), "\(rules)")
    let runbook = try ask("/rules/SIGNALBOX-DATABASE", text, token: viewer)
    #expect(runbook.body.contains("## What to do\n\n1. "), "\(runbook)")
    #expect(try ask("/rules/none", text, token: viewer).status == 404)
  }

  private func refusedLinksSayWhatToDo(_ path: String) throws {
    let store = try Store.open(DatabaseURL(parsing: fleet.databaseURL))
    defer { store.close() }
    let key = try store.pageLinkKey()
    let id = try #require(PageToken.read(String(path.dropFirst(3)), key: key)?.messageID)
    let nowNs = Int64(Date().timeIntervalSince1970 * 1e9)
    let old = try #require(PageToken(messageID: id, expiresNs: nowNs - 2_000_000_000)).text(key: key)
    let unknown = try #require(
      PageToken(messageID: "msg_" + String(repeating: "0", count: 32), expiresNs: nowNs + 60_000_000_000)
    ).text(key: key)
    for (token, status, part) in [
      (old, 410, "this link expired at"), (unknown, 410, "this link expired at"),
      (String(path.dropFirst(3).dropLast()), 401, "copy all of it"), ("x", 401, "copy all of it"),
    ] {
      for words in [[], ["-d", "confirm=x"]] {
        let answer = try ask("/i/" + token, words)
        #expect(answer.status == status && answer.body.contains(part), "\(answer)")
        #expect(answer.body.contains("<a href=\"/login\">Log in</a>"))
      }
    }
  }

  /// In a storm one message names many: its reader takes all of them at once.
  private func aListIsTakenAsAWhole(_ receiver: PageReceiver) throws {
    try open((1...8).map { "STORM-\($0)" })
    try fleet.eventually("a list") { try receiver.pages("trigger").contains(where: \.isList) }
    let list = try #require(try receiver.pages("trigger").first(where: \.isList))
    let path = try path(of: list)
    let shown = try ask(path)
    #expect(shown.body.contains("I have them all") && shown.body.contains("STORM-8"), "\(shown.body)")
    let taken = try ask(path, confirmation(shown.body))
    #expect(taken.body.contains("You have all \(list.keys.count) of them; nobody else is woken."), "\(taken.body)")
    let states = try fleet.json("incidents", "list", "--state", "acked")
    #expect(states.count == list.keys.count + 1, "\(states)")
  }
}
