internal import CLinux
internal import Glibc

/// What statvfs(3) reports of a mounted file system.
package struct FileSystemUsage: Sendable, Equatable {
  package var totalBytes: UInt64 = 0
  package var freeBytes: UInt64 = 0
  /// To unprivileged users.
  package var availableBytes: UInt64 = 0
  /// 0 where the file system has no fixed number of them.
  package var inodesTotal: UInt64 = 0
  package var inodesFree: UInt64 = 0

  package init() {}

  /// df(1)'s figure, 0…100: used / (used + available to users). NaN for an empty file system.
  package var usedPercent: Float {
    let used = totalBytes >= freeBytes ? totalBytes - freeBytes : 0
    let whole = Double(used) + Double(availableBytes)
    return whole > 0 ? Float(Double(used) / whole * 100) : .nan
  }

  /// Asks the file system that holds `path`. May block for ever on a network file system: never call it there on the agent's loop.
  package static func of(_ path: String) throws(FileError) -> FileSystemUsage {
    var raw = sbx_filesystem()
    // `raw` and the string's bytes live for the call.
    if unsafe sbx_statvfs(path, &raw) != 0 { throw .last("ask for the usage of", path) }
    var usage = FileSystemUsage()
    usage.totalBytes = raw.total
    usage.freeBytes = raw.free
    usage.availableBytes = raw.available
    usage.inodesTotal = raw.inodes
    usage.inodesFree = raw.inodes_free
    return usage
  }
}
