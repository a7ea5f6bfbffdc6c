@testable internal import Agent
internal import FleetModel

/// Files of /proc as a kernel might write them: the first byte says which.
enum ProcParsersTarget {
  static func run(_ input: [UInt8]) {
    let kind = input.first ?? 0
    let bytes = Array(input.dropFirst())
    let text = bytes.span
    var sample = HostSample()
    switch kind % 12 {
    case 0:
      var reading = ProcessorReading()
      reading.read(text)
      reading.read(text)
      reading.fill(&sample, since: reading, seconds: 1)
    case 1: _ = MemoryReading.read(text)
    case 2: _ = PagingReading.read(text)
    case 3:
      var reading = InterfaceReading()
      reading.read(text)
      reading.classify { $0.hasPrefix("e") }
      reading.fill(&sample, seconds: 1)
    case 4:
      var reading = BlockDeviceReading()
      reading.read(text)
      reading.classify { $0.hasPrefix("s") }
      reading.fill(&sample, seconds: 1)
    case 5: _ = MountTable.read(text)
    case 6: _ = ProcessReading.read(text)
    case 7: _ = ProcessIO.read(text)
    case 8: _ = ControlGroup.read(text)
    case 9: _ = PressureReading.read(text)
    case 10:
      SmallReadings.load(text, into: &sample)
      SmallReadings.fileHandles(text, into: &sample)
      SmallReadings.uptime(text, into: &sample)
      _ = SmallReadings.number(text)
    default: kernelLog(text)
    }
  }

  private static func kernelLog(_ text: Span<UInt8>) {
    var cursor = ProcCursor()
    var records = 0
    while KernelRecord.next(text, &cursor) != nil {
      records += 1
      precondition(records <= text.count, "more records than bytes")
    }
    _ = KernelMessages.finding(text, 0..<text.count)
  }
}
