import FleetModel
import Testing

@testable import Agent

@Suite struct ProbingWireTests {
  static func gpu(_ index: UInt32) -> GPUSample {
    var gpu = GPUSample()
    gpu.index = index
    gpu.uuid = "GPU-\(index)"
    gpu.model = "NVIDIA H100"
    gpu.utilizationPercent = 55
    gpu.powerWatts = 610.5
    gpu.memoryUsedBytes = 40 << 30
    gpu.eccUncorrectedTotal = 3
    gpu.remappedRowsUncorrected = 2
    gpu.remapFailed = true
    gpu.stuckSeconds = .nan
    return gpu
  }

  private static let questions: [ProbeQuestion] = [
    .gpus(library: "/usr/lib/libnvidia-ml.so.1"), .fileSystem(path: "/mnt/data sets"), .fileAge(path: "/b/ü"),
  ]

  private static func answers() -> [ProbeAnswer] {
    [
      .gpus(
        GPUAnswer(driverVersion: "550", gpus: [gpu(0), gpu(7)], memory: [GPUProcessMemory(pid: 9, bytes: 1 << 40)])),
      .usage(FileSystemAnswer(totalBytes: 9, availableBytes: 8, inodesTotal: 7, inodesFree: 6, usedPercent: 12.5)),
      .age(3.25), .failed("no such file"),
    ]
  }

  private func feed(_ deframer: inout ProbeDeframer, _ bytes: [UInt8]) { deframer.append(bytes.span) }
  private func question(_ frame: [UInt8]) -> (number: UInt32, question: ProbeQuestion)? {
    ProbeWire.question(frame.span)
  }
  private func answer(_ frame: [UInt8]) -> (number: UInt32, answer: ProbeAnswer)? { ProbeWire.answer(frame.span) }

  @Test func `Questions come through as they were asked`() throws {
    for (index, asked) in Self.questions.enumerated() {
      var deframer = ProbeDeframer()
      feed(&deframer, ProbeWire.encode(asked, number: UInt32(index)))
      let first = deframer.next()
      let frame = try #require(first)
      let parsed = question(frame)
      let read = try #require(parsed)
      #expect(read.number == UInt32(index) && read.question == asked)
      let second = deframer.next()
      #expect(second == nil)
    }
  }

  @Test func `Answers come through whatever the pieces they arrive in`() throws {
    var stream: [UInt8] = []
    for (index, answer) in Self.answers().enumerated() { stream += ProbeWire.encode(answer, number: UInt32(index)) }
    for size in [1, 3, 64, stream.count] {
      var deframer = ProbeDeframer()
      var read: [ProbeAnswer] = []
      var at = 0
      while at < stream.count {
        feed(&deframer, Array(stream[at..<min(stream.count, at + size)]))
        at += size
        while let frame = deframer.next() {
          let parsed = answer(frame)
          read.append(try #require(parsed).answer)
        }
      }
      // NaN is not equal to itself: compared by its text.
      #expect("\(read)" == "\(Self.answers())")
    }
  }

  @Test func `Frames cut, changed or made of noise never trap`() {
    var random = SeededBytes(state: 0xB0B)
    for sent in Self.answers() {
      let whole = ProbeWire.encode(sent, number: 1)
      for length in 4..<whole.count {
        let cut = answer(Array(whole[4..<length]))
        #expect(cut == nil)
      }
      for _ in 0..<500 {
        var changed = whole
        changed[4 + Int(random.next() % UInt64(whole.count - 4))] = UInt8(truncatingIfNeeded: random.next())
        _ = answer(Array(changed[4...]))
        _ = question(Array(changed[4...]))
      }
    }
    for _ in 0..<200 {
      var deframer = ProbeDeframer()
      var noise: [UInt8] = []
      for _ in 0..<100 { noise.append(UInt8(truncatingIfNeeded: random.next())) }
      feed(&deframer, noise)
      while deframer.next() != nil {}
    }
  }

  @Test func `A length beyond the limit breaks the stream instead of being waited for`() {
    var deframer = ProbeDeframer()
    feed(&deframer, [0xFF, 0xFF, 0xFF, 0x7F, 1, 2, 3])
    let frame = deframer.next()
    #expect(frame == nil && deframer.isBroken)
  }
}
