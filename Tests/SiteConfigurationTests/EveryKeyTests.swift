import FleetModel
import Foundation
import SiteConfiguration
import TestSupport
import Testing

/// Nothing in `signalbox.yaml` is taken silently for something else.
@Suite struct EveryKeyTests {
  @Test func everyKeyRefusesWhatItCannotHold() {
    let wrong = KeyWalk().wrong(ConfigurationKeys.file)
    #expect(wrong.count > 700)
    for document in wrong {
      let mistakes = ConfigurationReader.check(document.yaml, file: "x").mistakes
      #expect(mistakes.contains { $0.path.hasPrefix(document.path) && $0.line == 1 }, "\(document): \(mistakes)")
    }
  }

  @Test(arguments: [
    ("yes", "digest must be true or false, not 'yes'; write true"),
    ("on", "digest must be true or false, not 'on'; write true"),
    ("No", "digest must be true or false, not 'No'; write false"),
    ("TRUE", "digest must be true or false, not 'TRUE'; write true"),
    ("\"true\"", "digest must be true or false, not 'true'; write true without quotes"),
    ("1", "digest must be true or false, not '1'"),
  ])
  func aBooleanIsWrittenAsYAMLHasItToday(_ word: String, _ message: String) {
    let yaml = """
      paging:
        receivers: { a: { slack: { url: "http://x" } } }
        policies:
          P0:
            - { to: a }
            - to: a
              digest: \(word)
      """
    #expect(
      ConfigurationReader.check(yaml, file: "x").mistakes.map(\.description)
        == ["x:7:17: paging.policies.P0[1].digest: \(message)"])
  }

  /// Each of these was read without a word, and did nothing or something else.
  @Test(arguments: [
    ("paging: { receivers: { a: { slack: { url: 'http://x' }, webhook: { url: 'http://x' } } } }", "remove the other"),
    ("paging: { receivers: { a: { slack: { url: 'http://x', url_env: X } } } }", "slack takes one of url and url_env"),
    ("paging: { receivers: { a: { email: { smtp: 'smtp://m', from: a@b, to: [] } } } }", "to names nobody"),
    (
      "paging: { receivers: { a: { email: { smtp: 'smtp://m', from: a@b, to: c@d, password: x } } } }",
      "email has a password and no 'user'"
    ),
    (
      "paging: { receivers: { a: { slack: { url: 'http://x' } } }, policies: { P3: [{ to: a, digest: true, after: 1h }] } }",
      "waits for the next digest; remove after"
    ),
    (
      "paging: { receivers: { a: { slack: { url: 'http://x' } } }, schedules: { a: { rotation: [a] } } }",
      "'a' is a receiver as well"
    ),
    ("paging: { receivers: { a: { slack: { url: 'http://x' } } }, watchdog: { to: a, every: 0s } }", "write 1s to 1d"),
    ("paging: { heartbeat: { url: 'http://x', every: 0 } }", "write 1s to 1d"),
    (
      "paging: { receivers: { a: { slack: { url: 'http://x' } } }, schedules: { s: { rotation: [a], start: '2026-01-05T09:00+01:00' } } }",
      "is no local time"
    ),
    ("profiles: [{ logs: [{}] }]", "an entry of logs has no 'path'"),
    ("profiles: [{ match: { host: 'gpu 7' } }]", "'gpu 7' can match no host"),
    ("profiles: [{ match: { 'a b': c } }]", "'a b' is no label"),
    ("profiles: [{ interval: 100500us }]", "is no time for interval"),
    ("hosts: { gpu-7: {} }", "a host has no 'labels'"),
    ("hosts: { gpu-7: { labels: { role: ~ } } }", "role is empty"),
    ("\(maintenance)match: { host: 'gpu/7' } }]", "'gpu/7' can match no host"),
    ("\(maintenance)match: { entity: '' } }]", "entity is empty"),
    (
      "maintenance: [{ name: a, reason: x, match: { host: a }, cron: '0 2 31 2 *', for: 2h }]",
      "'0 2 31 2 *' never comes: no calendar has such a day"
    ),
    ("quotas: { runs: { burst: '7' } }", "burst must be a number, not a text; write 7 without quotes"),
    ("rules: my-rules.yaml", "rules must be a list"),
  ])
  func whatDidNothingIsAMistake(_ yaml: String, _ part: String) {
    #expect(sentences(yaml).contains { $0.contains(part) }, "\(sentences(yaml))")
  }

  private static let maintenance =
    "maintenance: [{ name: a, reason: x, from: 2026-12-01, until: 2026-12-02, "

  @Test func allMistakesOfAFileAreReportedAtOnceInTheirOrder() {
    let yaml = """
      retention: { samples: soon }
      profiles:
        - match: {}
          interval: 1y
          probes:
            - { name: a, tcp: { adress: "h:1" } }
      paging:
        receivers: { duty: { slack: { url: "ftp://x" } } }
        policies:
          P0: [{ to: dutty, after: 5min }]
      nonsense: 1
      """
    #expect(
      ConfigurationReader.check(yaml, file: "x").mistakes.map { "\($0.line) \($0.path)" } == [
        "1 retention.samples", "4 profiles[0].interval", "6 profiles[0].probes[0].tcp",
        "6 profiles[0].probes[0].tcp.adress", "8 paging.receivers.duty.slack.url", "10 paging.policies.P0[0].to",
        "10 paging.policies.P0[0].after", "11 nonsense",
      ])
    let error = #expect(throws: ConfigurationMistakes.self) { try ConfigurationReader.read(yaml, file: "x") }
    #expect(error?.description.hasSuffix("(and 7 more; signalbox config check prints all)") == true)
  }

  /// A mistake in a secret is reported without the secret.
  @Test func noMistakeRepeatsASecret() {
    let yaml =
      "paging: { receivers: { a: { slack: { url: 'hunter2' } }, b: { webhook: { url: 'hunter2', secret: [hunter2] } } } }"
    let found = sentences(yaml)
    #expect(found.count == 3 && !found.contains { $0.contains("hunter2") }, "\(found)")
  }

  @Test func secretsAreNotReadWhereTheyNeedNotBe() {
    let yaml =
      "paging: { receivers: { a: { slack: { url_file: /no/such/file } }, b: { pagerduty: { routing_key_env: NO_SUCH } } } }"
    #expect(ConfigurationReader.check(yaml, file: "x", secrets: .none).mistakes == [])
    #expect(ConfigurationReader.check(yaml, file: "x").mistakes.count == 2)
  }

  @Test func authoritiesOfAMailServerAreReadWhereTheyStand() throws {
    let directory = "/tmp/signalbox-ca-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try "-----BEGIN CERTIFICATE-----\n".write(toFile: directory + "/ca.pem", atomically: true, encoding: .utf8)
    try "key".write(toFile: directory + "/no.pem", atomically: true, encoding: .utf8)
    func check(_ ca: String, _ more: String = "") -> (receiver: EmailReceiver?, mistakes: [String]) {
      let yaml =
        "paging: { receivers: { a: { email: { smtp: 'smtp://m', from: a@b, to: c@d, ca: \(ca)\(more) } } } }"
      let found = ConfigurationReader.check(yaml, file: directory + "/signalbox.yaml")
      guard case .email(let receiver)? = found.configuration.paging?.receivers["a"] else { return (nil, []) }
      return (receiver, found.mistakes.map(\.message))
    }
    for path in ["ca.pem", directory + "/ca.pem"] {
      let (receiver, mistakes) = check(path)
      #expect(mistakes == [] && receiver?.authorities == directory + "/ca.pem" && receiver?.requiresTLS == true)
    }
    #expect(check("ca.pem", ", tls: optional").receiver?.requiresTLS == false)
    #expect(check("no.pem").mistakes == ["\(directory)/no.pem holds no certificate in PEM"])
    #expect(check("none.pem").mistakes.count == 1)
  }

  /// What asks for somebody at any hour and pages no one.
  @Test(
    arguments: [
      ("P0: [{ to: a }], P1: [{ to: a }]", []), ("P0: [{ to: a }]", [DocumentMistake.Weight.note]),
      ("P1: [{ to: a }]", [.warning]), ("P0: [], P1: [], P2: [{ to: a }]", [.warning, .note]),
    ] as [(String, [DocumentMistake.Weight])])
  func aSeverityWithoutAPolicyIsReported(_ policies: String, _ weights: [DocumentMistake.Weight]) throws {
    let yaml = "paging:\n  receivers: { a: { slack: { url: 'http://x' } } }\n  policies: { \(policies) }\n"
    let configuration = try ConfigurationReader.read(yaml, file: "x")
    #expect(configuration.unpaged.map(\.weight) == weights)
    #expect(configuration.unpaged.allSatisfy { $0.line == 3 && $0.path == "paging.policies" })
    #expect(try ConfigurationReader.read("retention: {}", file: "x").unpaged == [])
    let without = try ConfigurationReader.read("paging:\n  receivers: { a: { slack: { url: 'http://x' } } }", file: "x")
    #expect(without.unpaged.map(\.path) == ["paging", "paging"])
  }

  @Test func aSilenceOfNoRuleIsReportedBesideTheRules() throws {
    let yaml = """
      maintenance:
        - { name: a, match: { rule: RES-1 }, reason: x, cron: "0 2 * * 0", for: 2h }
        - { name: b, match: { rule: "SITE-*" }, reason: x, cron: "0 2 * * 0", for: 2h }
        - { name: c, match: { rule: "RES-*" }, reason: x, cron: "0 2 * * 0", for: 2h }
      """
    let configuration = try ConfigurationReader.read(yaml, file: "x")
    let found = configuration.unknownRules(among: ["RES-01", "RES-02"])
    #expect(
      found.map(\.description) == [
        "x:2:31: maintenance[0].match.rule: 'RES-1' matches no rule; did you mean 'RES-01'?",
        "x:3:31: maintenance[1].match.rule: note: 'SITE-*' matches no rule; signalbox rules list shows them",
      ])
    #expect(found.map(\.weight) == [.warning, .note])
  }
}
