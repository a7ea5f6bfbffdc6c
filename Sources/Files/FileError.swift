internal import CLinux
internal import Glibc

/// A failed system call on a file: what was being done, on what, and the kernel's reason.
package struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
  package let operation: String
  package let path: String
  /// errno(3).
  package let code: Int32

  package init(_ operation: String, _ path: String, code: Int32) {
    self.operation = operation
    self.path = path
    self.code = code
  }

  package var isNotFound: Bool { code == ENOENT || code == ENOTDIR }
  package var isNoSpace: Bool { code == ENOSPC || code == EDQUOT }
  package var isNotPermitted: Bool { code == EACCES || code == EPERM }

  package var description: String { "cannot \(operation) \(path): \(SystemMessage.of(code))" }
}

/// The kernel's words for an errno.
package enum SystemMessage {
  package static func of(_ code: Int32) -> String {
    // strerror's text lives until the next call on this thread; it is copied here at once.
    unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }
}

extension FileError {
  static func last(_ operation: String, _ path: String) -> FileError {
    FileError(operation, path, code: sbx_errno())
  }
}
