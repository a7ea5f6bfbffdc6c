internal import Files

/// Bytes of the file that was read last; shared by all readers of one sampler, so that it grows once.
final class ReadBuffer {
  fileprivate(set) var bytes = [UInt8](repeating: 0, count: 16 << 10)
  fileprivate(set) var count = 0

  /// Lends the text that was read last.
  func parse<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
    // A second reference for the length of the call: nothing is copied.
    let bytes = bytes
    return body(bytes.span.extracting(0..<count))
  }
}

/// A file of /proc or /sys that is kept open and read again from its start.
///
/// Why: open, read and close cost three times what one pread of an open file does.
final class KernelFile {
  let path: String
  private var descriptor: Descriptor?

  init(_ path: String) { self.path = path }

  /// Reads the whole file, as it is now, into `buffer`.
  /// - Returns: false where there is no such file on this kernel, or it cannot be read.
  func read(into buffer: ReadBuffer) -> Bool {
    buffer.count = 0
    do {
      if descriptor == nil { descriptor = try Descriptor.open(path, .read) }
      while buffer.count < SamplingLimits.fileBytesMax {
        if buffer.count == buffer.bytes.count { grow(buffer) }
        guard let got = try reread(into: buffer), got > 0 else { break }
        buffer.count += got
      }
      return true
    } catch {
      // Opened anew next time: a device that comes back has a new file.
      descriptor = nil
      buffer.count = 0
      return false
    }
  }

  private func reread(into buffer: ReadBuffer) throws(FileError) -> Int? {
    try descriptor?.reread(into: &buffer.bytes, from: buffer.count, at: UInt64(buffer.count))
  }

  private func grow(_ buffer: ReadBuffer) {
    buffer.bytes.append(contentsOf: repeatElement(0, count: buffer.bytes.count))
  }
}
