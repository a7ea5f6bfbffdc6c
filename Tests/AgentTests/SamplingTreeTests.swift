import FleetModel
import Testing

@testable import Agent

@Suite struct SamplingTreeTests {
  /// Two samples ten seconds apart; the second is returned.
  private func second(_ tree: String) throws -> Records {
    let host = try FixtureHost(tree)
    var sampler = host.sampler()
    _ = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: FixtureTime.bootNs)
    try host.goOn()
    return sampler.sample(
      wallNs: FixtureTime.wallNs + FixtureTime.tenSeconds, monotonicNs: FixtureTime.bootNs + FixtureTime.tenSeconds)
  }

  @Test(arguments: FixtureHost.trees) func `The first sample has totals and no rates`(tree: String) throws {
    let host = try FixtureHost(tree)
    var sampler = host.sampler()
    let records = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: FixtureTime.bootNs)
    let sample = try #require(records.hosts.first)
    #expect(records.hosts.count == 1)
    #expect(sample.timeNs == FixtureTime.wallNs)
    #expect(sample.memoryTotalBytes > 0)
    #expect(sample.memoryAvailableBytes > 0 && sample.memoryAvailableBytes <= sample.memoryTotalBytes)
    #expect(!sample.load1.isNaN)
    #expect(sample.cpuBusyPercent.isNaN && sample.cpuCoreMaxPercent.isNaN)
    #expect(sample.networkReceiveBytesPerSecond.isNaN && sample.diskReadBytesPerSecond.isNaN)
    #expect(sample.swapInBytesPerSecond.isNaN)
    #expect(records.processes.allSatisfy { $0.cpuPercent.isNaN })
    #expect(records.disks.allSatisfy { $0.readBytesPerSecond.isNaN })
  }

  @Test func `Linux 5-10: processor, memory and paging`() throws {
    let sample = try #require(try second("proc-5.10").hosts.first)
    #expect(isNear(sample.cpuUserPercent, 41.25))
    #expect(isNear(sample.cpuSystemPercent, 5))
    #expect(isNear(sample.cpuIowaitPercent, 2.5))
    #expect(isNear(sample.cpuIrqPercent, 1.25))
    #expect(isNear(sample.cpuBusyPercent, 47.5))
    #expect(isNear(sample.cpuCoreMaxPercent, 100))
    #expect(sample.contextSwitchesPerSecond == 2000)
    #expect(sample.processesRunning == 5 && sample.processesBlocked == 1)
    #expect(isNear(sample.load1, 3.52) && isNear(sample.load5, 2.81) && isNear(sample.load15, 1.97))
    #expect(sample.memoryTotalBytes == 65_843_192 << 10)
    #expect(sample.memoryAvailableBytes == 41_209_340 << 10)
    #expect(sample.memoryDirtyBytes == 4312 << 10)
    #expect(sample.memorySharedBytes == 913_408 << 10)
    #expect(sample.swapUsedBytes == (8_388_604 - 8_126_460) << 10)
    #expect(isNear(sample.swapInBytesPerSecond, 100 * 4096 / 10))
    #expect(isNear(sample.swapOutBytesPerSecond, 2000 * 4096 / 10))
    #expect(sample.oomKillsTotal == 4)
    #expect(isNear(sample.uptimeSeconds, 901_234.56))
    #expect(sample.fileDescriptorsUsed == 9824)
    #expect(isNear(sample.temperatureMaxCelsius, 64))
    #expect(sample.pressureCpuSomePercent.isNaN && sample.pressureIoFullPercent.isNaN, "this kernel has no PSI")
  }

  @Test func `Linux 5-10: the sum of disks counts the disk, not what is made of it`() throws {
    let records = try second("proc-5.10")
    let sample = try #require(records.hosts.first)
    #expect(isNear(sample.diskReadBytesPerSecond, 204_800 * 512 / 10))
    #expect(isNear(sample.diskWriteBytesPerSecond, 409_600 * 512 / 10))
    let root = try #require(records.disks.first { $0.mountPoint == "/" })
    #expect(root.device == "/dev/mapper/vg-root" && root.fileSystem == "ext4")
    #expect(isNear(root.readsPerSecond, 100) && isNear(root.writesPerSecond, 200))
    #expect(isNear(root.waitMs, 8000 / 3000))
    #expect(isNear(root.busyPercent, 50))
    #expect(root.usedPercent > 0 && root.usedPercent <= 100)
    #expect(!root.isReadOnly, "only this mount is read-only, its super block is not")
    #expect(records.disks.map(\.mountPoint).sorted() == ["/", "/boot/efi", "/dev/shm"])
  }

  @Test func `Linux 5-10: interfaces without a blank behind the colon`() throws {
    let records = try second("proc-5.10")
    let sample = try #require(records.hosts.first)
    #expect(isNear(sample.networkReceiveBytesPerSecond, 12_500_000))
    #expect(isNear(sample.networkTransmitBytesPerSecond, 1_250_000))
    let card = try #require(records.networks.first)
    #expect(records.networks.map(\.interface) == ["enp5s0f0"])
    #expect(isNear(card.receivePacketsPerSecond, 10_000))
    #expect(card.receiveErrorsTotal == 2 && card.receiveDropsTotal == 7 && card.transmitDropsTotal == 1)
    #expect(card.isUp && card.speedMbit == 10_000)
  }

  @Test func `Linux 6-8: pressure, offline processors and the busiest of 62`() throws {
    let sample = try #require(try second("proc-6.8").hosts.first)
    #expect(isNear(sample.cpuBusyPercent, 75.39))
    #expect(isNear(sample.cpuCoreMaxPercent, 100))
    #expect(isNear(sample.pressureCpuSomePercent, 12.34))
    #expect(isNear(sample.pressureMemorySomePercent, 1.5) && isNear(sample.pressureMemoryFullPercent, 0.75))
    #expect(isNear(sample.pressureIoSomePercent, 33) && isNear(sample.pressureIoFullPercent, 21.5))
    #expect(isNear(sample.temperatureMaxCelsius, 71.25))
    #expect(sample.fileDescriptorsUsed == 47_000)
    #expect(sample.memoryTotalBytes == 1_056_482_304 << 10)
  }

  @Test func `Linux 6-8: subvolumes are one file system, md counts once, a read-only super block is told`() throws {
    let records = try second("proc-6.8")
    let sample = try #require(records.hosts.first)
    #expect(isNear(sample.diskWriteBytesPerSecond, 7000 * 512 / 10))
    #expect(records.disks.map(\.mountPoint).sorted() == ["/", "/scratch"])
    let root = try #require(records.disks.first { $0.mountPoint == "/" })
    #expect(isNear(root.writesPerSecond, 90))
    #expect(records.disks.first { $0.mountPoint == "/scratch" }?.isReadOnly == true)
  }

  @Test func `Linux 6-8: a bond is not added to its cards`() throws {
    let records = try second("proc-6.8")
    #expect(isNear(records.hosts[0].networkReceiveBytesPerSecond, 2000))
    #expect(records.networks.map(\.interface).sorted() == ["eno1", "eno2", "ib0"])
    #expect(records.networks.first { $0.interface == "ib0" }?.isUp == false)
    #expect(records.networks.first { $0.interface == "ib0" }?.speedMbit == 400_000)
  }

  @Test func `A container: no MemAvailable, no cards, no devices`() throws {
    let records = try second("proc-container")
    let sample = try #require(records.hosts.first)
    #expect(
      isNear(sample.cpuUserPercent, 10) && isNear(sample.cpuStealPercent, 20) && isNear(sample.cpuBusyPercent, 30))
    #expect(sample.memoryAvailableBytes == 3_145_728 << 10)
    #expect(isNear(sample.networkReceiveBytesPerSecond, 1000) && isNear(sample.networkTransmitBytesPerSecond, 500))
    #expect(sample.diskReadBytesPerSecond.isNaN)
    #expect(records.disks.map(\.mountPoint).contains("/"))
    #expect(records.processes.map(\.name) == ["python"])
  }

  @Test func `File systems of the network are left to the probe process`() throws {
    for (tree, expected) in [("proc-5.10", ["/mnt/data sets"]), ("proc-6.8", ["/lustre", "/mnt/s3"])] {
      let host = try FixtureHost(tree)
      var sampler = host.sampler()
      let records = sampler.sample(wallNs: 1, monotonicNs: 1)
      #expect(sampler.networkMounts.map(\.mountPoint).sorted() == expected)
      #expect(!records.disks.contains { expected.contains($0.mountPoint) })
    }
  }

  @Test func `Counters that went back give no rate`() throws {
    let host = try FixtureHost("proc-5.10")
    var sampler = host.sampler()
    try host.goOn()
    _ = sampler.sample(wallNs: 1, monotonicNs: FixtureTime.bootNs)
    for path in ["proc/stat", "proc/vmstat", "proc/diskstats", "proc/net/dev"] {
      try host.write(path, try FixtureHost.text("proc-5.10", path))
    }
    let records = sampler.sample(wallNs: 2, monotonicNs: FixtureTime.bootNs + FixtureTime.tenSeconds)
    let sample = records.hosts[0]
    #expect(sample.cpuBusyPercent.isNaN && sample.swapOutBytesPerSecond.isNaN)
    #expect(sample.diskWriteBytesPerSecond.isNaN && sample.networkReceiveBytesPerSecond.isNaN)
    #expect(sample.contextSwitchesPerSecond == 0)
    #expect(records.networks.allSatisfy { $0.receiveBytesPerSecond.isNaN })
  }

  @Test func `A clock that stands still gives no rate`() throws {
    let host = try FixtureHost("proc-5.10")
    var sampler = host.sampler()
    _ = sampler.sample(wallNs: 1, monotonicNs: FixtureTime.bootNs)
    try host.goOn()
    let sample = sampler.sample(wallNs: 2, monotonicNs: FixtureTime.bootNs).hosts[0]
    #expect(sample.networkReceiveBytesPerSecond.isNaN && sample.diskReadBytesPerSecond.isNaN)
    #expect(isNear(sample.cpuBusyPercent, 47.5), "shares of the processor need no clock")
  }

  @Test func `Dear things are sampled at their phases`() throws {
    let host = try FixtureHost("proc-5.10")
    var sampler = Sampler(root: host.root)
    var disks = 0
    var networks = 0
    var processes = 0
    for index in 0..<21 {
      let records = sampler.sample(wallNs: 1, monotonicNs: FixtureTime.bootNs + Int64(index) * 1_000_000_000)
      #expect(records.hosts.count == 1)
      disks += records.disks.isEmpty ? 0 : 1
      networks += records.networks.isEmpty ? 0 : 1
      processes += records.processes.isEmpty ? 0 : 1
    }
    // At 0, 10 and 20; at 0, 1 and 11; at 0, 3, 8, 13 and 18.
    #expect(disks == 3 && networks == 3 && processes == 5)
  }

  @Test func `This machine can be sampled`() throws {
    var sampler = Sampler()
    _ = sampler.sample(wallNs: 1, monotonicNs: 1)
    let sample = sampler.sample(wallNs: 2, monotonicNs: 1_000_000_001).hosts[0]
    #expect(sample.memoryTotalBytes > 1 << 20)
    #expect(sample.diskUsedPercentMax.isNaN || (0...100).contains(sample.diskUsedPercentMax))
  }
}
