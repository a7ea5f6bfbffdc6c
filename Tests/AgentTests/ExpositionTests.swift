import Files
import FleetModel
import Foundation
import TestSupport
import Testing

@testable import Agent

/// Prometheus' text formats, as client libraries, model servers and exporters write them.
@Suite struct ExpositionTests {
  static func read(_ text: String, _ wanted: String = "*") -> Exposition {
    Exposition.read(Array(text.utf8)) { StarPattern.matches($0, wanted) }
  }

  static func fixture(_ name: String) throws -> [UInt8] {
    try HostFiles.read(FixtureHost.directory("expositions").appending(path: name).path())
  }

  /// Two readings `seconds` apart. An empty first one is a service that has done nothing yet.
  static func figures(
    _ first: [UInt8], _ second: [UInt8], keep: [String] = [], seconds: Int64 = 20, figuresMax: Int = 256
  ) throws -> (figures: [String: Double], made: ExpositionFigures) {
    let patterns = try keep.map { try #require(SeriesPattern($0)) }
    func read(_ bytes: [UInt8]) -> Exposition {
      Exposition.read(bytes) { name in
        ServingSources.names.contains(Exposition.comparable(name)) || patterns.contains { $0.matchesName(name) }
      }
    }
    let before = ExpositionFigures(read(first), patterns, before: nil, nowNs: 1_000_000_000, figuresMax: figuresMax)
    let state = try #require(ExpositionState(Array(before.state.encode().dropFirst(4))))
    #expect(state == before.state)
    let made = ExpositionFigures(
      read(second), patterns, before: state, nowNs: (1 + seconds) * 1_000_000_000, figuresMax: figuresMax)
    return (Dictionary(made.figures.map { ($0.name + $0.labels, $0.value) }) { $1 }, made)
  }

  static func isNear(_ value: Double?, _ wanted: Double) -> Bool {
    value.map { abs($0 - wanted) <= abs(wanted) * 1e-9 + 1e-12 } ?? false
  }

  // MARK: Lines

  @Test func `Lines are read as the format has them`() {
    let read = Self.read(
      """
      # HELP up whether\\nit is up
      # TYPE up gauge
      up 1
       spaced { a = "x" , b="y", } 2.5e3 1395066363000
      quoted{path="C:\\\\DIR\\\\",error="Cannot find \\"file\\"\\nor }"} -Inf
      none{a=""} NaN
      utf{model="Größe 模"} 0x10
      exemplar_total 3 # {trace_id="a b"} 0.5 1.5
      crlf 7\r
      # a comment
      #TYPE after counter
      after 4
      # EOF
      later 1
      """)
    let series = Dictionary(read.series.map { ($0.name + $0.labelText, $0) }) { $1 }
    #expect(series["up"]?.value == 1 && series["spaced{a=\"x\",b=\"y\"}"]?.value == 2500)
    let quoted = series.values.first { $0.name == "quoted" }
    #expect(quoted?.label("path") == "C:\\DIR\\" && quoted?.label("error") == "Cannot find \"file\"\nor }")
    #expect(quoted?.value == -.infinity && quoted?.labelText.contains("\n") == false)
    #expect(series["none"]?.value.isNaN == true && series["crlf"]?.value == 7)
    #expect(series["exemplar_total"]?.kind == .counter && series["after"]?.kind == .counter)
    #expect(series["later"] == nil && read.unreadable == 1 && read.firstUnreadable == 7 && read.samples == 7)
  }

  @Test(arguments: [
    "<html>", "{\"name\": 1}", "a", "a b", "a{ 1", "a{b} 1", "a{b=c} 1", "a{b=\"c} 1", "a{b=\"c\" d=\"e\"} 1",
    "1a 2", "a 1 2 3", "a 1 x", "a{b=\"c\\", "a{=\"\"} 1", "\"quoted.name\" 1", "a{b=\"c\"}", "# TYPE a",
    "# TYPE a nonsense",
  ]) func `What is no line of the format is counted, and the next one is read`(_ line: String) {
    let read = Self.read(line + "\nnext 1\n")
    #expect(read.unreadable == 1 && read.firstUnreadable == 1 && read.series.map(\.name) == ["next"])
  }

  @Test func `Cut at any byte an exposition stays bounded and never fails`() throws {
    let whole = try Self.fixture("vllm-2.txt")
    for length in stride(from: 0, to: whole.count, by: 7) {
      let read = Exposition.read(Array(whole[..<length])) { _ in true }
      #expect(read.unreadable <= 1)
    }
    var random = SplitMix(seed: 11)
    for _ in 0..<200 {
      var bytes = whole
      for _ in 0..<20 { bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next()) }
      let read = Exposition.read(bytes) { _ in true }
      let made = ExpositionFigures(read, [], before: nil, nowNs: 1, figuresMax: 256)
      #expect(made.figures.count <= 256)
    }
  }

