import FleetModel
import Incidents
import Outbound
import Paging
import Postgres
import SiteConfiguration
import Store
import TestSupport
import Testing

@Suite struct AlertmanagerSilenceTests {
  private static let labels = [
    (name: "alertname", value: "RES-01"), ("severity", "P0"), ("host", "trainer-1"), ("entity", "gpu 3"),
  ]

  private static func answer(_ matchers: String, state: String = "active", more: String = "") -> String {
    """
    [{"id":"s1","status":{"state":"\(state)"},"createdBy":"ann","comment":"on it","startsAt":"2026-01-05T00:00:00Z",
    "endsAt":"2026-01-06T00:00:00Z","updatedAt":"2026-01-05T00:00:00Z","matchers":[\(matchers)]\(more)}]
    """
  }

  private static func matcher(_ name: String, _ value: String, regex: Bool = false, equal: Bool? = true) -> String {
    JSON.object(
      [("name", .text(name)), ("value", .text(value)), ("isRegex", .boolean(regex))]
        + (equal.map { [("isEqual", .boolean($0))] } ?? [])
    ).written
  }

  @Test(arguments: [
    ([matcher("alertname", "RES-01")], true), ([matcher("alertname", "RES-0")], false),
    ([matcher("host", "trainer-1", equal: nil), matcher("severity", "P0")], true),
    ([matcher("host", "trainer-1"), matcher("severity", "P1")], false),
    ([matcher("host", "trainer-.*|gpu-.*", regex: true)], true), ([matcher("host", "trainer", regex: true)], false),
    ([matcher("host", "rainer-1", regex: true)], false), ([matcher("alertname", ".+", regex: true)], true),
    ([matcher("alertname", ".*", regex: true)], true),
    ([matcher("host", "trainer-[0-9]{1,3}", regex: true), matcher("entity", "gpu (3|4)", regex: true)], true),
    ([matcher("host", "trainer-2", equal: false)], true), ([matcher("host", "trainer-1", equal: false)], false),
    ([matcher("host", "trainer-2|x", regex: true, equal: false)], true),
    // A label that an alert has not is empty.
    ([matcher("team", "")], true), ([matcher("team", "a", equal: false), matcher("severity", "P0")], true),
    ([matcher("team", "a")], false), ([matcher("team", "(a|)", regex: true)], true),
  ]) func matchersMatchAsInAlertmanager(matchers: [String], isMatch: Bool) throws {
    let reading = try #require(AlertmanagerSilence.read(Array(Self.answer(matchers.joined(separator: ",")).utf8)))
    #expect(reading.notUnderstood == 0 && reading.active.count == 1)
    #expect(reading.active[0].matches(Self.labels) == isMatch)
    #expect(reading.active[0].author == "ann" && reading.active[0].comment == "on it")
  }

  @Test func whatIsNotUnderstoodIsCountedAndMatchesNothing() throws {
    for matchers in [
      "", #"{"name":"a","value":1,"isRegex":false}"#, #"{"name":"a","value":"b"}"#, "7",
      Self.matcher("host", #"(a)\1"#, regex: true), Self.matcher("host", "(?<name>a)", regex: true),
      Self.matcher("host", "a{1,9999}", regex: true), Self.matcher("host", String(repeating: "x", count: 2_000)),
      Array(repeating: Self.matcher("host", "a"), count: 33).joined(separator: ","),
    ] {
      let reading = try #require(AlertmanagerSilence.read(Array(Self.answer(matchers).utf8)), "\(matchers)")
      #expect(reading.active.isEmpty && reading.notUnderstood == 1 && reading.activeIDs == ["s1"], "\(matchers)")
    }
    for text in ["", "{}", "<html>", "[7]", #"[{"id":"a"}]"#, #"[{"id":"","status":{"state":"active"}}]"#] {
      #expect(AlertmanagerSilence.read(Array(text.utf8)) == nil, "\(text)")
    }
    let pending = try #require(AlertmanagerSilence.read(Array(Self.answer("", state: "pending").utf8)))
    #expect(pending.active.isEmpty && pending.notUnderstood == 0 && pending.activeIDs.isEmpty)
    let many =
      "["
      + (0..<1_200).map { number in
        #"{"id":"s\#(number)","status":{"state":"active"},"matchers":[\#(Self.matcher("a", "b"))]}"#
      }.joined(separator: ",") + "]"
    let reading = try #require(AlertmanagerSilence.read(Array(many.utf8)))
    #expect(reading.active.count == 1_000 && reading.notUnderstood == 200 && reading.activeIDs.count == 1_200)
  }

  /// A pattern that takes a backtracking engine years.
  @Test func noPatternTakesLong() throws {
    let pattern = Self.matcher("entity", "(a|a|aa)+b", regex: true)
    let reading = try #require(AlertmanagerSilence.read(Array(Self.answer(pattern).utf8)))
    #expect(!reading.active[0].matches([("entity", String(repeating: "a", count: 5_000))]))
  }
}

extension DispatcherTests {
  private func alertmanager() -> PagingConfiguration {
    var configuration = configuration()
    configuration.receivers["am"] = .alertmanager(url: receiver.url("200/am/"))
    configuration.policies = [
      .p0: [.init(to: "am"), .init(to: "duty"), .init(to: "lead", afterNs: 15 * Self.minuteNs)]
    ]
    return configuration
  }

