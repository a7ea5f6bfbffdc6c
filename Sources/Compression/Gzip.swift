internal import CZlib

/// Bytes in the form that `Content-Encoding: gzip` names. Source: RFC 1952; zlib.net/manual.html.
package enum Gzip {
  /// How much work is put into it.
  package enum Effort: Int32, Sendable {
    /// For what is compressed with each answer.
    case fast = 1
    /// For what is compressed once.
    case best = 9
  }

  /// - Parameter bytes: at most 4 GiB.
  /// - Returns: one whole gzip member; nil where zlib has no memory for it, or `bytes` are too many: then they are sent as they are.
  /// - Cost: about 10 ns a byte at `.fast`; one allocation of `deflateBound`.
  package static func compress(_ bytes: [UInt8], effort: Effort = .fast) -> [UInt8]? {
    guard let length = UInt32(exactly: bytes.count) else { return nil }
    var stream = unsafe z_stream()
    guard unsafe sbx_gzip_init(&stream, effort.rawValue) == Z_OK else { return nil }
    defer { unsafe deflateEnd(&stream) }
    let bound = unsafe Int(deflateBound(&stream, UInt(length)))
    guard let room = UInt32(exactly: bound) else { return nil }
    var isWhole = false
    let packed = unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
      unsafe bytes.withUnsafeBufferPointer { input in
        // zlib does not write to its input; the field is not const for old callers.
        unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        unsafe stream.avail_in = length
        unsafe stream.next_out = output.baseAddress
        unsafe stream.avail_out = room
        isWhole = unsafe deflate(&stream, Z_FINISH) == Z_STREAM_END
      }
      count = unsafe bound - Int(stream.avail_out)
    }
    return isWhole ? packed : nil
  }
}
