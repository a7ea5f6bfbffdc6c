import FleetModel
import Postgres
import TestSupport
import Testing

@testable import Store

/// What `fleet status` shows of a host is its newest sample, whatever the order in which samples come.
@Suite(.timeLimit(.minutes(10))) struct LatestSampleTests {
  private func batch(_ sequence: UInt64, secondsAgo: Int64, cpu: Float, gpus: [Float] = []) -> Batch {
    var batch = Batch()
    var records = Records()
    var sample = HostSample()
    sample.timeNs = StoreFixture.nowNs - secondsAgo * 1_000_000_000
    sample.cpuBusyPercent = cpu
    sample.memoryTotalBytes = 1000
    sample.memoryAvailableBytes = 250
    records.hosts = [sample]
    records.gpus = gpus.enumerated().map { index, utilization in
      var gpu = GPUSample()
      gpu.timeNs = sample.timeNs + Int64(index)
      gpu.index = UInt32(index)
      gpu.model = "H\"100\u{1b}"
      gpu.utilizationPercent = utilization
      if utilization.isNaN { gpu.state = .absent }
      return gpu
    }
    batch.spooled = [
      SpooledRecords(lane: .live, firstSequence: sequence, lastSequence: sequence, records: records)
    ]
    return batch
  }

  private func shown(_ fixture: StoreFixture) throws -> [String: ReadValue] {
    let reader = try FleetReader(fixture.database.url)
    defer { reader.close() }
    let table = try reader.read(FleetQueries.status())
    return Dictionary(uniqueKeysWithValues: zip(table.columns, try #require(table.rows.first)))
  }

  @Test func theNewestIsShownAndAnOlderOneThatComesLateChangesNothing() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let group = [
      stream.staged(batch(1, secondsAgo: 5, cpu: 20)), stream.staged(batch(2, secondsAgo: 90, cpu: 99)),
    ]
    #expect(try fixture.store.commit(group) == [.committed, .committed])
    #expect(try shown(fixture)["cpu_busy_percent"] == .real(20))
    #expect(try shown(fixture)["memory_used_percent"] == .real(75))
    #expect(try shown(fixture)["gpus"] == .json("[]"))
    #expect(try fixture.store.commit([stream.staged(batch(3, secondsAgo: 60, cpu: 98))]) == [.committed])
    #expect(try shown(fixture)["cpu_busy_percent"] == .real(20))
    // What is not known is null, not the value before.
    #expect(try fixture.store.commit([stream.staged(batch(4, secondsAgo: 1, cpu: .nan))]) == [.committed])
    #expect(try shown(fixture)["cpu_busy_percent"] == .null)
  }

  @Test func gpusAreThoseOfTheNewestTickAndGoWhenTheyAreNoLongerSampled() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    #expect(
      try fixture.store.commit([stream.staged(batch(1, secondsAgo: 50, cpu: 1, gpus: [10, .nan, 30]))]) == [.committed])
    var row = try shown(fixture)
    #expect(row["gpu_summary"] == .text("10% absent 30%"))
    guard case .json(let text)? = row["gpus"] else {
      Issue.record("\(row)")
      return
    }
    let absent = """
      {"index":1,"model":"H\\"100\\u001b","state":"absent","utilization_percent":null,"memory_used_bytes":0,\
      "memory_total_bytes":0,"temperature_celsius":null,"power_watts":null}
      """
    #expect(text.contains(absent) && text.contains(#""state":"present","utilization_percent":30,"#), "\(text)")
    // A host sample without GPUs 10 s later keeps them; one 40 s later does not.
    #expect(try fixture.store.commit([stream.staged(batch(2, secondsAgo: 40, cpu: 2))]) == [.committed])
    row = try shown(fixture)
    #expect(row["gpu_summary"] == .text("10% absent 30%"))
    #expect(try fixture.store.commit([stream.staged(batch(3, secondsAgo: 10, cpu: 3))]) == [.committed])
    row = try shown(fixture)
    #expect(row["gpu_summary"] == .null && row["gpus"] == .json("[]"))
  }

  @Test func figuresNoOneExpectsOfADriverAreShown() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    let group = [stream.staged(batch(1, secondsAgo: 1, cpu: 1, gpus: [1e30, -3.7, .infinity, 99.9]))]
    #expect(try fixture.store.commit(group) == [.committed])
    guard case .text(let words)? = try shown(fixture)["gpu_summary"] else { return #expect(Bool(false)) }
    #expect(words.hasPrefix("1.0") && words.hasSuffix("e+30% -3% ? 99%"), "\(words)")
  }

  @Test func whatAnOlderCollectorKeptAsTextIsThereAfterTheMigration() throws {
    let fixture = try StoreFixture()
    let stream = try fixture.stream()
    #expect(try fixture.store.commit([stream.staged(batch(1, secondsAgo: 2, cpu: 1, gpus: [50]))]) == [.committed])
    let connection = fixture.store.connection
    try connection.execute(
      #"""
      alter table signalbox.epochs drop column latest_gpu_readings;
      drop type signalbox.gpu_reading;
      update signalbox.epochs set latest_gpu_summary = '91% stuck', latest_gpus =
        '[{"index":0,"model":"H\"100","state":"present","utilization_percent":91.5,"memory_used_bytes":64424509440,\#
      "memory_total_bytes":85899345920,"temperature_celsius":66.0,"power_watts":null},\#
      {"index":1,"model":"","state":"stuck","utilization_percent":null,"memory_used_bytes":0,\#
      "memory_total_bytes":0,"temperature_celsius":null,"power_watts":null}]'
      """#)
    try connection.execute(IdentityTables.gpuReadings)
    let row = try shown(fixture)
    #expect(row["gpu_summary"] == .text("91% stuck"))
    #expect(
      row["gpus"]
        == .json(
          #"""
          [{"index":0,"model":"H\"100","state":"present","utilization_percent":91.5,"memory_used_bytes":64424509440,\#
          "memory_total_bytes":85899345920,"temperature_celsius":66,"power_watts":null},\#
          {"index":1,"model":"","state":"stuck","utilization_percent":null,"memory_used_bytes":0,\#
          "memory_total_bytes":0,"temperature_celsius":null,"power_watts":null}]
          """#))
  }
}