  private func timeline(_ kind: String) throws -> [String] {
    let rows = try store.connection.query(
      "select actor || '|' || detail from signalbox.incident_timeline where kind = $1 order by number", [.text(kind)])
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  /// Asked again 30 s later, and settled.
  private func round(_ dispatcher: Dispatcher, _ number: Int64) throws -> Dispatcher.Report {
    var whole = Dispatcher.Report()
    for turn in 0..<40 {
      let monotonicNs = 1_000_000_000_000 + number * 60_000_000_000 + Int64(turn) * 600_000_000
      let report = try dispatcher.turn(
        store, nowNs: Self.nowNs + number * 60_000_000_000, monotonicNs: monotonicNs, isWoken: true)
      whole.silencesNotRead += report.silencesNotRead
      whole.silenceProblems += report.silenceProblems
      dispatcher.wait(maximumMs: 10, descriptors: [], nowNs: Self.nowNs)
    }
    return whole
  }

  /// Who silences in Alertmanager what it was sent has acknowledged it; the end of the silence changes nothing.
  @Test func aSilenceInAlertmanagerAcknowledges() throws {
    let silence = { (id: String, rule: String, state: String) in
      """
      {"id":"\(id)","status":{"state":"\(state)"},"createdBy":"ann\\n","comment":"I have\\tit","matchers":
      [{"name":"alertname","value":"\(rule)","isRegex":false,"isEqual":true},
      {"name":"host","value":"trainer-.","isRegex":true,"isEqual":true}]}
      """
    }
    try store.apply(
      [change(.opened), change(.opened, "RES-02")], policy: alertmanager().policy, nowNs: Self.nowNs)
    let dispatcher = try Dispatcher(alertmanager(), holder: "c1") { 0 }
    try work(dispatcher) { try count("receiver = 'am' and state = 'delivered'") == 2 }
    try receiver.setSilences("[\(silence("s1", "RES-01", "active")),\(silence("s2", "RES-02", "expired"))]")
    #expect(try round(dispatcher, 1).silencesNotRead == 0)
    #expect(try timeline("acked") == ["ann |by a silence in Alertmanager (am): I have it"])
    let states = "select string_agg(rule || ' ' || state, ', ' order by number) from signalbox.incidents"
    #expect(try store.connection.query(states).text(0, 0) == "RES-01 acked, RES-02 open")
    #expect(try count("receiver = 'lead' and state = 'cancelled'") == 1)
    let audit = try store.connection.query(
      "select actor, detail from signalbox.audit_log where action = 'incidents.ack'")
    #expect(audit.count == 1 && audit.text(0, 0) == "ann ")

    // What is no list says nothing, also not that the silence has ended; the same trouble is one line.
    for (round, text) in [(2, "<html>"), (3, "<html>")] as [(Int64, String)] {
      try receiver.setSilences(text)
      let report = try self.round(dispatcher, round)
      #expect(report.silencesNotRead == 1 && report.silenceProblems.count == (round == 2 ? 1 : 0), "\(report)")
    }
    #expect(try timeline("note").isEmpty)
    try receiver.setSilences("[]")
    for number in [4, 5] as [Int64] { #expect(try round(dispatcher, number).silencesNotRead == 0) }
    #expect(try timeline("note") == ["ann |the silence in Alertmanager (am) has ended; the acknowledgement stands"])
    #expect(try store.connection.query(states).text(0, 0) == "RES-01 acked, RES-02 open")
  }
}
