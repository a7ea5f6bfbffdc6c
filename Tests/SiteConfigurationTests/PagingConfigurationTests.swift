import Files
import FleetModel
import Incidents
import SiteConfiguration
import Store
import Testing

@Suite struct PagingConfigurationTests {
  func read(_ yaml: String) throws(ConfigurationMistakes) -> Configuration {
    try ConfigurationReader.read(yaml, file: "signalbox.yaml")
  }

  @Test func theContractsExampleIsRead() throws {
    let paging = try #require(
      try read(
        """
        paging:
          receivers:
            duty: { webhook: { url: "http://127.0.0.1:9000/page", secret: "s" } }
            lead: { email: { smtp: "smtp://127.0.0.1:2525", from: a@example.org, to: b@example.org } }
          policies:
            P0: [{ to: duty }, { to: lead, after: 15m }]
            P1: [{ to: duty }, { to: lead, after: 1h }]
        """
      ).paging)
    #expect(paging.receivers["duty"] == .webhook(url: "http://127.0.0.1:9000/page", secrets: ["s"]))
    #expect(paging.policies[.p0] == [.init(to: "duty"), .init(to: "lead", afterNs: 900_000_000_000)])
    #expect(paging.policies[.p2] == nil)
  }

  @Test func secretsOfEventsStandBesideTheirReceivers() throws {
    let paging = try #require(
      try read(
        """
        paging:
          receivers:
            duty: { pagerduty: { routing_key: k, webhook_secret: s1 } }
            chat: { slack: { url: "http://127.0.0.1:9000/chat", signing_secret: s2 } }
            fetched: { slack: { url: "http://127.0.0.1:9000/chat", app_token: xapp-3 } }
            other: { pagerduty: { routing_key: k } }
          reply_to: signalbox@example.org
        """
      ).paging)
    #expect(Set(paging.eventSecrets.map(\.secret)) == ["s1", "s2", "xapp-3"])
    #expect(paging.replyTo == "signalbox@example.org" && paging.buttons == ["chat", "fetched"])
    #expect(paging.eventSecrets.contains(ReceiverSecret("duty", .pagerDuty, "s1")))
    #expect(paging.eventSecrets.contains(ReceiverSecret("chat", .slack, "s2")))
    #expect(paging.eventSecrets.contains(ReceiverSecret("fetched", .slackApp, "xapp-3")))
  }

  @Test(arguments: [
    ("app_token: xoxb-1", "begins with xapp-"), ("app_token: \"xapp-1\\nx: y\"", "begins with xapp-"),
    ("signing_secret: s, app_token: xapp-1", "app_token"),
  ]) func anAppTokenOfAnotherKindIsRefused(_ keys: String, _ sentence: String) {
    let found = sentences("paging: { receivers: { a: { slack: { url: 'http://x', \(keys) } } } }")
    #expect(found.contains { $0.contains(sentence) && !$0.contains("xoxb-1") }, "\(found)")
  }

  @Test(arguments: [
    ("reply_to: signalbox", "no mail address"), ("reply_to: a+b@example.org", "no +"),
    ("reply_to: a-name-that-is-long@example.org", "1 to 15 characters"),
  ]) func aWayBackThatCannotBeIsRefused(_ line: String, _ sentence: String) {
    let found = sentences("paging: { \(line) }")
    #expect(found.contains { $0.contains(sentence) }, "\(found)")
  }

  /// A turn that somebody takes over may lead to a receiver that another step leads to as well.
  @Test func twoStepsToOneReceiverAtOneTimeAreOnePage() throws {
    var paging = try #require(
      try read(
        """
        paging:
          receivers:
            duty: { webhook: { url: "http://127.0.0.1:9000/page" } }
            hook: { webhook: { url: "http://127.0.0.1:9000/hook" } }
          schedules:
            primary: { rotation: [duty], turn: 1w, start: "2026-01-05T09:00" }
          policies:
            P0: [{ to: primary }, { to: hook }, { to: primary, after: 15m }]
        """
      ).paging)
    let nowNs: Int64 = 1_790_000_000_000_000_000
    #expect(paging.deliveries(.p0, nowNs: nowNs).map(\.receiver) == ["duty", "hook", "duty"])
    paging.take([
      OnCallOverride(
        schedule: "primary", receiver: "hook", startsNs: nowNs, endsNs: nowNs + 3_600_000_000_000, author: "op")
    ])
    let planned = paging.deliveries(.p0, nowNs: nowNs)
    #expect(planned.map(\.receiver) == ["hook", "hook"] && planned.map(\.step) == [0, 2])
    #expect(planned.map(\.isEscalation) == [false, true])
  }

  @Test(arguments: [
    ("paging:\n  recievers: {}", "signalbox.yaml:2: unknown key 'recievers' in paging; did you mean 'receivers'?"),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  policies:\n    P0: [{ to: b }]",
      "signalbox.yaml:4: no receiver or schedule is called 'b'; did you mean 'a'?"
    ),
    (
      "paging:\n  receivers:\n    a: { webhook: { url: \"ftp://secret\" } }",
      "signalbox.yaml:3: this is no URL that begins with http:// or https://"
    ),
    (
      "paging:\n  receivers:\n    a: { pagerduty: { routing_key_env: SIGNALBOX_TEST_NO_SUCH_VARIABLE } }",
      "signalbox.yaml:3: the environment has no SIGNALBOX_TEST_NO_SUCH_VARIABLE"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  schedules:\n    s: { rotation: [a], time_zone: Mars/Base }",
      "signalbox.yaml:4: this machine knows no time zone 'Mars/Base'; write one such as Europe/Berlin"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  policies:\n    P0: [{ to: a, after: soon }]",
      "signalbox.yaml:4: 'soon' is no time for after; write 0s to 366d, such as 15m"
    ),
    (
      "paging:\n  receivers:\n    a: { email: { smtp: \"smtp://m\", from: a@b, to: nobody } }",
      "signalbox.yaml:3: 'nobody' is no mail address, such as duty@example.org"
    ),
    (
      "paging:\n  receivers:\n    a: { email: { smtp: \"smtp://m\", to: a@b } }",
      "signalbox.yaml:3: email has no 'from'; write such as from: signalbox@example.org"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  policies:\n    P0: [{ after: 5m }]",
      "signalbox.yaml:4: a step has no 'to'; write such as to: duty"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  digest: { at: noon }",
      "signalbox.yaml:3: 'noon' is no time of day, such as 09:00"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  digest: { holidays: [christmas] }",
      "signalbox.yaml:3: 'christmas' is no day, such as 2026-12-25"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  messages_per_minute: 0",
      "signalbox.yaml:3: messages_per_minute must be a whole number from 1 to 1000000, not '0'"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  watchdog: { every: 60s }",
      "signalbox.yaml:3: watchdog has no 'to'; write such as to: duty"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  schedules:\n    s: { rotation: [] }",
      "signalbox.yaml:4: rotation names nobody; write such as [duty, lead]"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  schedules:\n    s: { rotation: [a], turn: 5m }",
      "signalbox.yaml:4: '5m' is no time for turn; write 1h to 366d, such as 1w"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  schedules:\n    s: { rotation: [a], start: soon }",
      "signalbox.yaml:4: 'soon' is no local time, such as 2026-01-05T09:00"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  digest: { holidays: [\"2026-02-30\"] }",
      "signalbox.yaml:3: '2026-02-30' is no day, such as 2026-12-25"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  digest: { holidays: [\"2027-02-29\"] }",
      "signalbox.yaml:3: '2027-02-29' is no day, such as 2026-12-25"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  digest: { at: \"24:00\" }",
      "signalbox.yaml:3: '24:00' is no time of day, such as 09:00"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  digest: { at: \"23:60\" }",
      "signalbox.yaml:3: '23:60' is no time of day, such as 09:00"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  schedules:\n    s: { rotation: [a], start: \"2026-13-01T09:00\" }",
      "signalbox.yaml:4: '2026-13-01T09:00' is no local time, such as 2026-01-05T09:00"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  schedules:\n    s: { rotation: [a], start: \"2026-04-31T09:00\" }",
      "signalbox.yaml:4: '2026-04-31T09:00' is no local time, such as 2026-01-05T09:00"
    ),
    (
      "paging:\n  receivers: { a: { slack: { url: \"http://x\" } } }\n  schedules:\n    s: { rotation: [a], start: \"2026-01-05T09:00+02\" }",
      "signalbox.yaml:4: '2026-01-05T09:00+02' is no local time, such as 2026-01-05T09:00"
    ),
    (
      "paging:\n  receivers:\n    a: { webhook: { url: \"http://x/\", secret: whsec_no-base64! } }",
      "signalbox.yaml:3: a secret that begins with whsec_ goes on with the key in Base64, padded with =; copy the whole of it, or write a key that does not begin so"
    ),
    (
      "paging:\n  receivers:\n    a: { webhook: { url: \"http://x/\", secrets: [good, whsec_] } }",
      "signalbox.yaml:3: a secret that begins with whsec_ goes on with the key in Base64, padded with =; copy the whole of it, or write a key that does not begin so"
    ),
  ])
  func aMistakeIsToldWithItsLine(_ yaml: String, _ message: String) {
    let expected = message.replacing("signalbox.yaml:", with: "x:")
    #expect(sentences(yaml).contains(expected), "\(sentences(yaml))")
  }

  /// A port that no address has is found when the file is read, and not with the first page.
  @Test(
    arguments: [
      ("slack: { url: \"SCHEME://h:65536/x\" }", "http"), ("slack: { url: \"SCHEME://h:0\" }", "http"),
      ("webhook: { url: \"SCHEME://h:99999?a=1:2\" }", "http"), ("webhook: { url: \"SCHEME://:80/\" }", "http"),
      ("alertmanager: { url: \"SCHEME://[::1]:70000\" }", "http"),
      ("pagerduty: { url: \"SCHEME://u:p@h:x\", routing_key: k }", "http"),
      ("email: { smtp: \"SCHEME://mail:65536\", from: a@b, to: c@d }", "smtp"),
      ("email: { smtp: \"SCHEME://mail:0\", from: a@b, to: c@d }", "smtp"),
    ])
  func aPortThatThereIsNotIsRefused(_ receiver: String, _ scheme: String) {
    let yaml = "paging:\n  receivers:\n    a: { \(receiver.replacing("SCHEME", with: scheme)) }"
    #expect(
      sentences(yaml) == [
        "x:3: this URL names no host and port that there can be; write such as \(scheme)://host.example.org:2525, with a port from 1 to 65535 or without one"
      ])
  }

  @Test(arguments: [
    "http://h:65535/x", "https://[::1]:1", "https://user:pass:word@h.example.org/a:0?b=c:0#d:0", "http://h",
  ])
  func aPortThatThereIsIsTaken(_ url: String) {
    #expect(sentences("paging: { receivers: { a: { slack: { url: \"\(url)\" } } } }") == [])
  }

  /// Wherever the secret stands. What it is stands in no sentence.
  @Test func aSigningKeyIsReadOrRefused() throws {
    #expect(Receiver.signingKey("whsec_AQID") == [1, 2, 3] && Receiver.signingKey("AQID") == Array("AQID".utf8))
    let file = "/tmp/signalbox-secret-\(UInt64.random(in: 0 ... .max))"
    defer { _ = try? HostFiles.remove(file) }
    let yaml = "paging:\n  receivers:\n    a: { webhook: { url: \"http://x/\", secret_file: \(file) } }"
    for (text, isRight) in [("whsec_AQID\n", true), ("whsec_AQI\n", false), ("whsec_A-_D\n", false), ("plain\n", true)]
    {
      try HostFiles.replace(file, with: Array(text.utf8))
      let found = sentences(yaml)
      #expect(
        found.isEmpty == isRight && found.allSatisfy { !$0.contains("AQI") && $0.hasPrefix("x:3: ") },
        "\(text) \(found)")
      #expect(ConfigurationReader.check(yaml, file: "x", secrets: .none).mistakes.isEmpty)
    }
  }

  /// Where the fallback itself fails there is no one else. What may wait for a working day may go to it alone.
  @Test(
    arguments: [
      ("P0: [{ to: a }], P1: [{ to: b }, { to: a }]", ["P0"]),
      ("P0: [{ to: s }], P1: [{ to: s }, { to: a }]", ["P0", "P1"]),
      ("P0: [{ to: t }], P1: [{ to: b }], P2: [{ to: a }], P3: [{ to: a }]", []),
    ] as [(String, [String])])
  func aPolicyOfTheFallbackAloneIsReported(_ policies: String, _ severities: [String]) throws {
    let configuration = try read(
      """
      paging:
        receivers: { a: { slack: { url: "http://x" } }, b: { slack: { url: "http://x" } } }
        schedules: { s: { rotation: [a] }, t: { rotation: [a, b] } }
        policies: { \(policies) }
        fallback: a
      """)
    #expect(
      configuration.unpaged.map(sentence)
        == severities.map {
          "signalbox.yaml:5: \($0) pages 'a' alone, which is the fallback too: where it fails, nobody is paged; "
            + "name another receiver here or in \($0)"
        })
    #expect(configuration.unpaged.allSatisfy { $0.weight == .warning })
  }
}
