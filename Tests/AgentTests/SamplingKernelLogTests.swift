import FleetModel
import Testing

@testable import Agent

@Suite struct SamplingKernelLogTests {
  private func events(_ tree: String, monotonicNs: Int64, after: UInt64? = nil) throws -> [Event] {
    let host = try FixtureHost(tree)
    var sampler = host.sampler { $0.kernelLogAfter = after }
    return sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: monotonicNs).events
  }

  @Test func `Every message of trouble becomes one event with its device or process`() throws {
    let events = try events("proc-5.10", monotonicNs: FixtureTime.bootNs)
    let found = events.map { "\($0.kind) \($0.subject)" }
    #expect(
      found == [
        "oomKill python3[5151]", "xid 0000:05:00", "xid 0000:0b:00", "xid 0000:41:00.0", "ioError sda", "ioError dm-0",
        "ioError ", "hungTask python3[4242]", "ioError nvme0", "kernel python3[6001]", "ioError filer",
      ])
  }

  @Test func `An Xid is told in one form, whatever the driver wrote`() throws {
    let xids = try events("proc-5.10", monotonicNs: FixtureTime.bootNs).filter { $0.kind == .xid }
    #expect(xids[0].message.hasPrefix("Xid 79 on 0000:05:00: NVRM: Xid (PCI:0000:05:00): 79, pid=4242"))
    #expect(xids[1].message.hasPrefix("Xid 31 on 0000:0b:00: "))
    #expect(xids[2].message.hasPrefix("Xid 79 on 0000:41:00.0: "), "a line without the word, read as 79")
  }

  @Test func `Newer kernels' forms are known, too`() throws {
    let events = try events("proc-6.8", monotonicNs: 7_200_000_000_000)
    #expect(
      events.map { "\($0.kind) \($0.subject)" } == [
        "xid 0000:18:00", "oomKill pt_main_thread[9007]", "ioError nvme1", "kernel 17", "ioError nvme1n1",
      ])
  }

  @Test func `An event has the time of its record`() throws {
    let event = try #require(try events("proc-5.10", monotonicNs: FixtureTime.bootNs).first)
    #expect(event.timeNs == FixtureTime.wallNs - (FixtureTime.bootNs - 901_000_000_100_000))
  }

  @Test func `What was told before a restart is not told again, and old history is no news`() throws {
    #expect(try events("proc-5.10", monotonicNs: FixtureTime.bootNs, after: 1211).map(\.subject) == ["filer"])
    #expect(try events("proc-5.10", monotonicNs: FixtureTime.bootNs + 400_000_000_000).isEmpty)
  }

  @Test func `A flood of messages is let through in part and counted`() throws {
    let host = try FixtureHost("proc-6.8")
    var lines = ""
    for index in 0..<90 { lines += "3,\(index),7190000000,-;I/O error, dev sda, sector \(index)\n" }
    try host.write("dev/kmsg", lines)
    var sampler = host.sampler()
    let first = sampler.sample(wallNs: 1, monotonicNs: 7_200_000_000_000).events
    #expect(first.count == EventBudget.burst)
    // New room after a while: the sum of what was left out is told.
    var budget = EventBudget()
    var events: [Event] = []
    for _ in 0..<40 { budget.offer(Event(), monotonicNs: 0, into: &events) }
    budget.settle(wallNs: 1, into: &events)
    #expect(events.count == 30)
    budget.offer(Event(), monotonicNs: 10_000_000_000, into: &events)
    budget.settle(wallNs: 1, into: &events)
    #expect(events.count == 32)
    #expect(events.last?.message.hasPrefix("10 kernel messages") == true)
  }
}
