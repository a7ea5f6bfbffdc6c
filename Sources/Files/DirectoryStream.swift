internal import CLinux
internal import Glibc

/// An open directory that gives its names a few at a time, so that one of a million names does not block its thread; readdir(3).
///
/// Statuses are read from the open descriptor, not by the path: a directory exchanged meanwhile is not taken for it.
@safe package final class DirectoryStream {
  package struct Entry: Sendable, Equatable {
    package var name: String
    /// nil where the file system does not report it with the name.
    package var kind: FileStatus.Kind?
  }

  /// For messages only.
  package let path: String
  private let stream: OpaquePointer

  package init(_ path: String) throws(FileError) {
    guard let stream = unsafe opendir(path) else { throw .last("list", path) }
    unsafe self.stream = stream
    self.path = path
  }

  deinit { _ = unsafe closedir(stream) }

  /// - Returns: at most `count` further names, without "." and ".."; none at the end.
  package func next(_ count: Int) -> [Entry] {
    var entries: [Entry] = []
    // readdir's entry lives until the next call; its name is copied at once.
    while entries.count < count, let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      entries.append(Entry(name: name, kind: Self.kind(unsafe entry.pointee.d_type)))
    }
    return entries
  }

  /// readdir(3): DT_DIR 4, DT_REG 8, DT_LNK 10, DT_SOCK 12, DT_UNKNOWN 0.
  private static func kind(_ type: UInt8) -> FileStatus.Kind? {
    switch type {
    case 0: nil
    case 4: .directory
    case 8: .file
    case 10: .link
    case 12: .socket
    default: .other
    }
  }

  /// Status of a name in the directory.
  package func status(of name: String, followingLinks: Bool) throws(FileError) -> FileStatus {
    try FileStatus.of(name: name, in: unsafe dirfd(stream), followingLinks: followingLinks)
  }

  /// Where the directory lies now, its links followed; nil where the kernel does not provide it, as without /proc.
  package var realPath: String? { try? HostFiles.readLink("/proc/self/fd/\(unsafe dirfd(stream))") }
}

extension HostFiles {
  /// Whether this process may read what `path` leads to, by its effective user; faccessat(2).
  package static func isReadable(_ path: String) -> Bool {
    unsafe faccessat(AT_FDCWD, path, R_OK, 0x200 /* AT_EACCESS */) == 0
  }
}

extension Descriptor {
  /// Where the next bytes of a sparse file begin, at or behind `offset`; lseek(2), SEEK_DATA. The position is moved: for those that read
  /// at offsets only.
  /// - Returns: nil where nothing but a hole follows; `offset` itself where the file system knows no holes.
  package borrowing func nextData(from offset: UInt64) -> UInt64? {
    let found = lseek(raw, off_t(clamping: offset), 3 /* SEEK_DATA */)
    if found >= 0 { return UInt64(found) }
    return sbx_errno() == ENXIO ? nil : offset
  }
}
