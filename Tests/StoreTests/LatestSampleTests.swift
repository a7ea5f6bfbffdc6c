import FleetModel
import Store
import TestSupport
import Testing

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
    #expect(text.contains(#""model":"H\"100\u001b""#) && text.contains(#""utilization_percent":null"#), "\(text)")
    // A host sample without GPUs 10 s later keeps them; one 40 s later does not.
    #expect(try fixture.store.commit([stream.staged(batch(2, secondsAgo: 40, cpu: 2))]) == [.committed])
    row = try shown(fixture)
    #expect(row["gpu_summary"] == .text("10% absent 30%"))
    #expect(try fixture.store.commit([stream.staged(batch(3, secondsAgo: 10, cpu: 3))]) == [.committed])
    row = try shown(fixture)
    #expect(row["gpu_summary"] == .null && row["gpus"] == .json("[]"))
  }
}
