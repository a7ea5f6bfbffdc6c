internal import Glibc

extension HostFiles {
  /// Fills `ids` with the directory's names that are decimal numbers: the processes, where `path` is /proc.
  /// - Parameter limit: at most so many; what is beyond is left out.
  package static func numbers(_ path: String, into ids: inout [UInt32], limit: Int) throws(FileError) {
    ids.removeAll(keepingCapacity: true)
    guard let stream = unsafe opendir(path) else { throw .last("list", path) }
    defer { unsafe _ = closedir(stream) }
    // readdir's entry, whose name ends with NUL, lives until the next call.
    while ids.count < limit, let entry = unsafe readdir(stream) {
      let id = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe decimal($0) }
      if let id { ids.append(id) }
    }
  }

  /// How many entries a directory has, without "." and "..".
  package static func entryCount(_ path: String) throws(FileError) -> Int {
    guard let stream = unsafe opendir(path) else { throw .last("list", path) }
    defer { unsafe _ = closedir(stream) }
    var count = 0
    while unsafe readdir(stream) != nil { count += 1 }
    return max(0, count - 2)
  }

  private static func decimal(_ name: UnsafeRawBufferPointer) -> UInt32? {
    var value: UInt32 = 0
    var length = 0
    // A name of ten digits or more is no process id, and could overflow.
    while length < 10, length < name.count {
      let byte = unsafe name[length]
      if byte == 0 { return length == 0 ? nil : value }
      guard byte >= 48, byte <= 57, length < 9 else { return nil }
      value = value * 10 + UInt32(byte - 48)
      length += 1
    }
    return nil
  }
}
