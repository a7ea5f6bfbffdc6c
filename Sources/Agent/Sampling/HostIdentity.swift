internal import Files
package import FleetModel

/// What a host reports of itself once, in `Hello`.
package struct HostIdentity: Sendable, Equatable {
  package var facts = HostFacts()
  /// /proc/sys/kernel/random/boot_id: another one after each boot; random(4).
  package var bootID = BootID(high: 0, low: 0)
  /// The 32 hexadecimal digits of machine-id(5). It names the machine to everybody: only a hash of it leaves the host. "" where there is none.
  package var machineID = ""

  /// Reads the host.
  /// - Parameter root: as `Sampler`'s. Cost: some reads and, for /proc/cpuinfo of many CPUs, milliseconds: call it once.
  package static func read(root: String = "") -> HostIdentity {
    var identity = HostIdentity()
    identity.facts.hostName = line(root + "/proc/sys/kernel/hostname")
    identity.facts.kernelRelease = line(root + "/proc/sys/kernel/osrelease")
    identity.facts.osName = osName(root)
    identity.facts.architecture = Machine.architecture()
    readProcessors(root, &identity.facts)
    if let bytes = try? HostFiles.read(root + "/proc/meminfo") {
      let memory = MemoryReading.read(bytes.span)
      identity.facts.memoryTotalBytes = memory.total
      identity.facts.swapTotalBytes = memory.swapTotal
    }
    if let (high, low) = hexadecimal(line(root + "/proc/sys/kernel/random/boot_id")) {
      identity.bootID = BootID(high: high, low: low)
    }
    for path in ["/etc/machine-id", "/var/lib/dbus/machine-id"] where identity.machineID.isEmpty {
      let id = line(root + path)
      if hexadecimal(id) != nil { identity.machineID = id }
    }
    return identity
  }

  /// 128 bits of 32 hexadecimal digits, with or without hyphens.
  static func hexadecimal(_ text: String) -> (UInt64, UInt64)? {
    var high: UInt64 = 0
    var low: UInt64 = 0
    var digits = 0
    for byte in text.utf8 where byte != UInt8(ascii: "-") {
      guard let digit = digit(byte), digits < 32 else { return nil }
      if digits < 16 { high = high << 4 | digit } else { low = low << 4 | digit }
      digits += 1
    }
    return digits == 32 ? (high, low) : nil
  }

  private static func digit(_ byte: UInt8) -> UInt64? {
    switch byte {
    case 48...57: UInt64(byte - 48)
    case 97...102: UInt64(byte - 87)
    case 65...70: UInt64(byte - 55)
    default: nil
    }
  }

  private static func line(_ path: String) -> String {
    guard let bytes = try? HostFiles.read(path, limitBytes: 512) else { return "" }
    return ProcText.line(bytes)
  }

  /// os-release(5).
  private static func osName(_ root: String) -> String {
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
      guard let bytes = try? HostFiles.read(root + path, limitBytes: 16 << 10) else { continue }
      for line in bytes.split(separator: UInt8(ascii: "\n")) where line.starts(with: "PRETTY_NAME=".utf8) {
        let name = line.dropFirst(12).filter { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "'") && $0 != 13 }
        return SafeText.make(name, bytesMax: SamplingLimits.textBytesMax)
      }
    }
    return ""
  }

  private static let processorWord = Array("processor".utf8)
  private static let modelWords = [Array("model name".utf8), Array("Model".utf8), Array("cpu model".utf8)]

  /// /proc/cpuinfo; on arm64 it names no model, unless the firmware has one.
  private static func readProcessors(_ root: String, _ facts: inout HostFacts) {
    guard let bytes = try? HostFiles.read(root + "/proc/cpuinfo", limitBytes: 4 << 20) else { return }
    let text = bytes.span
    var cursor = ProcCursor()
    repeat {
      let line = cursor.restOfLine(text)
      guard let colon = ProcText.find([UInt8(ascii: ":")], text, in: line) else { continue }
      if ProcText.matches(processorWord, text, at: line.lowerBound) {
        facts.cpuCount += 1
      } else if facts.cpuModel.isEmpty, modelWords.contains(where: { cursor.skip($0, text) }) {
        let start = min(colon + 2, line.upperBound)
        facts.cpuModel = ProcText.string(text, start..<line.upperBound)
      }
    } while cursor.nextLine(text)
  }
}
