import FleetModel
import Foundation
import Testing

@testable import NVML

/// The stand-in for NVIDIA's library, built once for this process.
enum FakeNVML {
  static let directory = NSTemporaryDirectory() + "sampling-nvml-\(UUID().uuidString)"
  static var control: String { directory + "/control" }

  /// The library's path. It reads `control` at every question.
  static let library: String = {
    let source = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/fake-nvml/fake_nvml.c")
    try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let compiler = Process()
    compiler.executableURL = URL(filePath: "/usr/bin/env")
    compiler.arguments = ["cc", "-shared", "-fPIC", "-o", directory + "/libnvidia-ml.so.1", source.path()]
    try? compiler.run()
    compiler.waitUntilExit()
    _ = unsafe setenv("FAKE_NVML_CONTROL", control, 1)
    return directory + "/libnvidia-ml.so.1"
  }()

  static func behave(_ lines: String) throws { try Data(lines.utf8).write(to: URL(filePath: control)) }
}

@Suite(.serialized) struct NVMLTests {
  private func open(_ behaviour: String = "") throws -> NVMLLibrary {
    let path = FakeNVML.library
    try FakeNVML.behave(behaviour)
    return try NVMLLibrary(path: path)
  }

  @Test func `A healthy GPU tells everything`() throws {
    let library = try open()
    #expect(library.driverVersion() == "550.54.15")
    #expect(try library.deviceCount() == 2)
    let reading = try library.read(index: 1, withThroughput: true)
    let gpu = reading.sample
    #expect(gpu.index == 1 && gpu.uuid == "GPU-00000000-0000-0000-0000-000000000001")
    #expect(gpu.model == "NVIDIA H100 80GB HBM3" && reading.busID == "00000000:06:00.0")
    #expect(gpu.utilizationPercent == 88 && gpu.memoryUtilizationPercent == 40)
    #expect(gpu.memoryTotalBytes == 80 << 30 && gpu.memoryUsedBytes == 19 << 30, "without what the driver reserves")
    #expect(gpu.powerWatts == 612.345 && gpu.powerLimitWatts == 700)
    #expect(gpu.temperatureCelsius == 66 && gpu.temperatureMemoryCelsius == 91)
    #expect(gpu.clockSmMhz == 1980 && gpu.clockMemoryMhz == 2619)
    #expect(gpu.throttleReasons == 0x48)
    #expect(gpu.eccCorrectedTotal == 12 && gpu.eccUncorrectedTotal == 1)
    #expect(gpu.remappedRowsCorrected == 2 && gpu.remappedRowsUncorrected == 1 && gpu.remapPending && !gpu.remapFailed)
    #expect(gpu.pcieTransmitBytesPerSecond == 1_024_000 && gpu.pcieReceiveBytesPerSecond == 2_048_000)
    #expect(gpu.fanPercent.isNaN, "this card has no fan")
  }

  @Test func `What a driver does not support is no value, not zero`() throws {
    let gpu = try open("bare").read(index: 0, withThroughput: true).sample
    #expect(gpu.utilizationPercent == 87 && gpu.temperatureCelsius == 66)
    #expect(gpu.memoryUsedBytes == 20 << 30, "by the older call")
    for value in [
      gpu.powerWatts, gpu.powerLimitWatts, gpu.clockSmMhz, gpu.temperatureMemoryCelsius, gpu.pcieReceiveBytesPerSecond,
    ] { #expect(value.isNaN) }
  }

  @Test func `Processes are listed with their memory`() throws {
    let reading = try open("processes 777 1073741824").read(index: 0, withThroughput: false)
    #expect(
      reading.processes == [NVMLProcess(pid: 777, memoryBytes: 1 << 30), NVMLProcess(pid: 4243, memoryBytes: 0)],
      "what the driver does not know is 0")
    #expect(reading.sample.processCount == 2 && reading.sample.processMemoryBytes == 1 << 30)
    #expect(reading.sample.pcieReceiveBytesPerSecond.isNaN, "not asked for")
  }

  @Test func `A GPU off its bus is an error that says so`() throws {
    let library = try open("lost 1")
    #expect(try library.read(index: 0, withThroughput: false).sample.utilizationPercent == 87)
    let error = #expect(throws: NVMLError.self) { try library.read(index: 1, withThroughput: false) }
    #expect(error?.isLost == true)
    #expect(error?.description == "NVIDIA's library cannot identify a GPU: GPU is lost (15)")
  }

  @Test func `No library and no driver are errors with a reason`() throws {
    let missing = #expect(throws: NVMLError.self) { try NVMLLibrary(path: "/none/libnvidia-ml.so.1") }
    #expect(missing?.description.hasPrefix("cannot open /none/libnvidia-ml.so.1: ") == true)
    let unloaded = #expect(throws: NVMLError.self) { try open("fail 9") }
    #expect(unloaded?.description == "NVIDIA's library cannot start: Driver Not Loaded (9)")
    #expect(throws: NVMLError.lacks("nvmlInit")) { try NVMLLibrary(path: "libm.so.6") }
  }
}
