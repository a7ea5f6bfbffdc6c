import Collector
import Testing

@Suite struct StatusPageTests {
  func ask(_ request: String, problem: String? = nil) -> String? {
    let metrics = CollectorMetrics()
    metrics.rowsCommitted.add(42)
    metrics.commitDuration.observe(ms: 3)
    return StatusPage.response(
      to: Array(request.utf8), metrics: { metrics.exposition }, problem: { problem }
    ).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func metricsAreInPrometheusTextFormat() throws {
    let answer = try #require(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(
      answer.contains(
        "# TYPE signalbox_writer_rows_committed_total counter\nsignalbox_writer_rows_committed_total 42\n"))
    #expect(answer.contains("signalbox_writer_commit_duration_seconds_bucket{le=\"0.005\"} 1\n"))
    #expect(answer.contains("signalbox_writer_commit_duration_seconds_count 1\n"))
  }

  @Test func healthSaysWhatIsWrong() {
    #expect(ask("GET /health HTTP/1.0\n\n")?.hasSuffix("\r\n\r\nok\n") == true)
    #expect(ask("GET /health HTTP/1.1\r\n\r\n", problem: "database away")?.contains("503") == true)
  }

  @Test(arguments: [
    ("POST /metrics HTTP/1.1\r\n\r\n", "405"), ("GET /x HTTP/1.1\r\n\r\n", "404"), ("hello\r\n\r\n", "400"),
    (String(repeating: "x", count: 9000), "431"),
  ])
  func otherRequestsAreRefused(_ request: String, _ status: String) {
    #expect(ask(request)?.hasPrefix("HTTP/1.1 \(status)") == true)
  }

  @Test func anUnfinishedHeadWaits() {
    #expect(ask("GET /metrics HTTP/1.1\r\n") == nil)
  }
}