  @Test func `Beyond the limits series are left out and counted`() {
    let many = (0..<5000).map { "m{id=\"\($0)\"} 1" }.joined(separator: "\n")
    let read = Self.read(many)
    #expect(read.series.count == ExpositionLimits.seriesMax && read.leftOut == 5000 - ExpositionLimits.seriesMax)
    #expect(read.samples == 5000)
    let long = Self.read("m{id=\"\(String(repeating: "x", count: 1000))\"} 1\nn 1")
    #expect(long.series.map(\.name) == ["n"] && long.leftOut == 1)
    let labels = (0..<100).map { "l\($0)=\"\"," } + (0..<40).map { "k\($0)=\"1\"," }
    let wide = Self.read("m{\(labels.joined())} 1")
    #expect(wide.series.isEmpty && wide.leftOut == 1)
    let buckets = (0..<1000).map { "h_bucket{le=\"\($0)\"} \($0)" }.joined(separator: "\n")
    let histogram = Self.read(buckets + "\nh_bucket{le=\"+Inf\"} 1000\nh_count 1000\nh_sum 5")
    #expect(histogram.series.first?.buckets.count == ExpositionLimits.bucketsMax)
    #expect(histogram.series.first?.isCut == true && histogram.leftOut == 1)
    let full = (0..<1024).map { series in
      (0..<12).map { "h_bucket{s=\"\(series)\",le=\"\($0)\"} 1" }.joined(separator: "\n")
    }.joined(separator: "\n")
    let figures = ExpositionFigures(Self.read(full), [], before: nil, nowNs: 1, figuresMax: 10)
    #expect(figures.state.encode().count <= ExpositionState.bytesMax)
  }

  // MARK: Changes

  @Test func `Counters become rates; one that began anew counts from zero, as does one that is new`() throws {
    func reading(_ lines: String) -> [UInt8] { Array(("# TYPE a_total counter\n# TYPE b counter\n" + lines).utf8) }
    let (figures, _) = try Self.figures(
      reading("a_total 100\nb{x=\"1\"} 500\n"),
      reading("a_total 160\nb{x=\"1\"} 40\nb{x=\"2\"} 20\nuntyped_total 7\n"), keep: ["*"])
    #expect(figures["a_total.rate"] == 3 && figures["b.rate{x=\"1\"}"] == 2 && figures["b.rate{x=\"2\"}"] == 1)
    #expect(figures["untyped_total.rate"] == 0.35)
    // Where the first reading had left something out it is not known whether a series is new.
    let crowd = (0..<1100).map { "crowd_total{n=\"\($0)\"} 1" }.joined(separator: "\n") + "\n"
    let (after, _) = try Self.figures(reading(crowd), reading("a_total 5\n"), keep: ["*"])
    #expect(after["a_total.rate"] == nil)
  }

