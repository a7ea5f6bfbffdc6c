internal import CLinux
internal import Glibc

/// Room on a file system.
package enum FileSystemSpace {
  /// Bytes left to unprivileged users on the file system that holds `path`. Source: statvfs(3), `f_bavail`.
  ///
  /// It may hang on a dead network file system: ask only where the program itself writes.
  package static func availableBytes(_ path: String) throws(FileError) -> UInt64 {
    var raw = statvfs()
    // `raw` and the string's bytes live for the call.
    if unsafe statvfs(path, &raw) != 0 { throw .last("look at", path) }
    // A file system in user space may report any number.
    let (bytes, isTooMuch) = UInt64(raw.f_bavail).multipliedReportingOverflow(by: UInt64(raw.f_frsize))
    return isTooMuch ? .max : bytes
  }
}
