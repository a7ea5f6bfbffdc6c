import FleetModel
import SiteConfiguration
import Testing

@Suite struct ConfigurationTests {
  @Test func readsRetentionAndProfiles() throws {
    let yaml = """
      retention:
        logs: { error: 120d, debug: 2d }
        samples: forever
      profiles:
        - match: {}
          logs: [{ path: "/srv/**/*.log" }]
          exclude: ["*.tmp"]
        - match: { host: gpu-1 }
          logs: [{ path: "/data/*.csv" }, { path: "/srv/**/*.log" }]
          exclude: ["*.tmp", "/srv/cache/**"]
          metrics: [{ match: 'it (?<step>\\d+) cost=(?<cost>\\S+)', file: /srv/**/*.log }, { match: '(?<x>\\d+)' }]
          interval: 5s
      """
    let configuration = try ConfigurationReader.read(yaml, file: "signalbox.yaml")
    #expect(configuration.retention.errorLogsNs == 120 * Retention.dayNs)
    #expect(configuration.retention.warnLogsNs == 60 * Retention.dayNs)
    #expect(configuration.retention.samplesNs == nil)
    let settings = configuration.settings(labels: ["host": "gpu-1"], revision: 7)
    #expect(settings.follow == ["/srv/**/*.log", "/data/*.csv"])
    #expect(settings.exclude == ["*.tmp", "/srv/cache/**"])
    #expect(
      settings.metrics == [
        MetricPattern(match: #"it (?<step>\d+) cost=(?<cost>\S+)"#, file: "/srv/**/*.log"),
        MetricPattern(match: #"(?<x>\d+)"#),
      ])
    #expect(settings.sampleIntervalMs == 5000)
    #expect(configuration.settings(labels: ["host": "other"], revision: 7).sampleIntervalMs == 0)
  }

  @Test func quotasAreSetByKindAndWhatIsNotGivenStays() throws {
    let yaml = "quotas:\n  runs: { per_day: 10, burst: 40 }\n  files: { burst: 7 }\n"
    let quotas = try ConfigurationReader.read(yaml, file: "x").quotas
    #expect(quotas.count == 2)
    #expect(quotas[.runs] == RateLimit(perDay: 10, burst: 40))
    #expect(quotas[.files] == RateLimit(perDay: 50_000, burst: 7))
    for kind in HostQuota.Kind.allCases {
      let same = try ConfigurationReader.read("quotas: { \(kind.text): { burst: \(kind.limit.burst) } }", file: "x")
      #expect(same.quotas == [kind: kind.limit])
    }
  }

  @Test func anEmptyFileIsTheDefault() throws {
    var expected = Configuration()
    expected.maintenance = []
    expected.hostLabels = []
    #expect(try ConfigurationReader.read("# nothing\n", file: "x") == expected)
  }

  @Test(arguments: [
    ("retenton: {}", "x:1: unknown key 'retenton' in the file; did you mean 'retention'?"),
    (
      "retention:\n  logs: { fatal: 1d }",
      "x:2: unknown key 'fatal' in retention.logs; valid are error, warn, info, debug"
    ),
    (
      "retention:\n  samples: soon", "x:2: 'soon' is no time for samples; write 1h to 36525d, such as 30d, or forever"
    ),
    ("retention: 3", "x:1: retention must be keys with values, such as logs: …"),
    ("profiles: {}", "x:1: profiles must be a list: [a, b], or lines that start with '- '"),
    ("profiles:\n- logs: [{ path: a.log }]", "x:2: 'a.log' must be an absolute path, such as /srv/train/**/*.log"),
    (
      "profiles:\n- exclude: [cache/*.tmp]",
      "x:2: 'cache/*.tmp' must be an absolute path with wildcards, or a name such as '*.tmp'"
    ),
    (
      "profiles:\n- logs: [{ path: '/srv/[a' }]",
      "x:2: '/srv/[a': a '[' has no ']': [abc] is one character of a set, [[] is the sign itself"
    ),
    (
      "profiles:\n- exclude: ['*.{tmp,bak}']",
      "x:2: '*.{tmp,bak}': {a,b} is not supported: write one pattern for each; [{] is the sign itself"
    ),
    (
      "profiles:\n- metrics: [{ match: 'loss' }]",
      "x:2: 'loss' names no metric; write (?<loss>\\S+) around the number of the metric loss"
    ),
    (
      "profiles:\n- metrics: [{ match: '(?<x>1)', file: a.log }]",
      "x:2: 'a.log' must be an absolute path, such as /srv/train/**/*.log"
    ),
    ("profiles:\n- interval: 1y", "x:2: '1y' is no time for interval; write 100ms to 1h, such as 1s"),
    (
      "quotas: { run: {} }",
      "x:1: unknown key 'run' in quotas; did you mean 'runs'?"
    ),
    ("quotas: { runs: 5 }", "x:1: quotas.runs must be keys with values, such as per_day: …"),
    (
      "quotas:\n  runs: { burst: -1 }",
      "x:2: burst must be a whole number from 1 to 50000000, not '-1'"
    ),
    (
      "quotas:\n  files: { per_day: 99999999999 }",
      "x:2: per_day must be a whole number from 1 to 1000000, not '99999999999'"
    ),
    (
      "quotas:\n  steps: { per_day: 1e9 }",
      "x:2: per_day must be a whole number from 1 to 86400000000, not '1e9'"
    ),
    ("a: [", "x:2: is no YAML: did not find expected node content"),
  ])
  func mistakesAreToldWithLineAndRemedy(_ yaml: String, _ message: String) {
    #expect(sentences(yaml).contains(message), "\(sentences(yaml))")
  }
}
