/// Why NVIDIA's library gave no answer.
package enum NVMLError: Error, Sendable, Equatable, CustomStringConvertible {
  /// There is no such library, or it cannot be loaded.
  case cannotOpen(path: String, reason: String)
  /// The library lacks a function without which there is nothing to ask.
  case lacks(String)
  /// The library refused: nvmlReturn_t and its words.
  case failed(operation: String, code: Int32, reason: String)

  package var description: String {
    switch self {
    case .cannotOpen(let path, let reason): "cannot open \(path): \(reason)"
    case .lacks(let name): "NVIDIA's library lacks \(name)"
    case .failed(let operation, let code, let reason): "NVIDIA's library cannot \(operation): \(reason) (\(code))"
    }
  }

  /// The device was there and is not any more.
  package var isLost: Bool {
    if case .failed(_, let code, _) = self { code == 6 || code == 15 } else { false }
  }
}
