import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// Databases of Trackio: what the library wrote, compared with what Python's sqlite3 reads of it, and followed while SQLite writes.
@Suite(.timeLimit(.minutes(15))) struct TrackioTests {
  private static func fixture(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/training/trackio/" + name).path()
  }

  private static func same(_ one: Double, _ other: Double) -> Bool { one == other || one.isNaN && other.isNaN }

  private static func expectFixture(_ collector: ModelCollector) throws {
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: fixture("expected.json"))))
    let rows = try #require((json as? [String: Any])?["rows"] as? [[Any]])
    #expect(collector.steps.count == rows.count && rows.count == 120)
    for (step, row) in zip(collector.steps, rows) {
      let values = try #require(row[4] as? [String: String]).mapValues { Double($0) ?? 0 }
      #expect(step.step == row[3] as? Int64 && step.timeNs == (row[2] as? String).flatMap { Timestamp.parse($0) })
      #expect(step.run.hasPrefix("cartpole/\(row[1])-"))
      for (name, value) in values {
        #expect(step.metrics.contains { $0.name == name && Self.same($0.value, value) }, "\(row[0]) \(name)")
      }
      #expect(step.metrics.contains { $0.name == "stats/grad" })
    }
    #expect(collector.rows.isEmpty && collector.violations.isEmpty && collector.losses.isEmpty)
  }

  @Test("a database of real Trackio: every row with its step, time and numbers, over reconnections and restarts")
  func fixtures() throws {
    let harness = try FollowingHarness(["**"])
    try HostFiles.makeDirectory(harness.path("trackio"))
    let bytes = try HostFiles.read(Self.fixture("cartpole.db"), limitBytes: 1 << 30)
    try Descriptor.open(harness.path("trackio/cartpole.db"), .append).write(bytes.span)
    for round in 0..<30 {
      harness.take(2, budget: 2000)
      if round % 3 == 0 { harness.commitOldest() }
      if round % 7 == 3 { harness.reconnect(committing: 1) }
      if round % 10 == 9 { try harness.restartAgent() }
    }
    harness.run(seconds: 5, budget: 2000)
    try Self.expectFixture(harness.collector)
    let details = harness.collector.runs.filter { $0.state == .running && $0.run.hasPrefix("cartpole/lively-fox-") }
    #expect(
      details.contains { $0.detail.contains("\"env.name\": \"CartPole-v1\"") && $0.detail.contains("\"lr\": 0.001") })
    #expect(!harness.collector.runs.contains { $0.detail.contains("sk-abcdef") })
    #expect(Set(harness.collector.runs.map(\.run)).count == 2)
    harness.run(seconds: 7300, step: 10)
    #expect(harness.collector.runs.filter { $0.state == .completed }.count == 2)
    #expect(harness.collector.violations.isEmpty)
  }

  @Test("what read shows of a database is what was written")
  func understanding() throws {
    let found = try AgentRead.understand(Self.fixture("cartpole.db"))
    #expect(found.format == .trackio && found.rows == 120 && found.runs.count == 2 && found.unreadParts.isEmpty)
    #expect(found.firstRow?.metrics.contains(Metric("train/loss", 1)) == true)
  }

  // MARK: While it is written to

  /// A Python that carries out one line after the other.
  private final class Writer {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(_ path: String, _ mode: String) throws {
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = [
        "python3", "-c",
        """
        import json, sqlite3, sys
        c = sqlite3.connect("\(path)", isolation_level=None)
        c.execute("pragma journal_mode=\(mode)")
        c.execute("create table if not exists other(x)")
        c.execute('''create table if not exists metrics(id integer primary key autoincrement, timestamp text not null,
          run_name text not null, step integer not null, metrics text not null)''')
        c.execute('''create table if not exists configs(id integer primary key autoincrement, run_name text not null,
          config text not null, created_at text not null, unique(run_name))''')
        for table in ("metrics", "configs"): c.execute("alter table %s add column run_id text" % table)
        step = 0
        def add(count, run="one", pad=0):
            global step
            for _ in range(count):
                c.execute("insert into metrics(timestamp, run_name, step, metrics, run_id) values('2026-01-02T03:04:05.5+00:00', ?, ?, ?, 'r')",
                    (run, step, json.dumps({"loss": step / 2, "pad": "x" * pad})))
                step += 1
        print("ready", flush=True)
        for line in sys.stdin:
            exec(line)
            print("done", flush=True)
        """,
      ]
      process.standardInput = input
      process.standardOutput = output
      try process.run()
      try expect("ready\n")
    }

    func begin(_ line: String) throws { try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8)) }

    func run(_ line: String) throws {
      try begin(line)
      try wait()
    }

    func wait() throws { try expect("done\n") }

    private func expect(_ answer: String) throws {
      var got = Data()
      while got.count < answer.utf8.count {
        let more = output.fileHandleForReading.availableData
        try #require(!more.isEmpty)
        got += more
      }
      try #require(got == Data(answer.utf8))
    }

    func kill() { process.endNow() }
  }

  private static func steps(_ harness: FollowingHarness) -> [Int64] { harness.collector.steps.map(\.step) }

  @Test(
    "rows that SQLite commits come once: transactions, checkpoints, deleted runs, kills", arguments: ["wal", "delete"])
  func written(_ mode: String) throws {
    let harness = try FollowingHarness(["**"])
    let writer = try Writer(harness.path("p.db"), mode)
    defer { writer.kill() }
    try writer.run("add(5)")
    harness.run(seconds: 4)
    #expect(Self.steps(harness) == Array(0..<5))
    // What is not committed is not there; what was rolled back never was.
    try writer.run("c.execute('begin'); add(400, pad=500)")
    harness.run(seconds: 3)
    #expect(Self.steps(harness) == Array(0..<5))
    try writer.run("c.execute('rollback')")
    try harness.restartAgent { try writer.run("add(300, pad=9000)") }
    harness.run(seconds: 3)
    #expect(Self.steps(harness) == Array(0..<5) + Array(405..<705))
    try writer.run(
      "c.execute('insert into configs(run_name, config, created_at, run_id) values(\"one\", json_object(\"lr\", 5), 1, \"r\")')"
    )
    try writer.run("c.execute('pragma wal_checkpoint(truncate)'); add(3)")
    harness.take(3)
    harness.reconnect()
    harness.run(seconds: 3)
    try writer.run("c.execute('delete from metrics'); c.execute('vacuum')")
    harness.run(seconds: 3)
    try harness.restartAgent()
    try writer.run("add(4, 'two')")
    harness.run(seconds: 3)
    #expect(Self.steps(harness) == Array(0..<5) + Array(405..<712))
    #expect(Set(harness.collector.steps.suffix(4).map(\.run)).count == 1)
    #expect(Set(harness.collector.steps.map(\.run)).count == 2)
    #expect(harness.collector.steps.allSatisfy { $0.metrics == [Metric("loss", Double($0.step) / 2)] })
    // Again over restarts: it may not have been acknowledged.
    let details = harness.collector.runs.map(\.detail)
    #expect(details.contains { $0.contains("\"lr\": 5") }, "\(details)")
    // Nothing of the database, its log and its journal is a line.
    #expect(harness.collector.rows.isEmpty && harness.collector.violations.isEmpty && harness.collector.losses.isEmpty)
  }

  @Test("a writer that never rests: no row twice, none left out", arguments: ["wal", "delete", "persist"])
  func racing(_ mode: String) throws {
    let harness = try FollowingHarness(["*.db"])
    let writer = try Writer(harness.path("p.db"), mode)
    defer { writer.kill() }
    try writer.run("add(1)")
    try writer.begin(
      """
      import time; end = time.time() + 1.5; exec('while time.time() < end:\\n c.execute("begin"); add(7, pad=300); c.execute("commit")')
      """)
    var most = 0
    for round in 0..<60 {
      Thread.sleep(forTimeInterval: 0.03)
      harness.run(seconds: 0.03, step: 0.03)
      if round % 10 == 5 { try harness.restartAgent() }
      if round < 45 { most = max(most, harness.collector.steps.count) }
    }
    try writer.wait()
    harness.run(seconds: 5)
    let steps = Self.steps(harness)
    #expect(steps == Array(0..<Int64(steps.count)) && steps.count > 7)
    if mode == "wal" { #expect(most > 7) }
    #expect(harness.collector.violations.isEmpty && harness.collector.losses.isEmpty)
    try writer.run("add(1)")
    harness.run(seconds: 3)
    #expect(Self.steps(harness).count == steps.count + 1)
  }

  @Test("another database in its place is a new source, by its file and by what it holds")
  func replaced() throws {
    let harness = try FollowingHarness(["*.db"])
    let writer = try Writer(harness.path("p.db"), "delete")
    try writer.run("add(5)")
    harness.run(seconds: 4)
    writer.kill()
    let other = try Writer(harness.path("q.other"), "delete")
    try other.run("step = 100; add(3)")
    other.kill()
    try harness.rename("q.other", "p.db")
    harness.run(seconds: 90, step: 1)
    #expect(Self.steps(harness) == [0, 1, 2, 3, 4, 100, 101, 102])
    // Written over in place.
    let third = try Writer(harness.path("r.other"), "delete")
    try third.run("step = 200; add(9)")
    third.kill()
    let bytes = try HostFiles.read(harness.path("r.other"), limitBytes: 1 << 20)
    try Descriptor.open(harness.path("p.db"), .update).write(bytes.span)
    harness.run(seconds: 10)
    #expect(Self.steps(harness).dropFirst(8) == Array(200..<209)[...])
    try harness.restartAgent()
    harness.run(seconds: 10)
    #expect(Self.steps(harness).count == 17 && harness.collector.violations.isEmpty)
  }

  @Test("a database whose bytes are damaged is one loss, at most some rows, and never an end")
  func damaged() throws {
    let bytes = try HostFiles.read(Self.fixture("cartpole.db"), limitBytes: 1 << 30)
    for seed in 0..<12 {
      let keys = KeyGenerator(seed: UInt64(seed))
      let harness = try FollowingHarness(["**"])
      try HostFiles.makeDirectory(harness.path("trackio"))
      var torn = bytes
      for _ in 0..<200 { torn[100 + keys.below(torn.count - 100)] = UInt8(keys.below(256)) }
      if seed % 4 == 0 { torn.removeLast(keys.below(torn.count)) }
      try Descriptor.open(harness.path("trackio/p.db"), .append).write(torn.span)
      harness.run(seconds: 12, step: 1)
      try harness.restartAgent()
      harness.run(seconds: 12, step: 1)
      #expect(harness.collector.violations.isEmpty && harness.collector.rows.isEmpty)
      #expect(harness.collector.losses.count <= 2 && harness.collector.steps.count <= 120)
    }
    let harness = try FollowingHarness(["**"])
    try HostFiles.makeDirectory(harness.path("trackio"))
    try Descriptor.open(harness.path("trackio/p.db"), .append).write(Array(bytes[..<4096]).span)
    harness.run(seconds: 60, step: 0.5)
    #expect(harness.collector.losses.map(\.reason) == [.unreadable])
    #expect(harness.followers.figures.databases.first.contains("it is damaged: restore it"))
  }

  @Test("a transaction whose writer is gone waits, with a sentence that says what to do")
  func openTransaction() throws {
    let harness = try FollowingHarness(["*.db"])
    let writer = try Writer(harness.path("p.db"), "delete")
    try writer.run("add(5)")
    harness.run(seconds: 4)
    // Pages of the transaction are in the file already.
    try writer.run("c.execute('pragma cache_size=1'); c.execute('begin'); add(50, pad=9000)")
    writer.kill()
    harness.run(seconds: 30)
    #expect(Self.steps(harness) == Array(0..<5) && harness.collector.losses.isEmpty)
    #expect(harness.followers.figures.databases.first.contains("open it once with sqlite3"))
    let found = try AgentRead.understand(harness.path("p.db"))
    #expect(found.rows == 0 && found.unreadParts.first?.what.contains("has not ended") == true)
    let next = try Writer(harness.path("p.db").replacing("p.db", with: "q.other"), "delete")
    try next.run(
      "d = sqlite3.connect('\(harness.path("p.db"))'); d.execute('select count(*) from metrics').fetchone(); d.close()")
    next.kill()
    harness.run(seconds: 10)
    #expect(Self.steps(harness) == Array(0..<5) && harness.followers.figures.databases.count == 0)
  }

  @Test("rows from before the agent are left out where it is asked for")
  func history() throws {
    let history = FollowedHistory(isNoted: true, from: .end)
    var writer: Writer?
    let harness = try FollowingHarness(["*.db"], history: history) { directory in
      writer = try Writer(directory + "/p.db", "wal")
      try writer?.run("add(5)")
      // What was made within a tick of the clock may be the agent's time.
      Thread.sleep(forTimeInterval: 0.05)
    }
    defer { writer?.kill() }
    harness.run(seconds: 4)
    try writer?.run("add(2)")
    harness.run(seconds: 4)
    #expect(Self.steps(harness) == [5, 6] && harness.collector.losses.map(\.reason) == [.skipped])
    try harness.restartAgent()
    harness.run(seconds: 4)
    #expect(Self.steps(harness) == [5, 6] && harness.collector.violations.isEmpty)
  }

  @Test("the log beside a database is read where no pattern but the database's own allows it")
  func allowed() throws {
    let directory = "/tmp/signalbox-trackio-\(HostFiles.randomBytes(6).map { Hex.text($0) }.joined())"
    try HostFiles.makeDirectory(directory)
    defer { FollowingHarness.remove(directory) }
    let writer = try Writer(directory + "/p.db", "wal")
    defer { writer.kill() }
    try writer.run("add(3)")
    let fileSystem = LinuxFollowedFileSystem(allowed: AllowedPaths(roots: [], patterns: [directory + "/*.db"]))
    let handle = try #require(fileSystem.open(directory + "/p.db"))
    let file = DatabaseFile(fileSystem, handle, path: directory + "/p.db")
    #expect(TrackioDatabase(file, path: directory + "/p.db", redactor: nil).isTrackio(nowNs: Clock.wallNs()) == true)
    #expect(fileSystem.refusedTotal == 0 && fileSystem.find(directory + "/train-wal") == nil)
  }

  @Test("tables by their statements, records by their types")
  func pieces() {
    let table = DatabaseTable(
      root: 2,
      sql: """
        CREATE TABLE metrics (
          id INTEGER PRIMARY KEY AUTOINCREMENT, "run name" TEXT DEFAULT 'a,b(', `step` INTEGER CHECK(step > 0),
          [x y] DECIMAL(10, 2), UNIQUE(step), CONSTRAINT c FOREIGN KEY (step) REFERENCES other(x), log_id TEXT)
        """)
    #expect(table?.columns == ["id", "run name", "step", "x y", "log_id"])
    #expect(DatabaseTable(root: 2, sql: "CREATE VIRTUAL TABLE x USING fts5(a)") == nil)
    #expect(DatabaseTable(root: 2, sql: "CREATE TABLE x(a primary key) WITHOUT ROWID") == nil)
    #expect(DatabaseTable(root: 2, sql: "CREATE TABLE x(a") == nil)
    let record = DatabaseRecord([6, 0, 1, 9, 13 + 4, 7] + [0xfe, 0x61, 0x62] + [0x3f, 0xf0, 0, 0, 0, 0, 0, 0])
    #expect(record?.values == [.null, .integer(-2), .integer(1), .bytes(7..<9), .real(1)])
    #expect(DatabaseFile.owner(of: "/a/p.db-wal") == "/a/p.db" && DatabaseFile.owner(of: "/a/train-wal") == nil)
    #expect(DatabaseRecord([3, 5, 1, 0]) == nil && DatabaseRecord([]) == nil && DatabaseRecord([9]) == nil)
  }
}
