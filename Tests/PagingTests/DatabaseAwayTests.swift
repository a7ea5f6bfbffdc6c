import Files
import FleetModel
import Incidents
import Foundation
import Postgres
import Store
import Testing

/// The collector's own threads, a real receiver, and a real PostgreSQL that is stopped or frozen.
@Suite(.timeLimit(.minutes(10))) struct DatabaseAwayTests {
  @Test(arguments: PagingStage.Absence.allCases) func pagesGoOutOnceAndTheirRowsFollow(_ absence: PagingStage.Absence)
    throws
  {
    let stage = try PagingStage()
    defer { stage.tearDown() }
    stage.post(PagingStage.change(.opened, "before"))
    try stage.eventually("the page with the database") { stage.received("before") == ["duty trigger"] }
    try stage.takeAway(absence)
    let begun = Date()
    stage.post(PagingStage.change(.opened, "stays"))
    stage.post(PagingStage.change(.opened, "passes"))
    try stage.eventually("the pages without the database") {
      stage.received("stays") == ["duty trigger"] && stage.received("passes") == ["duty trigger"]
    }
    #expect(Date().timeIntervalSince(begun) < 5)
    stage.post(PagingStage.change(.cleared, "passes"))
    try stage.eventually("the end") { stage.received("passes") == ["duty trigger", "duty resolve"] }
    try stage.eventually("the escalation") { stage.received("stays") == ["duty trigger", "lead escalate"] }
    try stage.bringBack(absence)
    try stage.eventually("the rows") {
      try stage.value("select count(*) from signalbox.incidents where entity in ('stays', 'passes')") == 2
        && stage.value("select count(*) from signalbox.outbox where state = 'waiting'") == 0
    }
    #expect(
      try stage.value("select count(*) from signalbox.incidents where entity = 'passes' and state = 'resolved'") == 1)
    #expect(
      try stage.value(
        "select count(*) from signalbox.incidents i join signalbox.incident_timeline t on t.incident = i.number where i.entity = 'stays' and t.kind = 'paged'"
      ) == 1)
    // The incident goes on under the key that its receivers know.
    let store = try Store.open(
      DatabaseURL(parsing: try PrivateServer.notedURL(stateDirectory: stage.directory + "/database").text))
    let number = try stage.value("select number from signalbox.incidents where entity = 'stays'")
    try store.acknowledge(incident: number, actor: "ann", nowNs: Clock.wallNs())
    store.close()
    try stage.eventually("the ack") { stage.received("stays").contains("duty acknowledge") }
    #expect(stage.received("passes") == ["duty trigger", "duty resolve"])
    #expect(stage.received("stays").filter { $0 == "duty trigger" }.count == 1)
    let keys = Set(
      stage.receiver.requests().filter { $0.body["entity"] as? String == "stays" }.compactMap {
        $0.body["dedup_key"] as? String
      })
    #expect(keys.count == 1)
  }

  /// A receiver that answered with an error may have accepted the message all the same.
  @Test(arguments: [true, false]) func aReceiverThatMayHaveThePageIsSentTheEnd(endsWithoutDatabase: Bool) throws {
    let stage = try PagingStage(leadAfterNs: 3_000_000_000, leadAnswers: 500)
    defer { stage.tearDown() }
    stage.post(PagingStage.change(.opened, "before"))
    try stage.eventually("the page with the database") { stage.received("before").first == "duty trigger" }
    try stage.takeAway(.ended)
    stage.post(PagingStage.change(.opened, "stays"))
    try stage.eventually("the escalation") { stage.received("stays").contains("lead escalate") }
    if !endsWithoutDatabase {
      try stage.bringBack(.ended)
      try stage.eventually("the row") {
        try stage.value("select count(*) from signalbox.incidents where entity = 'stays'") == 1
      }
    }
    stage.post(PagingStage.change(.cleared, "stays"))
    try stage.eventually("the end") { stage.received("stays").contains("lead resolve") }
    if endsWithoutDatabase { try stage.bringBack(.ended) }
    try stage.eventually("the end's row") {
      try stage.value("select count(*) from signalbox.incidents where entity = 'stays' and state = 'resolved'") == 1
    }
    #expect(stage.received("stays").filter { $0 == "duty trigger" }.count == 1)
  }

  @Test func aRestartOfTheCollectorWithoutTheDatabasePagesNobodyTwice() throws {
    let stage = try PagingStage()
    defer { stage.tearDown() }
    stage.post(PagingStage.change(.opened, "before"))
    try stage.eventually("the page with the database") { stage.received("before") == ["duty trigger"] }
    try stage.takeAway(.ended)
    stage.post(PagingStage.change(.opened, "held"))
    try stage.eventually("the page without the database") { stage.received("held") == ["duty trigger"] }
    // Later ones too: not yet paged when the collector ends.
    stage.post(PagingStage.change(.opened, "late"))
    stage.stopThread()
    try stage.startThread()
    try stage.eventually("the page after the restart") { stage.received("late") == ["duty trigger"] }
    try stage.bringBack(.ended)
    try stage.eventually("the rows") {
      try stage.value("select count(*) from signalbox.incidents where entity in ('held', 'late')") == 2
        && stage.value("select count(*) from signalbox.outbox where state = 'waiting' and due <= now()") == 0
    }
    #expect(stage.received("held").filter { $0 == "duty trigger" }.count == 1)
    #expect(stage.received("late").filter { $0 == "duty trigger" }.count == 1)
  }

  /// A message that was begun before the collector ended, and got no answer, is begun again, under its id.
  @Test func whatWasBegunBeforeARestartIsBegunAgain() throws {
    let stage = try PagingStage(dutyAnswers: "hang")
    defer { stage.tearDown() }
    stage.post(PagingStage.change(.opened, "before"))
    try stage.eventually("the page with the database") { stage.received("before").contains("duty trigger") }
    try stage.takeAway(.ended)
    stage.post(PagingStage.change(.opened, "held"))
    try stage.eventually("the page") { stage.received("held").contains("duty trigger") }
    stage.stopThread()
    let before = stage.received("held").count
    try stage.startThread()
    try stage.eventually("the page after the restart") { stage.received("held").count > before }
    let ids = stage.receiver.requests().filter { $0.body["entity"] as? String == "held" && $0.path == "/hang/duty" }
      .compactMap { $0.headers["webhook-id"] }
    #expect(Set(ids).count == 1 && ids.count > 1)
  }

  @Test func manyIncidentsWithoutTheDatabaseAreFewMessagesThatCountThemAll() throws {
    let stage = try PagingStage()
    defer { stage.tearDown() }
    stage.post(PagingStage.change(.opened, "before"))
    try stage.eventually("the page with the database") { stage.received("before") == ["duty trigger"] }
    try stage.takeAway(.ended)
    stage.post((0..<500).map { PagingStage.change(.opened, "job \($0)", host: "h\($0)") })
    // On a busy machine the thread takes them in parts, and each part is a message of its own.
    func messages() -> [Int] {
      stage.receiver.requests().filter { $0.path == "/200/duty" && $0.body["entity"] as? String != "before" }.map {
        $0.body["count"] as? Int ?? 1
      }
    }
    try stage.eventually("all of them") { messages().reduce(0, +) >= 500 }
    #expect(messages().reduce(0, +) == 500 && messages().count <= 10, "\(messages())")
  }

  /// The collector was restarted since the host went down: the cause is known to the database only.
  @Test func whatAHostThatWasDownBeforeMutesIsNotPaged() throws {
    let stage = try PagingStage()
    defer { stage.tearDown() }
    let host = try stage.enrol("trainer-1")
    func change(_ kind: IncidentChange.Kind, _ rule: String, _ entity: String) -> IncidentChange {
      var change = PagingStage.change(kind, entity)
      (change.rule, change.hostNumber) = (rule, host)
      if rule == "HOST-DOWN" { change.mutes = ["RES-*"] }
      return change
    }
    stage.post(change(.opened, "HOST-DOWN", "down"))
    try stage.eventually("the page with the database") { stage.received("down") == ["duty trigger"] }
    stage.stopThread()
    try stage.startThread()
    stage.post(change(.opened, "NET-01", "before"))
    try stage.eventually("the page after the restart") { stage.received("before") == ["duty trigger"] }
    try stage.takeAway(.ended)
    stage.post(change(.opened, "RES-01", "follows"))
    stage.post(change(.opened, "NET-01", "stays"))
    try stage.eventually("the page without the database") { stage.received("stays") == ["duty trigger"] }
    try stage.bringBack(.ended)
    try stage.eventually("the rows") {
      try stage.value("select count(*) from signalbox.incidents where entity = 'follows' and state = 'muted'") == 1
        && stage.value("select count(*) from signalbox.outbox where state = 'waiting' and due <= now()") == 0
    }
    #expect(stage.received("follows") == [])
  }

  /// The database refuses a text of the finding. The page from memory is that of the row that is stored without it, and
  /// ends with it.
  @Test(arguments: ["summary", "entity"]) func whatTheDatabaseRefusesIsTheSameIncidentForItsReceivers(_ column: String)
    throws
  {
    let stage = try PagingStage()
    defer { stage.tearDown() }
    try stage.execute("alter table signalbox.incidents add check (\(column) not like '%poison%')")
    stage.post(PagingStage.change(.opened, "before"))
    try stage.eventually("the page with the database") { stage.received("before") == ["duty trigger"] }
    try stage.takeAway(.ended)
    let opened = PagingStage.change(.opened, "poison")
    func events() -> [String] {
      stage.receiver.requests().filter {
        $0.body["dedup_key"] as? String == opened.dedupKey && $0.path.hasSuffix("duty")
      }
      .compactMap { $0.body["event"] as? String }
    }
    stage.post(opened)
    try stage.eventually("the page without the database") { events() == ["trigger"] }
    try stage.bringBack(.ended)
    try stage.eventually("the row") {
      try stage.value("select count(*) from signalbox.outbox where event = 'trigger' and state = 'delivered'") == 2
    }
    var cleared = opened
    cleared.kind = .cleared
    cleared.eventNs += 1_000_000_000
    stage.post(cleared)
    try stage.eventually("the end") { events() == ["trigger", "resolve"] }
    try stage.eventually("all rows") {
      try stage.value("select count(*) from signalbox.incidents where state = 'resolved'") == 1
        && stage.value("select count(*) from signalbox.outbox where state = 'waiting' and event <> 'escalate'") == 0
    }
    // No page under another key.
    #expect(
      stage.receiver.requests().filter { $0.path.hasSuffix("duty") && $0.body["event"] as? String == "trigger" }.count
        == 2)
  }

  /// The thread that pages from memory receives the pause; the one that delivers rows observes it.
  @Test func aPauseOfTheTimeWithoutTheDatabaseHoldsAfterIt() throws {
    let stage = try PagingStage(dutyAnswers: "once-429~60")
    defer { stage.tearDown() }
    try stage.takeAway(.ended)
    stage.post(PagingStage.change(.opened, "stays"))
    try stage.eventually("the page without the database") {
      stage.received("stays").contains("duty trigger")
    }
    try stage.bringBack(.ended)
    try stage.eventually("the pause") {
      try stage.value("select count(*) from signalbox.receivers where name = 'duty' and paused_until > now()") == 1
    }
    // Another incident's page waits as well.
    stage.post(PagingStage.change(.opened, "later"))
    try stage.eventually("the escalation") { stage.received("later").contains("lead escalate") }
    #expect(
      stage.received("later") == ["lead escalate"] && stage.received("stays").filter { $0 == "duty trigger" }.count == 1
    )
  }
}
