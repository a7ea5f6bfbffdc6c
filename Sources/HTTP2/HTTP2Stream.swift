/// What the engine keeps of one stream: nghttp2 holds only the number.
struct HTTP2Stream {
  /// Bytes waiting for the flow-control window, from `sent` on.
  private var body: [UInt8] = []
  private var sent = 0
  /// Set once nothing more will be added; trailers may be empty.
  var trailers: [HeaderField]?
  var hasSentEnd = false
  var hasReceivedEnd = false
  /// The data callback returned "nothing yet" and must be resumed.
  var isDeferred = false
  /// Since when queued bytes have not moved.
  var blockedSinceNs: Int64?

  var queuedBytes: Int { body.count - sent }

  /// More may be added.
  var isOpen: Bool { trailers == nil && !hasSentEnd }

  mutating func append(_ bytes: borrowing Span<UInt8>) {
    // The span's memory lives for the call.
    unsafe bytes.withUnsafeBufferPointer { unsafe body.append(contentsOf: $0) }
  }

  /// Moves the next bytes into `buffer`.
  mutating func take(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    let count = min(buffer.count, queuedBytes)
    let start = sent
    // `count` bytes lie behind `start` in the body and fit into the buffer.
    unsafe body.withUnsafeBufferPointer { source in
      unsafe buffer.baseAddress!.update(from: source.baseAddress! + start, count: count)
    }
    sent += count
    if sent == body.count {
      // A small buffer is kept for the next acknowledgement; a large one is given back.
      body.removeAll(keepingCapacity: body.capacity <= 256)
      sent = 0
    } else if sent > 256 << 10 {
      body.removeFirst(sent)
      sent = 0
    }
    return count
  }
}
