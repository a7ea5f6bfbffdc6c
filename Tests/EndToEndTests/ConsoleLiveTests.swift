import FleetModel
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Console

extension EndToEndTests.Consoles {
  /// Two viewers: each commit reaches them within a second or so; a revoked token ends its stream, the console's end the other one.
  @Test func viewersSeeEachCommitAndAreToldWhyTheirStreamEnds() throws {
    defer { tearDown() }
    try fleet.join()
    let tokens = try [token("first", "viewer"), token("second", "viewer")]
    let python = ProcessInfo.processInfo.environment["SIGNALBOX_PYTHON"] ?? "/usr/bin/python3"
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("console_live.py")
    let program = try Program(
      python, [script.path, url, fleet.collectorState + "/ca/root.pem"] + tokens,
      errorPath: fleet.directory + "/viewers.err")
    defer { program.kill() }
    let viewers = (0...1).map { Viewer(program, $0) }
    for viewer in viewers {
      let frame = try viewer.event("fleet")
      #expect(frame["states"] as? String == "D" && (frame["counts"] as? [String: Int])?["never"] == 1, "\(frame)")
    }
    try fleet.execute(
      """
      insert into signalbox.incidents (rule, severity, host, host_name, identity, dedup_key, opened, detected, last_event)
      select 'RES-01', 1, number, name, 'i', 'd', now(), now(), now() from signalbox.hosts
      """)
    let committed = Date().timeIntervalSince1970
    var arrived = 0.0
    for viewer in viewers {
      let change = try viewer.event("change") { ($0["incidents"] as? [String: Int])?["P1"] == 1 }
      #expect(change["changes"] as? String == "0P", "\(change)")
      arrived = max(arrived, change["at"] as? Double ?? .infinity)
    }
    try streamsEndWithTheirClients(tokens[1])
    // How fast is a matter of the benchmark; here the machine does other things as well.
    #expect(arrived - committed < 30, "\(arrived - committed) s")
    #expect(try fleet.signalbox("tokens", "revoke", "first").code == 0)
    let revoked = Date().timeIntervalSince1970
    let end = try viewers[0].event("end")
    #expect((end["reason"] as? String)?.contains("has ended") == true, "\(end)")
    #expect(try #require(end["at"] as? Double) - revoked < 30)
    #expect(try ask("/api/v1/live?frames=1", token: tokens[0]).status == 401)
    #expect(console.stop() == 0)
    #expect((try viewers[1].event("end")["reason"] as? String)?.contains("being stopped") == true)
    #expect(program.wait(within: 60) == 0, "\(program.errors)")
  }

  /// Over either version of HTTP a client that is killed is no viewer any more.
  private func streamsEndWithTheirClients(_ token: String) throws {
    func open() throws -> Bool { try ask("/metrics", token: token).body.contains("signalbox_console_live_streams 3\n") }
    for version in ["--http2", "--http1.1"] {
      let client = Process()
      client.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
      client.arguments = [
        "-sN", version, "--cacert", fleet.collectorState + "/ca/root.pem", "-H", "Authorization: Bearer \(token)", "-o",
        "/dev/null", url + "/api/v1/live",
      ]
      try client.run()
      try fleet.eventually("a third stream") { try open() }
      kill(client.processIdentifier, SIGKILL)
      try fleet.eventually("its end") { try !open() }
      client.waitUntilExit()
    }
  }

  /// The lines of one viewer, each once.
  private final class Viewer {
    private let program: Program
    private let number: Int
    private var next = 0

    init(_ program: Program, _ number: Int) { (self.program, self.number) = (program, number) }

    /// The next event of that name, with `at`, when it came.
    func event(_ name: String, where holds: ([String: Any]) -> Bool = { _ in true }) throws -> [String: Any] {
      for _ in 0..<200 {
        let words = try program.line(startingWith: "\(number).\(next) ", within: 30).split(separator: " ", maxSplits: 3)
        next += 1
        guard words.count == 4, words[2] == name,
          var data = try JSONSerialization.jsonObject(with: Data(words[3].utf8)) as? [String: Any]
        else { continue }
        data["at"] = Double(words[1])
        if holds(data) { return data }
      }
      throw HarnessError("no event \(name) of viewer \(number)")
    }
  }

