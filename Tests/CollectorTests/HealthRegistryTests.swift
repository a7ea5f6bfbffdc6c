import Collector
import Testing

@Suite struct HealthRegistryTests {
  private static let second: Int64 = 1_000_000_000

  @Test func aThreadThatGetsOnIsNoProblem() {
    let registry = HealthRegistry()
    let writer = registry.watch("writer-0")
    for at in 0..<100 as Range<Int64> {
      writer.began(nowNs: at * Self.second)
      writer.succeeded()
    }
    #expect(registry.problem(nowNs: 1000 * Self.second) == nil)
    #expect(registry.stalledSeconds(nowNs: 1000 * Self.second).map(\.seconds) == [0])
  }

  @Test func oneThreadThatIsRefusedAgainAndAgainIsNamedAmongOthersThatGetOn() {
    let registry = HealthRegistry()
    let (writer, other) = (registry.watch("writer-0"), registry.watch("writer-1"))
    for at in 0...11 as ClosedRange<Int64> {
      writer.began(nowNs: at * Self.second)
      writer.failed("value out of range", nowNs: at * Self.second)
      other.began(nowNs: at * Self.second)
      other.succeeded()
      // Short troubles are not reported.
      if at <= 10 { #expect(registry.problem(nowNs: at * Self.second) == nil) }
    }
    #expect(registry.problem(nowNs: 11 * Self.second) == "writer-0 has failed for 11 s: value out of range")
    writer.succeeded()
    #expect(registry.problem(nowNs: 12 * Self.second) == nil)
  }

  @Test func aDatabaseThatDoesNotAnswerIsOneToo() {
    let registry = HealthRegistry()
    let paging = registry.watch("paging-database", patienceNs: 5 * Self.second)
    paging.began(nowNs: 0)
    #expect(registry.problem(nowNs: 5 * Self.second) == nil)
    #expect(registry.problem(nowNs: 6 * Self.second) == "paging-database has waited for the database for 6 s")
    #expect(
      registry.stalledSeconds(nowNs: 6 * Self.second).map { "\($0.thread) \($0.seconds)" } == ["paging-database 6"])
  }

  /// Others may wait for locks of their own; nothing of what hosts report waits for those.
  @Test func onlyThreadsThatStoreReportsHoldThemBack() {
    let registry = HealthRegistry()
    let (writer, paging) = (registry.watch("writer-0", storesReports: true), registry.watch("paging-database"))
    writer.failed("No space left on device", nowNs: 0)
    paging.began(nowNs: 0)
    let at = 31 * Self.second
    #expect(registry.storingProblem(patienceNs: at, nowNs: at) == nil)
    let sentence = "writer-0 has failed for 31 s: No space left on device"
    #expect(registry.storingProblem(patienceNs: at - 1, nowNs: at) == sentence)
    #expect(registry.storingProblem(patienceNs: 0, nowNs: at) == sentence)
    writer.succeeded()
    #expect(registry.storingProblem(patienceNs: 0, nowNs: at) == nil)
  }

  @Test func hostsWaitForWhatHoldsThem() {
    let registry = HealthRegistry()
    let control = registry.watch("control", holds: .hostsWithoutStream)
    let paging = registry.watch("paging-database", holds: .allHosts)
    registry.watch("housekeeping").began(nowNs: 0)
    func held(_ hasStream: Bool) -> Int64 { registry.heldNs(hasStream: hasStream, nowNs: 9) }
    #expect(held(true) == 0 && held(false) == 0)
    control.began(nowNs: 2)
    #expect(held(true) == 0 && held(false) == 7)
    paging.began(nowNs: 5)
    #expect(held(true) == 4 && held(false) == 7)
    control.succeeded()
    #expect(held(true) == 4 && held(false) == 4)
  }

  @Test func metricsNameEveryThread() {
    let metrics = CollectorMetrics()
    _ = metrics.health.watch("writer-0")
    _ = metrics.health.watch("outbox")
    let page = metrics.exposition
    #expect(page.contains("# TYPE signalbox_database_stalled_seconds gauge\n"))
    #expect(page.contains("signalbox_database_stalled_seconds{thread=\"outbox\"} 0\n"))
    #expect(
      page.contains("signalbox_store_set_aside_total 0\n") && page.contains("signalbox_writer_rows_refused_total 0\n"))
  }
}
