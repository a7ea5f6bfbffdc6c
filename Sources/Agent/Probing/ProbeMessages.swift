internal import FleetModel

/// What the agent asks its probe process.
package enum ProbeQuestion: Sendable, Equatable {
  /// All GPUs, through the library at this path.
  case gpus(library: String)
  /// statvfs(3) of a mounted file system.
  case fileSystem(path: String)
  /// How old the last change of a file is.
  case fileAge(path: String)
}

/// What the probe process answers.
enum ProbeAnswer: Sendable, Equatable {
  case gpus(GPUAnswer)
  case usage(FileSystemAnswer)
  /// Seconds.
  case age(Double)
  case failed(String)
}

/// Every GPU that the driver knows of.
struct GPUAnswer: Sendable, Equatable {
  var driverVersion = ""
  var gpus: [GPUSample] = []
  /// Bytes on all GPUs by process id.
  var memory: [GPUProcessMemory] = []
}

struct GPUProcessMemory: Sendable, Equatable {
  var pid: UInt32
  var bytes: UInt64
}

struct FileSystemAnswer: Sendable, Equatable {
  var totalBytes: UInt64 = 0
  var availableBytes: UInt64 = 0
  var inodesTotal: UInt64 = 0
  var inodesFree: UInt64 = 0
  var usedPercent = Float.nan
}

/// The bytes between the agent and its probe process.
///
/// A frame is its length (4 bytes), the question's number (4), its kind (1) and its fields, all little-endian. Both ends are the
/// same program of the same version; every length is checked nevertheless, because the other end may die in mid-frame.
enum ProbeWire {
  static let frameBytesMax = 256 << 10
  static let textBytesMax = 4096

  static func encode(_ question: ProbeQuestion, number: UInt32) -> [UInt8] {
    var writer = ProbeWriter(number: number)
    switch question {
    case .gpus(let library): writer.put(1, library)
    case .fileSystem(let path): writer.put(2, path)
    case .fileAge(let path): writer.put(3, path)
    }
    return writer.frame()
  }

  static func question(_ frame: Span<UInt8>) -> (number: UInt32, question: ProbeQuestion)? {
    var reader = ProbeReader()
    guard let number = reader.uint32(frame), let kind = reader.byte(frame), let text = reader.text(frame) else {
      return nil
    }
    switch kind {
    case 1: return (number, .gpus(library: text))
    case 2: return (number, .fileSystem(path: text))
    case 3: return (number, .fileAge(path: text))
    default: return nil
    }
  }

  static func encode(_ answer: ProbeAnswer, number: UInt32) -> [UInt8] {
    var writer = ProbeWriter(number: number)
    switch answer {
    case .gpus(let gpus): put(gpus, &writer)
    case .usage(let usage):
      writer.put(byte: 2)
      for value in [usage.totalBytes, usage.availableBytes, usage.inodesTotal, usage.inodesFree] { writer.put(value) }
      writer.put(usage.usedPercent)
    case .age(let seconds):
      writer.put(byte: 3)
      writer.put(seconds.bitPattern)
    case .failed(let reason): writer.put(255, reason)
    }
    return writer.frame()
  }

  static func answer(_ frame: Span<UInt8>) -> (number: UInt32, answer: ProbeAnswer)? {
    var reader = ProbeReader()
    guard let number = reader.uint32(frame), let kind = reader.byte(frame) else { return nil }
    switch kind {
    case 1: return gpus(frame, &reader).map { (number, .gpus($0)) }
    case 2: return usage(frame, &reader).map { (number, .usage($0)) }
    case 3: return reader.uint64(frame).map { (number, .age(Double(bitPattern: $0))) }
    case 255: return reader.text(frame).map { (number, .failed($0)) }
    default: return nil
    }
  }

  private static func usage(_ frame: Span<UInt8>, _ reader: inout ProbeReader) -> FileSystemAnswer? {
    guard let total = reader.uint64(frame), let available = reader.uint64(frame), let inodes = reader.uint64(frame),
      let free = reader.uint64(frame), let used = reader.float(frame)
    else { return nil }
    return FileSystemAnswer(
      totalBytes: total, availableBytes: available, inodesTotal: inodes, inodesFree: free, usedPercent: used)
  }
}

