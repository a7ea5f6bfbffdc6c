internal import CLinux
internal import Glibc

extension Descriptor {
  /// Reads into the bytes that `buffer` already has, from index `start` to its end: nothing is allocated.
  ///
  /// Why: files of /proc are read again every second through the descriptor that is kept open.
  /// - Parameter start: 0…buffer.count; what is before it stays as it is.
  /// - Parameter offset: position in the file; nil reads on at the descriptor's own position (devices such as /dev/kmsg).
  /// - Returns: how many bytes came, 0 at the end of the file or where there is no room; nil where nothing is there yet.
  package borrowing func reread(
    into buffer: inout [UInt8], from start: Int, at offset: UInt64?
  ) throws(FileError) -> Int? {
    guard start >= 0, start < buffer.count else { return 0 }
    let raw = self.raw
    var failure: Int32 = 0
    let got = unsafe buffer.withUnsafeMutableBufferPointer { memory in
      // Inside the array's memory: 0 <= start < memory.count.
      let place = unsafe memory.baseAddress! + start
      let room = memory.count - start
      while true {
        let n =
          if let offset {
            unsafe pread(raw, place, room, off_t(clamping: offset))
          } else {
            unsafe Glibc.read(raw, place, room)
          }
        failure = n < 0 ? sbx_errno() : 0
        if failure != EINTR { return n }
      }
    }
    if failure == EAGAIN { return nil }
    if failure != 0 { throw FileError("read", path, code: failure) }
    return got
  }
}

extension FileError {
  /// The process that a /proc file describes is gone.
  package var isGone: Bool { code == ESRCH || isNotFound }
  /// The device overwrote records before they were read (/dev/kmsg).
  package var isOverrun: Bool { code == EPIPE }
  /// The buffer is shorter than one record of the device.
  package var isTooShort: Bool { code == EINVAL }
}
