internal import CNVML
package import FleetModel

/// What one GPU reports of itself.
package struct NVMLReading: Sendable, Equatable {
  /// Without a time. What the driver does not support is NaN, or 0 where the field is a whole number.
  package var sample = GPUSample()
  /// PCI address as kernel messages write it, `00000000:05:00.0`.
  package var busID = ""
  package var processes: [NVMLProcess] = []

  package init() {}
}

/// A compute process on one GPU.
package struct NVMLProcess: Sendable, Equatable {
  package var pid: UInt32
  package var memoryBytes: UInt64

  package init(pid: UInt32, memoryBytes: UInt64) {
    self.pid = pid
    self.memoryBytes = memoryBytes
  }
}

/// NVIDIA's management library, opened at run time.
///
/// Any call may hang with the driver: only the probe process makes one. Each function of the library is optional.
/// Isolation: one thread. Source: NVML API reference, docs.nvidia.com/deploy/nvml-api.
@safe package final class NVMLLibrary {
  /// Its pointers are the library's own and live as long as it is open.
  var functions = unsafe sbx_nvml()
  private var isStarted = false

  /// Opens the library and starts it.
  package init(path: String) throws(NVMLError) {
    var reason = [CChar](repeating: 0, count: 256)
    // The path's and the reason's bytes live for the call.
    if unsafe sbx_nvml_open(path, &functions, &reason, reason.count) != 0 {
      throw .cannotOpen(path: path, reason: Self.text(reason))
    }
    guard let start = unsafe functions.`init` else { throw .lacks("nvmlInit") }
    try check("start", start())
    isStarted = true
  }

  deinit {
    if isStarted, let stop = unsafe functions.shutdown { _ = stop() }
    unsafe sbx_nvml_close(&functions)
  }

  /// "" where it is not reported.
  package func driverVersion() -> String {
    var text = [CChar](repeating: 0, count: 96)
    guard let ask = unsafe functions.driver_version, unsafe ask(&text, UInt32(text.count)) == 0 else { return "" }
    return Self.text(text)
  }

  package func deviceCount() throws(NVMLError) -> Int {
    guard let ask = unsafe functions.count else { throw .lacks("nvmlDeviceGetCount") }
    var count: UInt32 = 0
    try check("count the GPUs", unsafe ask(&count))
    return Int(min(count, Self.devicesMax))
  }

  /// No machine has more.
  static let devicesMax: UInt32 = 64

  func check(_ operation: String, _ code: Int32) throws(NVMLError) {
    if code == 0 { return }
    // nvmlErrorString gives constant texts of the library.
    let reason = unsafe functions.error_string.flatMap { unsafe $0(code) }.map { unsafe String(cString: $0) }
    throw .failed(operation: operation, code: code, reason: reason ?? "error")
  }

  /// What stands before the first NUL.
  static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
