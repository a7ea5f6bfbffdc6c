import FleetModel
import Incidents
import SiteConfiguration
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
  ])
  func aMistakeIsToldWithItsLine(_ yaml: String, _ message: String) {
    let expected = message.replacing("signalbox.yaml:", with: "x:")
    #expect(sentences(yaml).contains(expected), "\(sentences(yaml))")
  }
}