  @Test func `Quantiles are Prometheus' own`() {
    func quantile(_ rank: Double, _ buckets: (Double, Double)...) -> Double {
      BucketQuantile.value(rank, buckets.map { .init(bound: $0.0, count: $0.1) })
    }
    #expect(quantile(0.5, (1, 10), (2, 20), (.infinity, 20)) == 1)
    #expect(quantile(0.95, (1, 10), (2, 20), (.infinity, 20)) == 1.9)
    #expect(quantile(0.25, (.infinity, 20), (2, 20), (1, 10)) == 0.5)
    #expect(quantile(0.99, (1, 10), (2, 20), (.infinity, 100)) == 2)
    #expect(quantile(0.1, (-1, 10), (2, 20), (.infinity, 20)) == -1)
    #expect(quantile(0.9, (1, 10), (2, 5), (.infinity, 10)) == 0.9)
    #expect(quantile(0.5, (1, 0), (.infinity, 0)).isNaN && quantile(0.5, (1, 1), (2, 2)).isNaN)
    #expect(quantile(0.5, (.infinity, 3)).isNaN && quantile(0.5, (.nan, 1), (.infinity, 1)).isNaN)
  }

  @Test func `Histograms show what was measured between two readings, summaries their own quantiles`() throws {
    func reading(_ low: Int, _ high: Int, _ sum: Int, layout: String = "1") -> [UInt8] {
      let lines = [
        "h_bucket{le=\"\(layout)\"} \(low)", "h_bucket{le=\"10\"} \(high)", "h_bucket{le=\"+Inf\"} \(high)",
        "h_sum \(sum)", "h_count \(high)", "# TYPE s summary", "s{quantile=\"0.95\"} \(sum)", "s_sum \(sum)",
        "s_count \(high)",
      ]
      return Array(lines.joined(separator: "\n").utf8)
    }
    let (figures, _) = try Self.figures(reading(100, 100, 50), reading(110, 120, 100), keep: ["h", "s"])
    #expect(figures["h.p50"] == 1 && Self.isNear(figures["h.p95"], 9.1) && figures["h.rate"] == 1)
    #expect(figures["h.mean"] == 2.5 && figures["s.p95"] == 100 && figures["s.mean"] == 2.5)
    let (none, _) = try Self.figures(reading(100, 100, 50), reading(100, 100, 50), keep: ["h"])
    #expect(none["h.rate"] == 0 && none["h.p95"] == nil && none["h.mean"] == nil)
    let (other, _) = try Self.figures(reading(100, 100, 50), reading(110, 120, 100, layout: "2"), keep: ["h"])
    #expect(other.isEmpty)
    let (anew, _) = try Self.figures(reading(100, 100, 50), reading(20, 20, 10), keep: ["h"])
    #expect(anew["h.rate"] == 1 && anew["h.mean"] == 0.5)
  }

  @Test func `No more figures than the probe may have, those of serving first`() throws {
    let (figures, made) = try Self.figures(
      Self.fixture("vllm-1.txt"), Self.fixture("vllm-2.txt"), keep: ["*"], figuresMax: 40)
    #expect(figures.count == 40 && made.leftOut > 0)
    #expect(figures["serving.waiting"] == 31 && figures["serving.memory_bytes"] == 1.6e9)
  }

  // MARK: Servers

  /// The expected quantiles are computed from the observations' buckets by another program.
  @Test(arguments: ["vllm-2.txt", "vllm-2.openmetrics.txt"])
  func `A vLLM server is read in both formats`(_ second: String) throws {
    let (figures, made) = try Self.figures(
      Self.fixture("vllm-1.txt"), Self.fixture(second), keep: ["vllm*:request_success_total{finished_reason=\"st*\"}"])
    guard second == "vllm-2.txt" else {
      // Its names changed with the format, so that nothing is known of the time between; the gauges are there.
      #expect(figures["serving.waiting"] == 31 && figures["serving.cache_ratio"] == 0.98)
      return
    }
    #expect(made.systems == ["vLLM", "HTTP"] && made.kept == 1)
    #expect(figures["serving.running"] == 64 && figures["serving.waiting"] == 31)
    #expect(figures["serving.cache_ratio"] == 0.98 && figures["serving.requests_per_second"] == 20)
    #expect(figures["serving.tokens_per_second"] == 4000)
    #expect(Self.isNear(figures["serving.first_token_seconds.p50"], 0.3025))
    #expect(Self.isNear(figures["serving.first_token_seconds.p95"], 1.6857142857142857))
    #expect(Self.isNear(figures["serving.first_token_seconds.p99"], 2.3714285714285714))
    #expect(Self.isNear(figures["serving.first_token_seconds.mean"], 0.418099251642675))
    #expect(Self.isNear(figures["serving.error_ratio"], 8.0 / 408))
    // How long an answer takes says nothing of a server that writes texts.
    #expect(figures["serving.request_seconds.p95"] == nil && figures["serving.generation_seconds.p95"] != nil)
    let labels = "{engine=\"0\",finished_reason=\"stop\",model_name=\"meta-llama/Llama-3.1-8B-Instruct\"}"
    #expect(figures["vllm:request_success_total.rate" + labels] == 20)
  }

