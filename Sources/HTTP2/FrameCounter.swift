/// Counts the frames that begin in a stream of bytes, split anywhere.
///
/// Why not libnghttp2's on_begin_frame: it is not called for frames that the library ignores, such as those of unknown
/// types and those on closed streams, and floods are made of these. Source: RFC 9113, 4.1: three bytes of length, six more.
struct FrameCounter {
  private var skip: Int
  private var header = 0
  private var length = 0

  /// - Parameter prefaceBytes: in front of the first frame.
  init(prefaceBytes: Int) { skip = prefaceBytes }

  mutating func count(_ bytes: borrowing Span<UInt8>) -> Int {
    var found = 0
    var at = 0
    while at < bytes.count {
      if skip > 0 {
        let step = min(skip, bytes.count - at)
        skip -= step
        at += step
        continue
      }
      if header == 0 { found += 1 }
      if header < 3 { length = length << 8 | Int(bytes[at]) }
      header += 1
      at += 1
      if header == 9 {
        skip = length
        header = 0
        length = 0
      }
    }
    return found
  }
}
