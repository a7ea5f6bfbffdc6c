import Files
import Foundation
import Postgres
import Testing

extension EndToEndTests {
  /// What the database refuses costs itself alone, through the real programs; whoever cannot write is named in `/health`.
  @Suite(.timeLimit(.minutes(10))) struct PoisonedRows {
    private func fleet(_ name: String) throws -> (TestFleet, PageReceiver) {
      let (fleet, receiver) = try Rules.fleet(name, rules: Rules.boom)
      try fleet.eventually("a live host") { try fleet.value("select count(*) from host_samples") > 0 }
      return (fleet, receiver)
    }

    private func letters(_ fleet: TestFleet, _ table: String) throws -> Int64 {
      try fleet.value("select count(*) from dead_letters where table_name = 'signalbox.\(table)'")
    }

    /// The report of one thread must not hide another's, and trouble that is over is not reported.
    private func health(_ fleet: TestFleet, names thread: String, _ reason: String) throws {
      try fleet.eventually("a report of \(thread)") {
        let health = try fleet.health()
        return health.contains(thread) && health.contains(reason)
      }
      let code = try Program.run(
        "/usr/bin/curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "http://\(fleet.metricsAddress)/health"])
      #expect(code.output == "503")
      #expect((try fleet.metric("signalbox_database_stalled_seconds{thread=\"\(thread)\"}") ?? 0) > 0)
    }

    @Test func anIncidentARuleStateAndAHostsHealthThatAreRefusedAreSetAsideAndTheRestGoesOn() throws {
      let (fleet, receiver) = try fleet("refused")
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try fleet.execute(
        """
        alter table signalbox.incidents add constraint no_poison check (entity not like '%poison%');
        alter table signalbox.rule_states add constraint no_state check (host <> 1) not valid;
        alter table signalbox.epochs add constraint no_files check (followed_files < 2);
        """)
      try fleet.write("poison.log", Array("BOOM poison\n".utf8))
      try fleet.write("good.log", Array("BOOM good\n".utf8))
      try fleet.eventually("both lines") { try fleet.value("select count(*) from log_lines") == 2 }
      try fleet.eventually("both pages") { Set(try receiver.pages("trigger").flatMap(\.keys)).count == 2 }
      #expect(try fleet.value("select count(*) from incidents where entity like '%/good.log'") == 1)
      #expect(try fleet.value("select count(*) from incidents where summary like '%dead_letters%'") == 1)
      try fleet.eventually("three kinds of dead letters") {
        try ["incidents", "rule_states", "epochs"].allSatisfy { try letters(fleet, $0) > 0 }
      }
      #expect((try fleet.metric("signalbox_store_set_aside_total") ?? 0) >= 3)
      #expect(fleet.collector?.errors.contains("is now in dead_letters") == true)
      // Samples and lines are still stored and acknowledged.
      let before = try fleet.value("select count(*) from host_samples")
      try fleet.write("good.log", Array("fine\n".utf8))
      try fleet.eventually("fresh rows") {
        try fleet.value("select count(*) from host_samples") > before + 3
          && fleet.value("select count(*) from log_lines") == 3
      }
      #expect(try fleet.health().hasPrefix("ok"))
    }

    /// The receivers' answers are taken in turn: one that cannot be written down holds up no other page.
    @Test func anAnswerThatCannotBeNotedIsReportedAndOtherPagesGoOut() throws {
      let (fleet, receiver) = try fleet("answers")
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      try fleet.execute(
        """
        alter table signalbox.outbox add constraint no_answer check (state <> 'delivered' or incident is distinct from 1)
        """)
      try fleet.write("first.log", Array("BOOM first\n".utf8))
      try fleet.eventually("the page whose answer is refused") { try receiver.pages("trigger").count >= 1 }
      try fleet.write("second.log", Array("BOOM second\n".utf8))
      try fleet.eventually("the other page is noted") {
        try fleet.value("select count(*) from deliveries where incident = 2 and state = 'delivered'") == 1
      }
      #expect(try letters(fleet, "outbox") > 0)
      try health(fleet, names: "outbox", "settle")
      try fleet.execute("alter table signalbox.outbox drop constraint no_answer")
      try fleet.eventually("the answer is noted", within: 120) {
        try fleet.value("select count(*) from deliveries where incident = 1 and state = 'delivered'") == 1
      }
      try fleet.eventually("health") { try fleet.health().hasPrefix("ok") }
      // The receiver was asked again under one key each.
      #expect(Set(try receiver.pages("trigger").flatMap(\.keys)).count == 2)
    }

    @Test(arguments: [("signalbox.agent_ledger", "writer-"), ("signalbox.incidents", "paging-database")])
    func aThreadThatWaitsForTheDatabaseIsNamedUntilItGetsOn(_ table: String, _ thread: String) throws {
      let (fleet, receiver) = try fleet("waits")
      defer {
        fleet.tearDown()
        receiver.stop()
      }
      let holder = try fleet.connect()
      try holder.execute("begin; lock table \(table) in access exclusive mode")
      try fleet.write("a.log", Array("BOOM a\n".utf8))
      try fleet.eventually("a report") { try fleet.health().contains(thread) }
      #expect(try fleet.health().contains("has") && !fleet.health().hasPrefix("ok"))
      try holder.execute("rollback")
      holder.close()
      try fleet.eventually("health") { try fleet.health().hasPrefix("ok") }
      try fleet.eventually("the line and its incident") {
        try fleet.value("select count(*) from log_lines") == 1 && fleet.value("select count(*) from incidents") == 1
      }
    }
  }
}

extension EndToEndTests.PoisonedRows {
  /// Quotas are read from the configuration, and what a host has used of them is not given back by a restart or a reload.
  @Test func configuredQuotasHoldOverARestart() throws {
    let fleet = try TestFleet("quotas")
    defer { fleet.tearDown() }
    let configuration = fleet.directory + "/signalbox.yaml"
    func configure(_ burst: Int) throws {
      let text = "rules: []\nquotas:\n  files: { per_day: 1, burst: \(burst) }\n"
      try HostFiles.replace(configuration, with: Array(text.utf8))
    }
    func write(_ numbers: ClosedRange<Int>) throws {
      for number in numbers { try fleet.write("\(number).log", Array("line of \(number)\n".utf8)) }
    }
    let stored = "select count(*) from log_lines"
    let refused = "select coalesce(sum(rows_refused), 0)::int8 from host_quotas where kind = 'files'"
    try configure(2)
    try fleet.startCollector(["--config", configuration])
    try fleet.join()
    try fleet.startAgent()
    try write(1...3)
    try fleet.eventually("a refused file") { try fleet.value(stored) == 2 && fleet.value(refused) > 0 }
    let shown = try fleet.json("hosts", "show", "host-1").first?["quotas"] as? [[String: Any]]
    #expect(shown?.first?["kind"] as? String == "files")

    #expect(fleet.stopCollector() == 0)
    try fleet.startCollector(["--config", configuration])
    let before = try fleet.value(refused)
    try write(4...6)
    try fleet.eventually("refused after the restart", within: 120) { try fleet.value(refused) > before }
    #expect(try fleet.value(stored) == 2)

    // More room, without a restart of anything.
    try configure(100)
    fleet.signalCollector(SIGHUP)
    try fleet.eventually("the reload") { fleet.collector?.errors.contains(#""message":"reloaded""#) == true }
    try write(7...9)
    try fleet.eventually("files within the new quota", within: 120) {
      try fleet.value("select count(*) from log_lines where message in ('line of 7', 'line of 8', 'line of 9')") == 3
    }
    try HostFiles.replace(configuration, with: Array("quotas: { files: { burst: 0 } }\n".utf8))
    fleet.signalCollector(SIGHUP)
    try fleet.eventually("the refusal of a wrong one") {
      fleet.collector?.errors.contains("quotas.files.burst: burst must be a whole number") == true
    }
  }
}