  /// Answers are compressed for who takes it, carry a tag, and are not sent again to who has them.
  @Test func anAnswerIsSentOnceAndSmall() throws {
    defer { tearDown() }
    let connection = try fleet.connect()
    try FilledTables.liveFleet(hosts: 500, on: connection)
    connection.close()
    let viewer = try token("script", "viewer")
    let gzip = ["-H", "Accept-Encoding: gzip", "--compressed"]
    let plain = try ask("/api/v1/hosts", token: viewer)
    let packed = try ask("/api/v1/hosts", gzip, token: viewer)
    #expect(packed.header("content-encoding") == "gzip" && plain.header("content-encoding") == nil)
    let length = { (answer: Answer) in Int(answer.header("content-length") ?? "") ?? 0 }
    #expect(length(packed) * 5 < length(plain) && length(packed) > 100, "\(length(packed)) of \(length(plain))")
    #expect((packed.object["items"] as? [Any])?.count == 500)
    #expect(packed.header("vary")?.contains("Accept-Encoding") == true)
    // Nothing reports here, so the state of these hosts stays the same for a while.
    let tag = try #require(plain.header("etag"))
    let known = try ask("/api/v1/hosts", ["-H", "If-None-Match: \(tag)"], token: viewer)
    #expect(tag.hasPrefix("W/\"") && known.status == 304 && known.body.isEmpty, "\(known)")
    try fleet.execute("update signalbox.epochs set latest_load1 = 7 where host = 1")
    try fleet.eventually("another tag") {
      try ask("/api/v1/hosts", ["-H", "If-None-Match: \(tag)"], token: viewer).status == 200
    }
    for path in [StyleSheet.path, Script.common.path, Script.fleet.path] {
      let file = try ask(path, gzip)
      let tag = try #require(file.header("etag"))
      #expect(file.header("cache-control")?.contains("immutable") == true && !tag.hasPrefix("W/"), "\(file.headers)")
      #expect(try ask(path, ["-H", "If-None-Match: \(tag)"]).status == 304)
      #expect(try ask(path).body == file.body && file.header("content-encoding") == "gzip")
    }
    #expect(try ask("/login", gzip).header("content-encoding") == nil)
    let map = try ask("/api/v1/live/map?by=gpu_model", gzip, token: viewer)
    #expect((map.object["names"] as? [String])?.count == 500 && map.object["groups"] as? [String] == ["(none)"])
    #expect(try ask("/api/v1/live/map?by=rack", token: viewer).detail.contains("no host has the label 'rack'"))
  }

  /// The page of the fleet stands as the database last answered, for who was let in before; it shows the present again by itself.
  @Test func theFleetIsShownWhileItsDatabaseIsAway() throws {
    defer { tearDown() }
    let connection = try fleet.connect()
    try FilledTables.liveFleet(hosts: 50, on: connection)
    connection.close()
    let link = try fleet.signalbox("console", "link", "--for", "ann").output.trimmingCharacters(in: .newlines)
    let login = try ask(String(link.dropFirst(url.count)), ["-X", "POST", "-d", ""])
    let session = ["-H", "Cookie: " + (login.header("set-cookie") ?? "").prefix { $0 != ";" }]
    let page = try ask("/", session)
    #expect(page.body.contains("All 50 hosts are live.") && !page.body.contains("does not answer"), "\(page)")
    let url = try DatabaseURL(parsing: fleet.databaseURL)
    let server = try Connection(url.with(["dbname": "postgres"]))
    defer { server.close() }
    let name = Connection.quoted(url["dbname"] ?? "")
    try server.execute("alter database \(name) with allow_connections false")
    _ = try server.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [.text(url["dbname"] ?? "")])
    // For a second, what was read before it went away is the present.
    try fleet.eventually("the page of a fleet without its database") {
      let away = try ask("/", session)
      #expect(away.status == 200 && away.body.contains("All 50 hosts are live."), "\(away)")
      return away.body.contains("The database does not answer. What stands here")
    }
    // A stranger is not let in meanwhile, and what is not kept says so.
    let strange = "sbk_" + String(repeating: "x", count: 40)
    #expect(try ask("/", ["-H", "Cookie: __Host-signalbox=\(strange)"]).status != 200)
    #expect(try ask("/incidents", session).status == 503)
    try server.execute("alter database \(name) with allow_connections true")
    try fleet.eventually("the present") { try !ask("/", session).body.contains("does not answer") }
  }
}