  @Test(
    arguments: [
      (
        "tgi.txt", "TGI",
        [
          "requests_per_second": 6, "error_ratio": 0.05, "waiting": 7, "running": 12, "tokens_per_second": 1200,
          "generation_seconds.p50": 0.946, "queue_seconds.mean": 8.25 / 114,
        ]
      ),
      (
        "triton.txt", "Triton",
        [
          "requests_per_second": 50, "error_ratio": 0.02, "waiting": 15, "request_seconds.mean": 0.05,
          "queue_seconds.mean": 0.001, "gpu_memory_bytes": 12_884_901_888,
        ]
      ),
      (
        "ray.txt", "Ray Serve",
        [
          "requests_per_second": 15, "error_ratio": 0.01, "waiting": 9, "request_seconds.p50": 0.1,
          "request_seconds.p95": 3, "request_seconds.mean": 0.4,
        ]
      ),
      ("dcgm.txt", "DCGM", ["gpu_memory_bytes": 44_023_414_784]),
    ] as [(String, String, [String: Double])])
  func `Each server says the same figures in its own metrics`(
    _ file: String, _ system: String, _ wanted: [String: Double]
  ) throws {
    let (figures, made) = try Self.figures([], Self.fixture(file))
    #expect(made.systems == [system])
    for (name, value) in wanted {
      #expect(Self.isNear(figures["serving." + name], value), "\(name): \(figures["serving." + name] ?? .nan)")
    }
  }

  @Test func `An exporter's series are kept by their patterns`() throws {
    let (figures, made) = try Self.figures(
      [], Self.fixture("node.txt"),
      keep: ["node_filesystem_avail_bytes{mountpoint=\"/\"}", "node_cpu_*{mode=\"user\"}", "go_gc_duration_seconds"])
    #expect(made.systems.isEmpty && made.kept == 3)
    let root = "{device=\"/dev/nvme0n1p2\",fstype=\"ext4\",mountpoint=\"/\"}"
    #expect(figures["node_filesystem_avail_bytes" + root] == 9.1298684928e+10)
    #expect(Self.isNear(figures["node_cpu_seconds_total.rate{cpu=\"0\",mode=\"user\"}"], 690.61))
    #expect(figures["go_gc_duration_seconds.p50"] == 4.1502e-05 && figures.count == 5)
  }
}

@Suite struct SeriesPatternTests {
  @Test func `A name, and labels with stars`() throws {
    let pattern = try #require(SeriesPattern("vllm:*{model_name=\"llama*\",engine=\"0\"}"))
    #expect(pattern.matchesName("vllm:x") && !pattern.matchesName("xvllm:x"))
    let labels = ["model_name": "llama-3", "engine": "0", "more": ""]
    #expect(pattern.matchesLabels { labels[$0] } && !pattern.matchesLabels { $0 == "engine" ? "0" : nil })
    #expect(try #require(SeriesPattern("*")).matchesLabels { _ in nil })
    #expect(try #require(SeriesPattern("up{}")).labels.isEmpty)
  }

  @Test(arguments: [
    "", "a b", "a{", "a}", "a{b}", "a{b=c}", "a{b=\"c\"", "a{b=\"c\",}", "a{b=\"c\"d=\"e\"}", "{b=\"c\"}", "a.b", "a-b",
    "a{b=~\"c\"}", "a{b=\"\\\"\"}", "a{b!=\"c\"}",
  ]) func `What is no pattern is none`(_ text: String) { #expect(SeriesPattern(text) == nil) }
}
