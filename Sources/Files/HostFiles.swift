internal import CLinux
internal import Glibc

/// Files and directories of this host as values.
package enum HostFiles {
  /// Reads a whole small file, such as one of /proc.
  /// - Throws: `FileError`; a file longer than `limitBytes` is cut there.
  package static func read(_ path: String, limitBytes: Int = 1 << 20) throws(FileError) -> [UInt8] {
    let file = try Descriptor.open(path, .read)
    var bytes: [UInt8] = []
    // One read answers for nearly every /proc file; a larger one is read on.
    while bytes.count < limitBytes {
      guard let got = try file.read(into: &bytes, count: min(16 << 10, limitBytes - bytes.count)), got > 0 else {
        break
      }
    }
    return bytes
  }

  /// Writes a file so that after a power cut either the old or the new content is there: write, sync, rename, sync directory.
  package static func replace(_ path: String, with bytes: [UInt8], mode: UInt32 = 0o600) throws(FileError) {
    let temporary = path + ".new"
    try writeAndSync(temporary, bytes, mode)
    try rename(temporary, to: path)
    try syncDirectory(directory(of: path))
  }

  private static func writeAndSync(_ path: String, _ bytes: [UInt8], _ mode: UInt32) throws(FileError) {
    let file = try Descriptor.open(path, .replace, mode: mode)
    try file.write(bytes.span)
    try file.sync()
  }

  package static func rename(_ from: String, to: String) throws(FileError) {
    if unsafe Glibc.rename(from, to) != 0 { throw .last("rename", from) }
  }

  /// Sets the permission bits, whatever the umask: chmod(2).
  package static func setMode(_ path: String, _ mode: UInt32) throws(FileError) {
    if unsafe chmod(path, mode) != 0 { throw .last("set permissions of", path) }
  }

  /// - Returns: false where there was no such file.
  @discardableResult
  package static func remove(_ path: String) throws(FileError) -> Bool {
    if unsafe unlink(path) == 0 { return true }
    if sbx_errno() == ENOENT { return false }
    throw .last("remove", path)
  }

  /// Removes an empty directory.
  /// - Returns: false where there was none.
  @discardableResult
  package static func removeDirectory(_ path: String) throws(FileError) -> Bool {
    if unsafe rmdir(path) == 0 { return true }
    if sbx_errno() == ENOENT { return false }
    throw .last("remove directory", path)
  }

  /// Makes the directory and those above it; an existing one is fine.
  package static func makeDirectory(_ path: String, mode: UInt32 = 0o700) throws(FileError) {
    if unsafe mkdir(path, mode) == 0 || sbx_errno() == EEXIST { return }
    guard sbx_errno() == ENOENT, path != "/", !path.isEmpty else { throw .last("make directory", path) }
    try makeDirectory(directory(of: path), mode: mode)
    if unsafe mkdir(path, mode) != 0, sbx_errno() != EEXIST { throw .last("make directory", path) }
  }

  /// Makes a symbolic link that names `target`.
  package static func link(_ target: String, at path: String) throws(FileError) {
    if unsafe symlink(target, path) != 0 { throw .last("make link", path) }
  }

  /// Removes a directory with all below it; symbolic links are removed, not followed.
  package static func removeTree(_ path: String) throws(FileError) {
    for name in try list(path) {
      let inner = path + "/" + name
      if try FileStatus.of(path: inner, followingLinks: false).kind == .directory {
        try removeTree(inner)
      } else {
        try remove(inner)
      }
    }
    if unsafe rmdir(path) != 0 { throw .last("remove", path) }
  }

  package static func syncDirectory(_ path: String) throws(FileError) {
    let raw = unsafe sbx_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    if raw < 0 { throw .last("open", path) }
    let directory = Descriptor(adopting: raw, path: path)
    if fsync(directory.raw) != 0 { throw .last("sync", path) }
  }

  /// Names in a directory, without "." and "..", in no order.
  package static func list(_ path: String) throws(FileError) -> [String] {
    guard let stream = unsafe opendir(path) else { throw .last("list", path) }
    defer { unsafe _ = closedir(stream) }
    var names: [String] = []
    // readdir's entry lives until the next call; its name is copied at once.
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// Target of a symbolic link.
  package static func readLink(_ path: String) throws(FileError) -> String {
    var length = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { memory, initialized in
      length = unsafe memory.withMemoryRebound(to: CChar.self) { unsafe readlink(path, $0.baseAddress!, 4096) }
      initialized = max(0, length)
    }
    if length < 0 { throw .last("read link", path) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The path with every link in it followed; realpath(3). What it names must exist.
  package static func resolve(_ path: String) throws(FileError) -> String {
    // realpath's result is malloc's and freed here, after it is copied.
    guard let resolved = unsafe realpath(path, nil) else { throw .last("resolve", path) }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// Everything before the last slash; "." where there is none.
  package static func directory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Everything behind the last slash.
  package static func name(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
  }

  /// Fills an array with random bytes of the kernel's generator.
  package static func randomBytes(_ count: Int) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
      // getrandom(2) gives up to 256 bytes whole and without interruption once the pool is ready.
      var done = 0
      while done < count {
        let got = unsafe getrandom(memory.baseAddress! + done, min(256, count - done), 0)
        if got > 0 { done += got }
      }
      initialized = count
    }
  }
}
