import Files
import FleetModel
import Glibc
import Store
import TestSupport
import Testing

@testable import Postgres

/// Servers that change their part, and collectors that stop in the middle.
@Suite(.timeLimit(.minutes(10))) struct FailoverTests {
  @Test func primaryThatHasBecomeReadOnlyIsLeft() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let store = try fixture.another()
    // What an old primary answers from the moment that it is demoted, on sessions that live on.
    try store.connection.execute("set default_transaction_read_only = on")
    let error = #expect(throws: StoreError.self) { try store.commit([stream.samples(1...3)]) }
    #expect(error?.needsNewConnection == true && error?.isConnectionLost == false)
    #expect(try fixture.another().commit([stream.samples(1...3)]) == [.committed])
  }

  @Test func ofSeveralServersTheOneThatWritesIsTaken() throws {
    let fixture = try StoreFixture()
    let admin = try fixture.database.connectToServer()
    let reading = try StoreFixture()
    try admin.execute("alter database \(reading.database.databaseName) set default_transaction_read_only = on")
    // One server twice stands for two, so that only the session's state differs.
    let host = fixture.database.url["host"] ?? ""
    let two = fixture.database.url.with(["host": "/nonexistent,\(host)"])
    #expect(try Store.open(two).connection.isOpen)
    #expect(throws: StoreError.self) { try Store.open(reading.database.url) }
    // Questions may go to a server that only reads.
    #expect(throws: Never.self) { try FleetReader(reading.database.url).read(FleetQueries.status()) }
  }

  /// Frozen between two statements, or inside of a COPY, whose wait no limit of idle transactions ends.
  @Test(arguments: [false, true]) func collectorThatIsFrozenInsideATransactionLosesItsHosts(_ isCopying: Bool) throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    var options = Store.writerOptions
    options.idleInTransactionTimeoutMs = 0
    let frozen = try Store.open(fixture.database.url, options: options)
    try frozen.connection.execute("begin")
    _ = try frozen.connection.query(
      "select from signalbox.epochs where host = $1 for update", [.int4(stream.fence.hostNumber)])
    if isCopying {
      try frozen.connection.startCopy(
        "copy signalbox.host_samples (time, received, host) from stdin (format binary)", doing: "COPY")
    }
    let other = try Store.open(fixture.database.url, options: Store.controlOptions)
    let fence = try other.fence(host: stream.host, hello: StoreFixture.hello(boot: 2), receivedNs: StoreFixture.nowNs)
    #expect(fence.epoch == stream.fence.epoch + 1)
    #expect(throws: PostgresError.self) { try frozen.connection.execute("select 1") }
  }

  @Test func limitsOfAWritersSessionAreSet() throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    for (name, value) in [
      ("idle_in_transaction_session_timeout", "10s"), ("lock_timeout", "20s"), ("statement_timeout", "50s"),
      ("synchronous_commit", "on"),
    ] {
      #expect(try store.connection.queryText("show \(name)").text(0, 0) == value, "\(name)")
    }
  }

  /// PostgreSQL ends the wait for a standby at a statement's limit by committing alone: that would acknowledge what is on one server.
  @Test func commitThatWaitsForAStandbyIsSeenAndNotAcknowledged() throws {
    let state = "/tmp/signalbox-standby-" + HostFiles.randomBytes(4).map { String($0, radix: 16) }.joined()
    defer { TestFiles.remove(state) }
    var settings = PrivateServer.Options()
    settings.isDurable = false
    settings.sharedBuffersMiB = 16
    let server = try PrivateServer(stateDirectory: state, options: settings)
    defer { try? server.stop() }
    let observer = try Store.open(server.url, migrating: true)
    #expect(try observer.commitsWithoutStandby() == 0)
    let admin = try Connection(server.url)
    try admin.execute("create table t (a int)")
    try admin.execute("alter system set synchronous_standby_names = 'nobody'")
    _ = try admin.query("select pg_reload_conf()")
    for _ in 0..<200 where try admin.queryText("show synchronous_standby_names").text(0, 0) != "nobody" {
      usleep(20_000)
    }
    var options = Store.writerOptions
    options.statementTimeoutMs = 500
    options.answerTimeoutMs = 12_000
    options.settings["synchronous_commit"] = "on"
    let url = server.url
    let writer = try Connection(url, options: options)
    let error = #expect(throws: PostgresError.self) {
      try writer.transaction { () throws(PostgresError) in try writer.execute("insert into t values (1)") }
    }
    #expect(error?.isConnectionLost == true)
    #expect(try observer.commitsWithoutStandby() == 1)
    try observer.connection.execute("set synchronous_commit = off")
    try observer.connection.execute("alter system reset synchronous_standby_names")
    _ = try observer.connection.query("select pg_reload_conf()")
    for _ in 0..<500 where try observer.commitsWithoutStandby() > 0 { usleep(20_000) }
    #expect(try observer.commitsWithoutStandby() == 0)
  }
}
