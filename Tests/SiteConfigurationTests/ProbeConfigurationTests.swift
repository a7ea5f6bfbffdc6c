import FleetModel
import SiteConfiguration
import Testing

@Suite struct ProbeConfigurationTests {
  func probes(_ lines: String) throws -> [ProbeSetting] {
    let indented = lines.split(separator: "\n").map { "      " + $0 }.joined(separator: "\n")
    let yaml = "profiles:\n  - match: {}\n    probes:\n" + indented + "\n"
    return try ConfigurationReader.read(yaml, file: "x").settings(labels: ["host": "h"], revision: 1).probes
  }

  @Test func everyKindIsRead() throws {
    let probes = try probes(
      """
      - { name: dashboard, http: { url: "http://127.0.0.1:8501/_stcore/health" }, every: 30s, timeout: 2s }
      - { name: api, http: { url: "https://api:8000/", expect: 401, body: "ok" } }
      - { name: six, http: { url: "http://[::1]?x" } }
      - { name: broker, tcp: { address: "127.0.0.1:9092" } }
      - { name: cache, redis: { address: "[::1]:6379" } }
      - { name: main, postgres: { address: "127.0.0.1:5432" } }
      - { name: full, postgres: { service: training } }
      - { name: near, postgres: { socket: /run/postgresql/.s.PGSQL.5432 } }
      - { name: best, file: { path: "/srv/models/*.pth" } }
      - { name: models, json: { path: "/srv/models/**/*.json" } }
      - { name: fresh, json: { path: "/srv/models/**/*.json", settle: 0s } }
      - { name: agent-cert, certificate: { path: /etc/site.pem } }
      - { name: site, certificate: { address: "127.0.0.1:443" } }
      - { name: nightly, backup: { path: "/backup/full-*.dump" } }
      - { name: tasks, queue: { path: "/srv/queue.db" } }
      - { name: worker, container: { name: worker } }
      - { name: other, container: { name: other, socket: /run/podman/podman.sock } }
      - { name: api, unit: { name: signalbox-x@1.service } }
      - { name: llm, prometheus: { url: "http://127.0.0.1:8000/metrics", keep: ["vllm:*", 'up{job="a*"}'] } }
      - { name: anything, command: ["/usr/local/bin/check", "--fast", ""] }
      """)
    #expect(
      probes.map(\.resultName) == [
        "http/dashboard", "http/api", "http/six", "tcp/broker", "redis/cache", "postgres/main", "postgres/full",
        "postgres/near",
        "file/best",
        "json/models", "json/fresh", "certificate/agent-cert", "certificate/site", "backup/nightly", "queue/tasks",
        "container/worker", "container/other", "unit/api", "prometheus/llm", "command/anything",
      ])
    #expect(probes[0].everyNs == 30_000_000_000 && probes[0].timeoutNs == 2_000_000_000)
    #expect(probes[1].expectStatus == 401 && probes[1].expectBody == "ok" && probes[1].everyNs == 20_000_000_000)
    #expect(probes[4].target == "[::1]:6379" && probes[6].service == "training" && probes[6].target == "")
    #expect(probes[9].settleNs == 60_000_000_000 && probes[10].settleNs == 0)
    #expect(probes[15].socket == "/var/run/docker.sock" && probes[16].socket == "/run/podman/podman.sock")
    #expect(probes[18].target == "http://127.0.0.1:8000/metrics")
    #expect(probes[18].arguments == ["vllm:*", "up{job=\"a*\"}"] && probes[18].mistake == nil)
    #expect(probes[19].target == "/usr/local/bin/check" && probes[19].arguments == ["--fast", ""])
  }

  @Test func aLaterProfileReplacesAProbeOfTheSameName() throws {
    let yaml = """
      profiles:
        - match: {}
          probes:
            - { name: a, tcp: { address: "127.0.0.1:1" } }
            - { name: b, tcp: { address: "127.0.0.1:2" } }
        - match: { host: gpu-1 }
          probes: [{ name: a, tcp: { address: "127.0.0.1:3" } }]
      """
    let configuration = try ConfigurationReader.read(yaml, file: "x")
    func targets(_ host: String) -> [String] {
      configuration.settings(labels: ["host": host], revision: 1).probes.map(\.target)
    }
    #expect(targets("gpu-1") == ["127.0.0.1:3", "127.0.0.1:2"] && targets("other") == ["127.0.0.1:1", "127.0.0.1:2"])
  }

  @Test func aHostGetsNoMoreProbesThanItsAgentTakes() throws {
    let many = (0..<64).map { "{ name: p\($0), tcp: { address: \"127.0.0.1:1\" } }" }.joined(separator: ", ")
    func read(_ match: String) throws -> Configuration {
      try ConfigurationReader.read(
        """
        profiles:
          - match: {}
            probes: [\(many)]
          - match: \(match)
            probes: [{ name: more, tcp: { address: "127.0.0.1:1" } }]
        """, file: "x")
    }
    let error = #expect(throws: ConfigurationMistakes.self) { try read("{ host: a }") }
    #expect(error?.all.map(sentence) == ["x:2: the profiles give host a 65 probes; a host asks at most 64"])
    #expect(throws: ConfigurationMistakes.self) { try read("{}") }
    #expect(throws: ConfigurationMistakes.self) { try read("{ host: \"gpu-*\" }") }
  }

  @Test(arguments: [
    ("{ name: a, htp: {} }", "unknown key 'htp' in a probe; did you mean 'http'?"),
    (
      "{ name: a }",
      "a probe needs one of http, tcp, redis, postgres, file, json, certificate, backup, queue, container, unit, command, prometheus"
    ),
    ("{ tcp: { address: 'h:1' } }", "a probe has no 'name'; write such as name: dashboard"),
    (
      "{ name: a, tcp: { address: 'h:1' }, redis: { address: 'h:1' } }",
      "a probe takes one of tcp and redis; remove the other"
    ),
    (
      "{ name: 'a b', tcp: { address: 'h:1' } }",
      "'a b' is no name of a probe; write 1 to 128 letters, digits, '.', '_' and '-'"
    ),
    (
      "{ name: a, tcp: { address: 'h:1' }, every: 1ms }", "'1ms' is no time for every; write 1s to 1d, such as 30s"
    ),
    (
      "{ name: a, tcp: { address: 'h:1' }, timeout: 1h }", "'1h' is no time for timeout; write 100ms to 5m, such as 5s"
    ),
    (
      "{ name: a, tcp: { address: 'h:1' }, every: 2s, timeout: 3s }",
      "the timeout of tcp/a is longer than the time between two questions; write a shorter one"
    ),
    (
      "{ name: a, prometheus: { url: 'http://h/metrics', keep: ['a b'] } }",
      "'a b' names no series; write NAME or NAME{label=\"value\"}, such as vllm:*{model_name=\"llama*\"}"
    ),
    (
      "{ name: a, prometheus: { url: 'http://h/metrics' }, every: 1h }",
      "metrics are read at least every 15m, because rates are of the time between two readings; write a shorter every"
    ),
    ("{ name: a, tcp: { adress: 'h:1' } }", "unknown key 'adress' in tcp; did you mean 'address'?"),
    ("{ name: a, tcp: {} }", "tcp has no 'address'; write such as address: 127.0.0.1:6379"),
    ("{ name: a, tcp: 3 }", "tcp must be keys with values, such as address: …"),
    ("{ name: a, redis: { address: 6379 } }", "'6379' is no address; write HOST:PORT, such as 127.0.0.1:6379"),
    ("{ name: a, http: {} }", "http has no 'url'; write such as url: http://127.0.0.1:8000/"),
    (
      "{ name: a, http: { url: 'ftp://h/' } }",
      "'ftp://h/' is no URL; write one such as http://127.0.0.1:8501/_stcore/health"
    ),
    (
      "{ name: a, http: { url: 'http://h:99999/' } }",
      "'http://h:99999/' is no URL; write one such as http://127.0.0.1:8501/_stcore/health"
    ),
    (
      "{ name: a, http: { url: 'http:///x' } }",
      "'http:///x' is no URL; write one such as http://127.0.0.1:8501/_stcore/health"
    ),
    (
      "{ name: a, http: { url: 'http://u:p@h/' } }", "a url must not hold a user or a password: every host would get it"
    ),
    (
      "{ name: a, http: { url: 'http://h/', expect: ok } }", "expect must be a whole number from 100 to 599, not 'ok'"
    ),
    (
      "{ name: a, postgres: { address: 'h:1', service: s } }",
      "postgres takes one of address and service; remove the other"
    ),
    (
      "{ name: a, postgres: { service: 'a b' } }",
      "'a b' is no service; letters, digits, '.', '_' and '-' may stand in it"
    ),
    ("{ name: a, file: { path: models } }", "'models' must be an absolute path, such as /srv/models"),
    (
      "{ name: a, json: { path: /srv/models } }",
      "json needs a path that ends in .json, such as /srv/models/**/*.json"
    ),
    ("{ name: a, certificate: {} }", "certificate needs one of path, address"),
    (
      "{ name: a, container: { name: 'a/../b' } }",
      "'a/../b' is no container; letters, digits, '.', '_' and '-' may stand in a name"
    ),
    ("{ name: a, unit: { name: api } }", "'api' is no unit of systemd; write its full name, such as api.service"),
    (
      "{ name: a, command: [check] }",
      "command needs an absolute path and what the program gets, such as [/usr/local/bin/check, --fast]"
    ),
    ("{ name: a, command: /bin/true }", "command must be a list: [a, b], or lines that start with '- '"),
  ])
  func mistakesAreToldWithLineAndRemedy(_ probe: String, _ message: String) {
    let found = sentences("profiles:\n  - match: {}\n    probes:\n      - " + probe + "\n")
    #expect(found.contains("x:4: " + message), "\(found)")
  }

  @Test func theSameNameTwiceIsAMistake() {
    let error = #expect(throws: ConfigurationMistakes.self) {
      try probes("- { name: a, tcp: { address: 'h:1' } }\n- { name: a, tcp: { address: 'h:2' } }")
    }
    #expect(
      error?.all.map(sentence) == ["x:5: the probe tcp/a stands twice in the same list; give each a name of its own"])
  }
}
