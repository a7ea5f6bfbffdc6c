import EventLoop
import FleetModel
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Agent

/// Configured probes of services, asked of real servers by a real probe process.
@Suite(.serialized, .timeLimit(.minutes(10))) struct CheckNetworkTests {
  @Test func `HTTP is fine with the status and the text that are expected, and failed otherwise`() throws {
    let bench = try CheckBench()
    var body = ProbeSetting.once(.http, "body", bench.url("/ok"))
    body.expectBody = "is ok"
    var chunked = ProbeSetting.once(.http, "chunked", bench.url("/chunked"))
    chunked.expectBody = "at the end"
    var missing = ProbeSetting.once(.http, "missing", bench.url("/ok"))
    missing.expectBody = "is bad"
    var expected = ProbeSetting.once(.http, "expected", bench.url("/none?x=1"))
    expected.expectStatus = 500
    var endless = ProbeSetting.once(.http, "endless", bench.url("/endless"))
    endless.expectBody = "never there"
    let results = try bench.ask([
      .once(.http, "ok", bench.url("/ok")), body, chunked, missing, expected, endless,
      .once(.http, "broken", bench.url("/broken")), .once(.http, "closed", bench.url("/", "closed")),
      .once(.http, "garbage", bench.url("/", "garbage")),
      .once(.http, "tls", bench.url("/ok", "good", scheme: "https")),
      .once(.http, "old", bench.url("/ok", "expired", scheme: "https")),
      .once(.http, "plain", bench.url("/ok", "http", scheme: "https")),
      .once(.http, "hang", bench.url("/hang"), timeoutMs: 300),
    ])
    let states = results.mapValues(\.state)
    for name in ["ok", "body", "chunked", "expected", "tls", "old"] {
      #expect(states["http/\(name)"] == .ok, "\(name)")
    }
    for name in ["missing", "broken", "closed", "garbage", "plain", "endless"] {
      #expect(states["http/\(name)"] == .failed, "\(name)")
    }
    #expect(results["http/ok"]?.value == 200 && results["http/expected"]?.value == 500)
    #expect(results["http/broken"]?.value == 500 && results["http/broken"]?.detail == "answered 500, not 200")
    #expect(results["http/hang"]?.state == .timedOut && results["http/hang"]?.detail == "no answer within 0.3 s")
    #expect((results["http/ok"]?.durationMs ?? 0) > 0)
    try bench.close()
  }

  @Test func `Metrics are read again and again, and what is between two readings is shown`() throws {
    let bench = try CheckBench()
    var wide = ProbeSetting.once(.prometheus, "wide", bench.url("/metrics"))
    wide.arguments = ["other"]
    var labelled = ProbeSetting.once(.prometheus, "bad", bench.url("/metrics"))
    labelled.arguments = ["a b"]
    let results = try bench.ask([
      wide, labelled, .once(.prometheus, "page", bench.url("/ok")),
      .once(.prometheus, "none", bench.url("/metrics-none")),
      .once(.prometheus, "cut", bench.url("/metrics-cut")), .once(.prometheus, "endless", bench.url("/endless")),
      .once(.prometheus, "broken", bench.url("/broken")), .once(.prometheus, "closed", bench.url("/", "closed")),
    ])
    #expect(results["prometheus/wide"]?.state == .ok && results["prometheus/wide"]?.value == 1004)
    // Eight share what a host may report: 512 / 8 figures, of which two count, and one is of serving.
    #expect(results["prometheus.left_out/wide"]?.value == 939)
    let series = results.keys.filter { $0.hasPrefix("prometheus.other/wide{n=\"") }
    #expect(series.count == 61 && results["prometheus.serving.waiting/wide"]?.value == 5)
    #expect(results["prometheus/bad"]?.state == .unknown)
    for (name, reason) in [
      ("page", "this is no Prometheus exposition: line 1 cannot be read"), ("none", "the answer holds no metric"),
      ("cut", "the metrics broke off after 5 bytes"), ("broken", "answered 500, not 200"),
      ("endless", "the metrics take more than 4 MiB; have the service expose fewer"),
    ] {
      #expect(results["prometheus/\(name)"]?.state == .failed, "\(name)")
      #expect(results["prometheus/\(name)"]?.detail == reason, "\(name)")
    }
    #expect(results["prometheus/closed"]?.state == .failed)
    var often = ProbeSetting.once(.prometheus, "often", bench.url("/metrics"))
    often.everyNs = 1_000_000_000
    often.arguments = ["oth*{n=\"*\"}"]
    bench.runner.setProbes([often])
    var second: [String: ProbeResult] = [:]
    while second["prometheus.serving.error_ratio/often"] == nil {
      for result in bench.runner.takeRecords().probes { second[result.name] = result }
      try bench.loop.turn(maximumWaitNs: 100_000_000)
    }
    // More than a pipe holds comes through whole: all but two counts and what the first reading has of serving.
    #expect(second.keys.count { $0.hasPrefix("prometheus.other/often{") } == 253)
    #expect(second["prometheus.serving.error_ratio/often"]?.value == 0.1)
    let rate = try #require(second["prometheus.serving.requests_per_second/often"]?.value)
    #expect(rate > 0 && rate.isFinite)
    let detail = "TGI, 1004 values, 1000 series kept, 749 left out beyond the limits: keep fewer"
    #expect(second["prometheus/often"]?.detail == detail)
    try bench.close()
  }

  @Test func `A port that answers is fine, one that refuses or is silent is not`() throws {
    let bench = try CheckBench()
    let results = try bench.ask([
      .once(.tcp, "open", bench.address("silent")), .once(.tcp, "closed", bench.address("closed")),
      .once(.tcp, "name", "localhost:\(bench.ports["http"] ?? 0)"), .once(.tcp, "nobody", "no-such-host.invalid:1"),
    ])
    #expect(results["tcp/open"]?.state == .ok && results["tcp/name"]?.state == .ok)
    #expect(results["tcp/closed"]?.state == .failed && results["tcp/nobody"]?.state == .failed)
    #expect(results["tcp/closed"]?.detail.contains("Connection refused") == true)
    #expect(results["tcp/open"]?.value.isNaN == true)
    try bench.close()
  }

  @Test func `Redis answers its PING, wants a password, or loads`() throws {
    let bench = try CheckBench()
    let results = try bench.ask([
      .once(.redis, "redis", bench.address("redis")), .once(.redis, "locked", bench.address("locked")),
      .once(.redis, "loading", bench.address("loading")), .once(.redis, "closing", bench.address("closing")),
      .once(.redis, "garbage", bench.address("garbage")),
      .once(.redis, "silent", bench.address("silent"), timeoutMs: 300),
    ])
    #expect(results["redis/redis"]?.state == .ok && results["redis/locked"]?.state == .ok)
    for name in ["loading", "closing", "garbage"] { #expect(results["redis/\(name)"]?.state == .failed, "\(name)") }
    #expect(results["redis/silent"]?.state == .timedOut)
    #expect(results["redis/loading"]?.detail.contains("LOADING") == true)
    try bench.close()
  }

  @Test func `PostgreSQL is ready unless it starts, is full, or is none`() throws {
    let bench = try CheckBench(allow: ["--allow", "/tmp"])
    let database = try TestDatabase()
    var probes = ["starting", "full", "refusing", "asking", "garbage", "closed"].map {
      ProbeSetting.once(.postgres, $0, bench.address($0))
    }
    probes.append(.once(.postgres, "silent", bench.address("silent"), timeoutMs: 300))
    if let directory = database.url["host"], directory.hasPrefix("/") {
      var real = ProbeSetting.once(.postgres, "real")
      real.socket = "\(directory)/.s.PGSQL.\(database.url["port"] ?? "5432")"
      probes.append(real)
    }
    let results = try bench.ask(probes)
    for name in ["refusing", "asking"] { #expect(results["postgres/\(name)"]?.state == .ok, "\(name)") }
    for name in ["starting", "full", "garbage", "closed"] {
      #expect(results["postgres/\(name)"]?.state == .failed, "\(name)")
    }
    #expect(results["postgres/starting"]?.detail == "the database system is starting up (57P03)")
    #expect(results["postgres/silent"]?.state == .timedOut)
    if let real = results["postgres/real"] { #expect(real.state == .ok, "\(real.detail)") }
    try bench.close()
  }

  @Test func `PostgreSQL's figures come through the host's own psql and service file`() throws {
    let database = try TestDatabase()
    let services = "/tmp/sampling-services-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: services) }
    // The readiness of the right one is enough for the wrong one: what differs is the database.
    var sections = "[good]\n"
    for (key, value) in database.url.settings { sections += "\(key)=\(value)\n" }
    sections += "[bad]\n"
    for (key, value) in database.url.with(["dbname": "none"]).settings { sections += "\(key)=\(value)\n" }
    try sections.write(toFile: services, atomically: true, encoding: .utf8)
    let connection = try database.connect()
    try connection.execute(
      "create table t with (autovacuum_enabled = false) as select n from generate_series(1, 2000) n")
    try connection.execute("delete from t where n <= 500")
    // Its end gives the server what it counted.
    connection.close()
    let counted = try database.connect()
    defer { counted.close() }
    while try counted.query("select n_dead_tup from pg_stat_user_tables where relname = 't'").int(0, 0) != 500 {}
    let bench = try CheckBench(environment: ["PGSERVICEFILE=" + services], withServers: false)
    var good = ProbeSetting.once(.postgres, "good")
    good.service = "good"
    var bad = ProbeSetting.once(.postgres, "bad")
    bad.service = "bad"
    let results = try bench.ask([good, bad])
    #expect(results["postgres/good"]?.state == .ok)
    let connections = try #require(results["postgres.connections_ratio/good"]?.value)
    #expect(connections > 0 && connections < 1)
    #expect(results["postgres.dead_ratio/good"]?.value == 0.25)
    let vacuumed = try #require(results["postgres.vacuum_age_seconds/good"]?.value)
    #expect(vacuumed >= 0)
    // What this server does not load is no failure, and said.
    let detail = try #require(results["postgres/good"]?.detail)
    #expect(detail.contains("pg_stat_statements") || results["postgres.slow_mean_ms/good"] != nil, "\(detail)")
    #expect(results["postgres/bad"]?.state == .failed)
    #expect(results["postgres/bad"]?.detail.contains("does not exist") == true)
    try bench.close()
  }

  @Test func `A certificate is good for so many seconds, or has expired`() throws {
    let bench = try CheckBench()
    let results = try bench.ask([
      .once(.certificate, "file", bench.directory + "/good.pem"),
      .once(.certificate, "old-file", bench.directory + "/expired.pem"),
      .once(.certificate, "no-file", bench.directory + "/none.pem"),
      .once(.certificate, "no-pem", bench.directory + "/good.key"),
      .once(.certificate, "served", bench.address("good")),
      .once(.certificate, "served-old", bench.address("expired")),
      .once(.certificate, "no-tls", bench.address("http")),
      .once(.certificate, "silent", bench.address("silent"), timeoutMs: 300),
    ])
    let days = 86_400.0
    for name in ["file", "served"] {
      let result = try #require(results["certificate/\(name)"])
      #expect(result.state == .ok && result.value > 89 * days && result.value <= 90 * days, "\(result)")
    }
    for name in ["old-file", "served-old"] {
      let result = try #require(results["certificate/\(name)"])
      #expect(result.state == .failed && result.value < -9 * days && result.value > -11 * days, "\(result)")
      #expect(result.detail.contains("expired at"))
    }
    for name in ["no-file", "no-pem", "no-tls"] { #expect(results["certificate/\(name)"]?.state == .failed, "\(name)") }
    #expect(results["certificate/silent"]?.state == .timedOut)
    try bench.close()
  }

  @Test func `A container runs, is sick, ended or is not there`() throws {
    let bench = try CheckBench()
    var probes = ["running", "healthy", "sick", "ended", "looping", "none"].map { name in
      var probe = ProbeSetting.once(.container, name, name)
      probe.socket = bench.directory + "/docker.sock"
      return probe
    }
    var gone = ProbeSetting.once(.container, "gone", "running")
    gone.socket = bench.directory + "/none.sock"
    probes.append(gone)
    let results = try bench.ask(probes)
    for name in ["running", "healthy"] {
      let result = try #require(results["container/\(name)"])
      #expect(result.state == .ok && result.value == 4, "\(result)")
    }
    for name in ["sick", "ended", "looping", "none", "gone"] {
      #expect(results["container/\(name)"]?.state == .failed, "\(name)")
    }
    #expect(results["container/ended"]?.detail == "exited, exit code 137, once killed for memory")
    #expect(results["container/sick"]?.detail == "running, unhealthy" && results["container/ended"]?.value == 4)
    #expect(results["container/none"]?.detail == "there is no container none")
    try bench.close()
  }

  @Test func `Other hosts are asked only where the owner allows it`() throws {
    let bench = try CheckBench(withServers: false)
    let refused = try bench.ask(.once(.tcp, "far", "192.0.2.1:9"))
    #expect(refused["tcp/far"]?.state == .unknown)
    #expect(refused["tcp/far"]?.detail.contains("--allow-address 192.0.2.1") == true)
    try bench.close()
    // TEST-NET-1 of RFC 5737 goes nowhere: it is asked now, and that is all there is to see.
    let open = try CheckBench(allow: ["--allow-address", "192.0.2.1"], withServers: false)
    let asked = try open.ask(.once(.tcp, "far", "192.0.2.1:9", timeoutMs: 300))
    #expect(asked["tcp/far"]?.state == .timedOut || asked["tcp/far"]?.state == .failed)
    try open.close()
  }
}