extension ProbeWire {
  private static func put(_ answer: GPUAnswer, _ writer: inout ProbeWriter) {
    writer.put(1, answer.driverVersion)
    writer.put(UInt32(answer.gpus.count))
    for gpu in answer.gpus {
      writer.put(gpu.index)
      writer.put(gpu.uuid)
      writer.put(gpu.model)
      for path in floats { writer.put(gpu[keyPath: path]) }
      for path in counts { writer.put(gpu[keyPath: path]) }
      for value in [gpu.remappedRowsCorrected, gpu.remappedRowsUncorrected, gpu.processCount] { writer.put(value) }
      writer.put(byte: (gpu.remapPending ? 1 : 0) | (gpu.remapFailed ? 2 : 0))
      writer.put(byte: gpu.state.rawValue)
    }
    writer.put(UInt32(answer.memory.count))
    for process in answer.memory {
      writer.put(process.pid)
      writer.put(process.bytes)
    }
  }

  /// A host has at most 64 GPUs, each with at most 128 processes.
  private static let gpusMax: UInt32 = 64
  private static let processesMax: UInt32 = 64 * 128

  private static func gpus(_ frame: Span<UInt8>, _ reader: inout ProbeReader) -> GPUAnswer? {
    var answer = GPUAnswer()
    guard let driver = reader.text(frame), let count = reader.uint32(frame), count <= gpusMax else { return nil }
    answer.driverVersion = driver
    for _ in 0..<count {
      guard let gpu = gpu(frame, &reader) else { return nil }
      answer.gpus.append(gpu)
    }
    guard let processes = reader.uint32(frame), processes <= processesMax else { return nil }
    for _ in 0..<processes {
      guard let pid = reader.uint32(frame), let bytes = reader.uint64(frame) else { return nil }
      answer.memory.append(GPUProcessMemory(pid: pid, bytes: bytes))
    }
    return answer
  }

  private static func gpu(_ frame: Span<UInt8>, _ reader: inout ProbeReader) -> GPUSample? {
    var gpu = GPUSample()
    guard let index = reader.uint32(frame), let uuid = reader.text(frame), let model = reader.text(frame) else {
      return nil
    }
    gpu.index = index
    gpu.uuid = uuid
    gpu.model = model
    for path in floats {
      guard let value = reader.float(frame) else { return nil }
      gpu[keyPath: path] = value
    }
    for path in counts {
      guard let value = reader.uint64(frame) else { return nil }
      gpu[keyPath: path] = value
    }
    guard let corrected = reader.uint32(frame), let uncorrected = reader.uint32(frame),
      let processes = reader.uint32(frame), let remap = reader.byte(frame),
      let state = reader.byte(frame).flatMap({ GPUState(rawValue: $0) })
    else { return nil }
    gpu.remappedRowsCorrected = corrected
    gpu.remappedRowsUncorrected = uncorrected
    gpu.processCount = processes
    gpu.remapPending = remap & 1 != 0
    gpu.remapFailed = remap & 2 != 0
    gpu.state = state
    return gpu
  }

  private static var floats: [WritableKeyPath<GPUSample, Float>] {
    [
      \.utilizationPercent, \.memoryUtilizationPercent, \.powerWatts, \.powerLimitWatts, \.temperatureCelsius,
      \.temperatureMemoryCelsius, \.clockSmMhz, \.clockMemoryMhz, \.fanPercent, \.pcieReceiveBytesPerSecond,
      \.pcieTransmitBytesPerSecond,
    ]
  }

  private static var counts: [WritableKeyPath<GPUSample, UInt64>] {
    [
      \.memoryTotalBytes, \.memoryUsedBytes, \.throttleReasons, \.eccCorrectedTotal, \.eccUncorrectedTotal,
      \.processMemoryBytes,
    ]
  }
}
