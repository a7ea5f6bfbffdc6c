import FleetModel
import Foundation
import Testing

@testable import Agent

/// No parser may trap, whatever the kernel, a container's file system or a liar writes.
@Suite struct SamplingDamageTests {
  private static let files = [
    "stat", "loadavg", "meminfo", "vmstat", "uptime", "sys/fs/file-nr", "pressure/cpu", "pressure/memory", "diskstats",
    "net/dev", "self/mountinfo", "4242/stat", "4242/io", "4242/cgroup", "cpuinfo",
  ]

  private static func texts() -> [[UInt8]] {
    var texts: [[UInt8]] = []
    for tree in FixtureHost.trees {
      let root = FixtureHost.directory(tree)
      let paths = files.map { "proc/" + $0 } + ["dev/kmsg"]
      for path in paths {
        if let data = try? Data(contentsOf: root.appending(path: path)) { texts.append([UInt8](data.prefix(700))) }
      }
    }
    return texts
  }

  /// One parser after the other, twice where they keep a state.
  private func parseAll(_ bytes: [UInt8], _ state: inout ParserState) {
    let text = bytes.span
    var sample = HostSample()
    state.processors.read(text)
    state.processors.fill(&sample, since: state.processorsBefore, seconds: 1)
    state.processorsBefore.read(text)
    MemoryReading.read(text).fill(&sample)
    PagingReading.read(text).fill(&sample, since: PagingReading(), seconds: 1, pageSizeBytes: 65_536)
    _ = PressureReading.read(text)
    SmallReadings.load(text, into: &sample)
    SmallReadings.fileHandles(text, into: &sample)
    SmallReadings.uptime(text, into: &sample)
    state.blocks.read(text)
    state.blocks.classify { _ in true }
    state.blocks.fill(&sample, seconds: 1)
    for device in state.blocks.devices {
      guard let now = device.now, let before = device.before else { continue }
      var disk = DiskSample()
      disk.fill(now, since: before, seconds: 1)
    }
    state.interfaces.read(text)
    state.interfaces.classify { _ in true }
    state.interfaces.fill(&sample, seconds: 1)
    _ = MountTable.read(text)
    _ = ProcessReading.read(text)
    _ = ProcessIO.read(text)
    _ = ControlGroup.read(text)
    var cursor = ProcCursor()
    while cursor.at < bytes.count {
      let before = cursor.at
      if let record = KernelRecord.next(text, &cursor) { _ = KernelMessages.finding(text, record.text) }
      if cursor.at == before { break }
    }
    _ = KernelMessages.finding(text, 0..<bytes.count)
  }

  private struct ParserState {
    var processors = ProcessorReading()
    var processorsBefore = ProcessorReading()
    var blocks = BlockDeviceReading()
    var interfaces = InterfaceReading()
  }

  @Test func `Texts cut at every byte`() {
    var state = ParserState()
    for text in Self.texts() {
      for length in 0...text.count { parseAll([UInt8](text.prefix(length)), &state) }
    }
    #expect(state.blocks.devices.count <= SamplingLimits.blockDevicesMax)
    #expect(state.interfaces.interfaces.count <= SamplingLimits.interfacesMax)
  }

  @Test func `Texts with random bytes, the seed printed by the failure`() {
    var random = SeededBytes(state: 0x5EED)
    let texts = Self.texts()
    let digits = Array("9999999999999999999999".utf8)
    for round in 0..<1500 {
      var state = ParserState()
      var text = texts[Int(random.next() % UInt64(texts.count))]
      for _ in 0..<(1 + random.next() % 8) where !text.isEmpty {
        let place = Int(random.next() % UInt64(text.count))
        switch random.next() % 4 {
        case 0: text[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: text.remove(at: place)
        case 2: text.insert(contentsOf: digits, at: place)
        default: text.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        }
      }
      parseAll(text, &state)
      parseAll(text.reversed(), &state)
      #expect(state.interfaces.interfaces.count <= SamplingLimits.interfacesMax, "round \(round)")
    }
  }

  @Test func `Noise alone`() {
    var random = SeededBytes(state: 77)
    for _ in 0..<500 {
      var state = ParserState()
      parseAll((0..<Int(random.next() % 600)).map { _ in UInt8(truncatingIfNeeded: random.next()) }, &state)
    }
  }

  @Test func `A host whose files are all noise still gives a sample`() throws {
    let host = try FixtureHost("proc-5.10")
    var random = SeededBytes(state: 3)
    var sampler = host.sampler()
    for round in 0..<20 {
      for file in Self.files where !file.hasPrefix("pressure") {
        let noise = (0..<300).map { _ in UInt8(truncatingIfNeeded: random.next() % 96 + 32) }
        try host.write("proc/" + file, String(decoding: noise, as: UTF8.self))
      }
      let records = sampler.sample(wallNs: Int64(round), monotonicNs: Int64(round) * 1_000_000_000)
      #expect(records.hosts.count == 1)
    }
  }
}

/// splitmix64, so that a failure can be had again.
struct SeededBytes {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
