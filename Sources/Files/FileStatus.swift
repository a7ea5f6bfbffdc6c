internal import CLinux
internal import Glibc

/// What statx(2) reports of a file.
package struct FileStatus: Sendable, Equatable {
  package enum Kind: Sendable, Equatable { case file, directory, link, socket, other }

  package var device: UInt64
  package var inode: UInt64
  package var sizeBytes: UInt64
  package var modifiedNs: Int64
  /// 0 where the file system does not report it.
  package var birthNs: Int64
  /// Permission bits.
  package var mode: UInt32
  package var links: UInt32
  package var uid: UInt32
  package var kind: Kind

  /// - Parameter followingLinks: false gives a symbolic link's own status.
  package static func of(path: String, followingLinks: Bool = true) throws(FileError) -> FileStatus {
    var raw = sbx_status()
    // `raw` and the string's bytes live for the call.
    if unsafe sbx_statx(AT_FDCWD, path, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW, &raw) != 0 {
      throw .last("look at", path)
    }
    return FileStatus(raw)
  }

  /// Whether there is something at `path`.
  /// - Throws: where that cannot be found out, as below a directory that may not be entered.
  package static func exists(_ path: String) throws(FileError) -> Bool {
    do throws(FileError) {
      _ = try of(path: path)
      return true
    } catch {
      if error.isNotFound { return false }
      throw error
    }
  }

  /// - Parameter directory: descriptor of the directory that `name` is in.
  static func of(name: String, in directory: Int32, followingLinks: Bool) throws(FileError) -> FileStatus {
    var raw = sbx_status()
    if unsafe sbx_statx(directory, name, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW, &raw) != 0 {
      throw .last("look at", name)
    }
    return FileStatus(raw)
  }

  static func of(descriptor: Int32, path: String) throws(FileError) -> FileStatus {
    var raw = sbx_status()
    if unsafe sbx_statx(descriptor, "", 0x1000 /* AT_EMPTY_PATH */, &raw) != 0 { throw .last("look at", path) }
    return FileStatus(raw)
  }

  private init(_ raw: sbx_status) {
    device = raw.device
    inode = raw.inode
    sizeBytes = raw.size
    modifiedNs = raw.modified_ns
    birthNs = raw.birth_ns
    mode = raw.mode
    links = raw.links
    uid = raw.uid
    kind =
      switch raw.kind {
      case 1: .file
      case 2: .directory
      case 3: .link
      case 4: .socket
      default: .other
      }
  }
}
