import FleetModel
import Foundation
import Incidents
import Outbound
import Paging
import SiteConfiguration
import Store
import TLS
import Testing

/// Links by which receivers of pages act without a login.
@Suite(.timeLimit(.minutes(15))) struct LinkTests {
  private static let id = "msg_0123456789abcdef0123456789abcdef"
  private static let key = [UInt8](repeating: 7, count: 32)
  private static let nowNs: Int64 = 1_790_000_000_000_000_000
  private static let receivers: [Receiver] = [
    .webhook(url: "http://x", secrets: []), .pagerDuty(url: "http://x", routingKey: "k"), .slack(url: "http://x"),
    .alertmanagerWebhook(url: "http://x"), .alertmanager(url: "http://x"),
    .email(EmailReceiver(server: "smtp://x", from: "a@b", to: ["c@d"])),
  ]

  private func sent(_ delivery: Delivery, _ receiver: Receiver, links: Bool = true, at nowNs: Int64 = nowNs) throws
    -> String
  {
    var delivery = delivery
    delivery.messageID = Self.id
    let message = Message(
      delivery, nowNs: nowNs, links: links ? PageLinks(console: "https://console.example.org/", key: Self.key) : nil)
    switch message.request(to: receiver) {
    case .http(let request): return String(decoding: request.body, as: UTF8.self).replacing("\\/", with: "/")
    case .mail(let request):
      let body = String(decoding: request.message, as: UTF8.self).components(separatedBy: "\r\n\r\n")[1]
      return Data(base64Encoded: body, options: .ignoreUnknownCharacters).map { String(decoding: $0, as: UTF8.self) }
        ?? ""
    case nil: return ""
    }
  }

  private func token(in text: String) -> PageToken? {
    guard let start = text.range(of: "https://console.example.org/i/") else { return nil }
    let word = text[start.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
    return PageToken.read(String(word), key: Self.key)
  }

  @Test(arguments: [false, true]) func everyPageCarriesItsOwnLink(isList: Bool) throws {
    for receiver in Self.receivers {
      for event in [Delivery.Event.trigger, .escalate] {
        let text = try sent(MessageTests.delivery(event, hostile: true, isList: isList), receiver)
        // An alert of a list would acknowledge all others too.
        if isList, case .alertmanager = receiver { continue }
        if isList, case .alertmanagerWebhook = receiver { continue }
        let token = try #require(self.token(in: text), "\(receiver): \(text.prefix(500))")
        #expect(token.messageID == Self.id)
        #expect((71...74).contains((token.expiresNs - Self.nowNs) / 3_600_000_000_000))
      }
    }
  }

  /// The page of the rule at the console, unless the rule names one of the site's own.
  @Test func aPageNamesItsRunbook() throws {
    var delivery = MessageTests.delivery(.trigger, hostile: false)
    for (rule, runbook, wanted) in [
      ("GPU-07", "docs/runbooks/GPU-07.md", "https://console.example.org/rules/GPU-07"),
      ("GPU-07", "https://wiki.example.org/gpu", "https://wiki.example.org/gpu"),
      ("a/../b", "docs/runbooks/x.md", "docs/runbooks/x.md"),
    ] {
      delivery.incidents[0].rule = rule
      delivery.incidents[0].runbook = runbook
      #expect(try sent(delivery, Self.receivers[5]).contains("\r\nRunbook: \(wanted)\r\n"), "\(wanted)")
    }
    #expect(try sent(delivery, Self.receivers[5], links: false).contains("\r\nRunbook: docs/runbooks/x.md\r\n"))
  }

  /// A mail is answered at an address that names it; what has no link has none, nor has one without a configured address.
  @Test func aMailNamesWhereItIsAnswered() throws {
    let mail = { (event: Delivery.Event, replyTo: String?) in
      var delivery = MessageTests.delivery(event, hostile: true)
      delivery.messageID = Self.id
      let links = PageLinks(console: "https://console.example.org", key: Self.key, replyTo: replyTo)
      guard case .mail(let request)? = Message(delivery, nowNs: Self.nowNs, links: links).request(to: Self.receivers[5])
      else { return ("", "") }
      let parts = String(decoding: request.message, as: UTF8.self).components(separatedBy: "\r\n\r\n")
      let text = Data(base64Encoded: parts[1], options: .ignoreUnknownCharacters)
      return (parts[0], text.map { String(decoding: $0, as: UTF8.self) } ?? "")
    }
    let (head, text) = mail(.trigger, "signalbox@example.org")
    let line = try #require(head.components(separatedBy: "\r\n").first { $0.hasPrefix("Reply-To: ") })
    let address = try #require(line.wholeMatch(of: /Reply-To: signalbox\+([A-Za-z0-9_-]{48})@example\.org/))
    #expect(PageToken.read(String(address.1), key: Self.key) == token(in: text))
    #expect(text.contains("Reply with ack, resolve, or note"))
    for (head, text) in [mail(.resolve, "signalbox@example.org"), mail(.trigger, nil)] {
      #expect(!head.contains("Reply-To") && !text.contains("Reply with"))
    }
  }

  /// Attempts of a message are alike, within an hour.
  @Test func attemptsCarryTheSameLink() throws {
    let delivery = MessageTests.delivery(.trigger, hostile: false)
    let texts = try [0, 60, 600].map { try sent(delivery, Self.receivers[0], at: Self.nowNs + $0 * 1_000_000_000) }
    #expect(Set(texts.compactMap { token(in: $0) }.map(\.expiresNs)).count == 1)
  }

  /// News asks for nothing; without a console no page answers; what has no number cannot be found again.
  @Test func othersCarryNone() throws {
    for receiver in Self.receivers {
      for event in [Delivery.Event.acknowledge, .resolve, .test, .watchdog] {
        #expect(try !sent(MessageTests.delivery(event, hostile: false), receiver).contains("/i/"))
      }
      var delivery = MessageTests.delivery(.trigger, hostile: false)
      #expect(try !sent(delivery, receiver, links: false).contains("/i/"))
      delivery.incidents[0].number = 0
      #expect(try !sent(delivery, receiver).contains("/i/"))
      delivery.incidents[0].number = 42
      delivery.incidents[0].state = .resolved
      #expect(try !sent(delivery, receiver).contains("/i/"))
    }
  }

  /// The address that a console announced, or the one that the configuration gives it; from the row to the link and back.
  @Test func theDispatcherLinksToTheConsoleThatRuns() throws {
    let stage = try DispatcherTests()
    var configuration = stage.configuration()
    for (console, announced, base) in [
      (nil, nil, nil), (nil, "https://10.0.0.1:7444", "https://10.0.0.1:7444"),
      ("https://console.example.org", "https://10.0.0.1:7444", "https://console.example.org"),
      ("https://console.example.org", nil, nil),
    ] as [(String?, String?, String?)] {
      configuration.console = console
      if let announced {
        try stage.store.announceConsole(announced, nowNs: Self.nowNs)
      } else {
        try stage.store.withdrawConsole("https://10.0.0.1:7444")
      }
      let before = stage.receiver.requests().count
      try stage.store.apply(
        [stage.change(.opened, "RULE-\(before)")], policy: configuration.policy, nowNs: Self.nowNs)
      let dispatcher = try Dispatcher(configuration, holder: "a") { 0 }
      try stage.work(dispatcher) {
        try stage.count("state = 'waiting' and event = 'trigger'") == 0
      }
      try dispatcher.end(stage.store)
      let link = try #require(stage.receiver.requests().last).body["acknowledge_url"] as? String
      guard let base else {
        #expect(link == nil)
        continue
      }
      let text = try #require(link)
      #expect(text.hasPrefix(base + "/i/"))
      let key = try stage.store.pageLinkKey()
      let token = try #require(PageToken.read(String(text.dropFirst(base.utf8.count + 3)), key: key))
      #expect(try stage.store.pagedMessage(token.messageID)?.incidents == [stage.incident()])
    }
  }
}
