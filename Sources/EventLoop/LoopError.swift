internal import CLinux
internal import Files

/// A failed system call of the loop, a socket, a child or a thread.
package struct LoopError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What was being done: "listen on 127.0.0.1:4433".
  package let operation: String
  /// errno(3), or a negative getaddrinfo(3) code.
  package let code: Int32

  package init(_ operation: String, code: Int32) {
    self.operation = operation
    self.code = code
  }

  static func last(_ operation: String) -> LoopError { LoopError(operation, code: sbx_errno()) }

  /// ECONNREFUSED: the machine is there, and nothing listens.
  var isRefused: Bool { code == 111 /* ECONNREFUSED */ }

  package var description: String {
    code < 0 ? "cannot \(operation): name not found (\(code))" : "cannot \(operation): \(SystemMessage.of(code))"
  }
}
