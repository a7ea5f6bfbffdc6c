internal import CLinux
internal import Glibc

/// Owns one file descriptor and closes it.
///
/// Every call takes bytes as spans and repeats after EINTR; none blocks longer than the file does.
package struct Descriptor: ~Copyable, Sendable {
  package private(set) var raw: Int32
  /// For messages only.
  package let path: String

  package init(adopting raw: Int32, path: String) {
    self.raw = raw
    self.path = path
  }

  deinit { if raw >= 0 { _ = Glibc.close(raw) } }

  /// Gives the descriptor away without closing it.
  package consuming func release() -> Int32 {
    let given = raw
    raw = -1
    return given
  }

  package enum Access: Sendable {
    /// O_RDONLY | O_NOFOLLOW is not set: a followed symbolic link is the operator's choice.
    case read
    /// Created when missing, written at the end.
    case append
    /// Created or emptied.
    case replace
    /// Created; an existing file is an error.
    case createNew
    /// Read and written at given offsets, created when missing.
    case update
  }

  /// - Parameter mode: permissions of a file that is created, before the umask.
  package static func open(_ path: String, _ access: Access, mode: UInt32 = 0o600) throws(FileError) -> Descriptor {
    let flags: Int32 =
      switch access {
      case .read: O_RDONLY | O_NONBLOCK
      case .append: O_WRONLY | O_APPEND | O_CREAT
      case .replace: O_WRONLY | O_CREAT | O_TRUNC
      case .createNew: O_WRONLY | O_CREAT | O_EXCL
      case .update: O_RDWR | O_CREAT
      }
    while true {
      let raw = unsafe sbx_open(path, flags | O_CLOEXEC | O_NOCTTY, mode)
      if raw >= 0 { return Descriptor(adopting: raw, path: path) }
      if sbx_errno() != EINTR { throw .last("open", path) }
    }
  }

  /// Appends at most `count` bytes read at the file's position (or at `offset`) to `buffer`.
  /// - Returns: how many; 0 at the end of the file. For a descriptor without data yet: `nil`.
  package borrowing func read(
    into buffer: inout [UInt8], count: Int, at offset: UInt64? = nil
  ) throws(FileError) -> Int? {
    let start = buffer.count
    var got = 0
    var failure: Int32 = 0
    buffer.reserveCapacity(start + count)
    let raw = self.raw
    let chunk = unsafe [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
      // `memory` holds `count` bytes for the closure's length.
      repeat {
        got =
          if let offset {
            unsafe pread(raw, memory.baseAddress, count, off_t(clamping: offset))
          } else {
            unsafe Glibc.read(raw, memory.baseAddress, count)
          }
        failure = got < 0 ? sbx_errno() : 0
      } while failure == EINTR
      initialized = max(0, got)
    }
    if failure == EAGAIN { return nil }
    if failure != 0 { throw FileError("read", path, code: failure) }
    if start == 0 { buffer = chunk } else { buffer.append(contentsOf: chunk) }
    return got
  }

  /// Writes all of `bytes`, at the position or at `offset`.
  package borrowing func write(_ bytes: Span<UInt8>, at offset: UInt64? = nil) throws(FileError) {
    var done = 0
    while done < bytes.count {
      var failure: Int32 = 0
      let raw = self.raw
      let written = unsafe bytes.withUnsafeBufferPointer { memory in
        // Inside the span's memory: done < count.
        let n =
          if let offset {
            unsafe pwrite(raw, memory.baseAddress! + done, memory.count - done, off_t(clamping: offset + UInt64(done)))
          } else {
            unsafe Glibc.write(raw, memory.baseAddress! + done, memory.count - done)
          }
        failure = n < 0 ? sbx_errno() : 0
        return n
      }
      if failure == EINTR { continue }
      if failure != 0 { throw FileError("write", path, code: failure) }
      done += written
    }
  }

  /// fdatasync(2). A failure must not be tried again on this descriptor: the kernel reports it once and drops the pages.
  package borrowing func sync() throws(FileError) {
    if fdatasync(raw) != 0 { throw .last("sync", path) }
  }

  /// Takes the file's exclusive lock, without waiting: flock(2). It goes with the last descriptor of this opening.
  /// - Returns: false where another opening has it.
  package borrowing func lockForWriting() -> Bool { flock(raw, LOCK_EX | LOCK_NB) == 0 }

  package borrowing func truncate(to size: UInt64) throws(FileError) {
    if ftruncate(raw, off_t(clamping: size)) != 0 { throw .last("truncate", path) }
  }

  package borrowing func status() throws(FileError) -> FileStatus {
    try FileStatus.of(descriptor: raw, path: path)
  }
}
