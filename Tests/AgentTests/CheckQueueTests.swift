import FleetModel
import Foundation
import Testing

@testable import Agent

/// The SQLite queue, made and held by Python as a worker would.
@Suite(.serialized, .timeLimit(.minutes(10))) struct CheckQueueTests {
  /// A Python that keeps its connection open until its input ends.
  private final class Holder {
    private let process = Process()
    private let input = Pipe()

    init(_ script: String) throws {
      let output = Pipe()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = [
        "python3", "-c", "import sqlite3, sys\n" + script + "\nprint('ready', flush=True)\nsys.stdin.read()",
      ]
      process.standardInput = input
      process.standardOutput = output
      try process.run()
      let line = output.fileHandleForReading.availableData
      try #require(line.starts(with: Data("ready".utf8)))
    }

    func end() { process.endNow() }
  }

  private static func schema(_ path: String, _ mode: String) -> String {
    """
    c = sqlite3.connect("\(path)", isolation_level=None)
    c.execute("pragma journal_mode=\(mode)")
    c.execute('''create table task_queue(id integer primary key, status text, created_at_utc text default (datetime('now')),
      run_after_utc text default (datetime('now')), reserved_at_utc text, finished_at_utc text, locked_by text)''')
    c.execute("create table workers(worker_id text, capabilities text, heartbeat_utc text)")
    def task(status, **ages):
        names = ["status"] + list(ages)
        values = ["'%s'" % status] + ["'%s'" % v if isinstance(v, str) else "datetime('now','-%d seconds')" % v for v in ages.values()]
        c.execute("insert into task_queue(%s) values(%s)" % (",".join(names), ",".join(values)))
    def worker(name, age):
        c.execute("insert into workers(worker_id, heartbeat_utc) values('%s', datetime('now','-%d seconds'))" % (name, age))
    """
  }

  private func figures(_ results: [String: ProbeResult]) -> [String: Double] {
    var figures: [String: Double] = [:]
    for (name, result) in results where name.hasPrefix("queue.") {
      figures[String(name.dropFirst(6).prefix { $0 != "/" })] = result.value
    }
    return figures
  }

  @Test func `A queue that nobody works on is told by what waits and since when nobody claims`() throws {
    let bench = try CheckBench(withServers: false)
    let path = bench.directory + "/queue.db"
    let holder = try Holder(
      Self.schema(path, "wal") + """

        task("queued", created_at_utc=7200, run_after_utc=7200)
        task("queued", created_at_utc=90000, run_after_utc="2999-01-01 00:00:00")
        task("leased", reserved_at_utc=400, locked_by="w1")
        task("processing", reserved_at_utc=900, locked_by="w3")
        for _ in range(8): task("completed", finished_at_utc=600)
        task("failed", finished_at_utc=700)
        task("dead_letter", finished_at_utc=800)
        task("failed", finished_at_utc=200000)
        worker("w1", 301); worker("w2", 4000); worker("w3", 30)
        """)
    let results = try bench.ask(.once(.queue, "tasks", path))
    let result = try #require(results["queue/tasks"])
    #expect(result.state == .ok && result.value == 2, "\(result)")
    let read = figures(results)
    #expect(read["queued"] == 2 && read["dead_letters"] == 1 && read["stale_workers"] == 1 && read["busy"] == 0)
    #expect(read["failed_ratio"] == 0.2)
    #expect((read["oldest_seconds"] ?? 0) >= 7200 && (read["oldest_seconds"] ?? 0) < 7300)
    #expect((read["claim_age_seconds"] ?? 0) >= 400 && (read["claim_age_seconds"] ?? 0) < 500)
    #expect((read["wal_bytes"] ?? 0) > 10_000)
    holder.end()
    try bench.close()
  }

  @Test func `A task that has just come to an idle queue has not waited since the last claim`() throws {
    let bench = try CheckBench(withServers: false)
    let path = bench.directory + "/queue.db"
    try Holder(
      Self.schema(path, "delete") + """

        task("completed", reserved_at_utc=9000, finished_at_utc=8000)
        task("queued", created_at_utc=5, run_after_utc=5)
        c.close()
        """
    ).end()
    let read = figures(try bench.ask(.once(.queue, "tasks", path)))
    #expect(read["queued"] == 1 && (read["claim_age_seconds"] ?? 99999) < 100 && read["wal_bytes"] == 0)
    try bench.close()
  }

  @Test func `A queue that is held is busy, and is read once it is free or given up`() throws {
    let bench = try CheckBench(withServers: false)
    let path = bench.directory + "/queue.db"
    let holder = try Holder(Self.schema(path, "delete") + "\ntask('queued')\nc.execute('begin exclusive')")
    let results = try bench.ask(.once(.queue, "tasks", path))
    #expect(results["queue.busy/tasks"]?.state == .failed && results["queue.busy/tasks"]?.value == 1)
    #expect(results["queue/tasks"]?.state == .failed && results["queue/tasks"]?.detail == "the database is locked")
    #expect(try bench.ask(.once(.queue, "quick", path, timeoutMs: 300))["queue/quick"]?.state == .timedOut)
    holder.end()
    #expect(try bench.ask(.once(.queue, "again", path))["queue/again"]?.state == .ok)
    try bench.close()
  }

  @Test(arguments: ["wal", "delete"])
  func `A queue that somebody writes is busy for other writers, and is read all the same`(_ mode: String) throws {
    let bench = try CheckBench(withServers: false)
    let path = bench.directory + "/queue.db"
    let holder = try Holder(Self.schema(path, mode) + "\ntask('queued')\nc.execute('begin immediate')")
    let results = try bench.ask(.once(.queue, "tasks", path))
    #expect(results["queue/tasks"]?.state == .ok && results["queue/tasks"]?.value == 1)
    #expect(results["queue.busy/tasks"]?.state == .failed && results["queue.busy/tasks"]?.value == 1)
    holder.end()
    let free = try bench.ask(.once(.queue, "free", path))
    #expect(free["queue.busy/free"]?.state == .ok && free["queue.busy/free"]?.value == 0)
    try bench.close()
  }

  @Test func `What is no queue is failed, and nothing is ever written`() throws {
    let bench = try CheckBench(withServers: false)
    try bench.write("text.db", String(repeating: "no database ", count: 100))
    let other = bench.directory + "/other.db"
    try Holder("c = sqlite3.connect('\(other)'); c.execute('create table x(y)'); c.commit(); c.close()").end()
    let results = try bench.ask([
      .once(.queue, "text", bench.directory + "/text.db"), .once(.queue, "other", other),
      .once(.queue, "none", bench.directory + "/none.db"),
    ])
    for name in ["text", "other", "none"] { #expect(results["queue/\(name)"]?.state == .failed, "\(name)") }
    #expect(results["queue/other"]?.detail == "there is no table task_queue with a status")
    #expect(results["queue/text"]?.detail.contains("not a database") == true)
    #expect(!FileManager.default.fileExists(atPath: bench.directory + "/none.db"))
    try bench.close()
  }
}
