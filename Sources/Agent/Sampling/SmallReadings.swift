internal import FleetModel

/// Files of /proc that hold a few numbers.
enum SmallReadings {
  /// proc_loadavg(5): three averages.
  static func load(_ text: Span<UInt8>, into sample: inout HostSample) {
    var cursor = ProcCursor()
    guard let one = cursor.decimal(text), let five = cursor.decimal(text), let fifteen = cursor.decimal(text) else {
      return
    }
    sample.load1 = Float(one)
    sample.load5 = Float(five)
    sample.load15 = Float(fifteen)
  }

  /// proc_sys_fs(5), file-nr: handles in use, free, limit.
  static func fileHandles(_ text: Span<UInt8>, into sample: inout HostSample) {
    var cursor = ProcCursor()
    guard let allocated = cursor.number(text) else { return }
    let free = cursor.number(text) ?? 0
    sample.fileDescriptorsUsed = allocated > free ? allocated - free : 0
  }

  /// proc_uptime(5): seconds since boot.
  static func uptime(_ text: Span<UInt8>, into sample: inout HostSample) {
    var cursor = ProcCursor()
    if let seconds = cursor.decimal(text) { sample.uptimeSeconds = Float(seconds) }
  }

  /// A file that holds one number, as most of /sys do.
  static func number(_ text: Span<UInt8>) -> Double? {
    var cursor = ProcCursor()
    return cursor.decimal(text)
  }
}

/// One file of /proc/pressure: the share of the last ten seconds in which some, or all, tasks waited;
/// Documentation/accounting/psi.rst. NaN where the kernel does not report it.
struct PressureReading: Equatable {
  var somePercent = Float.nan
  var fullPercent = Float.nan

  private static let some = Array("some avg10=".utf8)
  private static let full = Array("full avg10=".utf8)

  static func read(_ text: Span<UInt8>) -> PressureReading {
    var reading = PressureReading()
    var cursor = ProcCursor()
    repeat {
      if cursor.skip(some, text) {
        reading.somePercent = cursor.decimal(text).map { Float($0) } ?? .nan
      } else if cursor.skip(full, text) {
        reading.fullPercent = cursor.decimal(text).map { Float($0) } ?? .nan
      }
    } while cursor.nextLine(text)
    return reading
  }
}
