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
        policies:
          P0: [{ to: duty }, { to: lead, after: 15m }]
        messages_per_minute: 3

      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: fleet.directory + "/signalbox.yaml"))
    #expect(fleet.stopCollector() == 0)
    try fleet.startCollector(["--config", fleet.directory + "/signalbox.yaml"])
    return receiver
  }

  private func open(_ rules: [String]) throws {
    let store = try Store.open(DatabaseURL(parsing: fleet.databaseURL))
    defer { store.close() }
    let nowNs = Int64(Date().timeIntervalSince1970 * 1e9)
    let policy = PagingPolicy { _, nowNs in
      [
        PlannedDelivery(receiver: "duty", dueNs: nowNs),
        PlannedDelivery(receiver: "lead", dueNs: nowNs + 900_000_000_000, step: 1),
      ]
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
      shown.body.contains("You act as duty") && !shown.body.contains("<script") && !shown.body.contains("SECRET-1"))
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
