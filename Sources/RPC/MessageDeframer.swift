/// A byte stream that is not gRPC's.
package enum FramingError: Error, Sendable, Equatable {
  /// The compressed flag is set, or is no flag at all.
  case compressed
  case tooLarge(bytes: Int, limitBytes: Int)

  package var status: RPCStatus {
    switch self {
    case .compressed: RPCStatus(.unimplemented, "compressed messages are not supported")
    case .tooLarge(let bytes, let limit):
      RPCStatus(.resourceExhausted, "a message of \(bytes) bytes exceeds the limit of \(limit)")
    }
  }
}

/// Cuts a gRPC byte stream into messages: flag (1 byte), length (4 bytes, big-endian), body.
///
/// A message that lies whole in one chunk is handed on without a copy; a split one is put together first, which is its
/// only copy. Memory is at most four times what has arrived, whatever a prefix promises.
/// Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md "Length-Prefixed-Message".
package struct MessageDeframer: Sendable {
  package static let prefixBytes = 5

  /// What stands in front of a body of `count` bytes.
  package static func prefix(_ count: Int) -> InlineArray<5, UInt8> {
    let length = UInt32(clamping: count)
    return [
      0, UInt8(truncatingIfNeeded: length >> 24), UInt8(truncatingIfNeeded: length >> 16),
      UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length),
    ]
  }

  private var partial: [UInt8] = []
  private let limitBytes: Int

  /// - Parameter limitBytes: largest body.
  package init(limitBytes: Int) { self.limitBytes = limitBytes }

  /// Bytes of a message that has not wholly arrived, its prefix included.
  package var partialBytes: Int { partial.count }

  /// Takes the next bytes, split anywhere, and calls `message` with each whole body, in order.
  /// - Throws: `FramingError`; the stream cannot be read on after that.
  package mutating func feed(
    _ chunk: borrowing Span<UInt8>, _ message: (borrowing Span<UInt8>) -> Void
  ) throws(FramingError) {
    var at = 0
    if !partial.isEmpty {
      guard try complete(chunk, &at) else { return }
      let whole = partial
      partial = []
      message(whole.span.extracting(droppingFirst: Self.prefixBytes))
    }
    while chunk.count - at >= Self.prefixBytes {
      let length = try Self.length(chunk.extracting(at..<at + Self.prefixBytes), limitBytes)
      let end = at + Self.prefixBytes + length
      if end > chunk.count { break }
      message(chunk.extracting(at + Self.prefixBytes..<end))
      at = end
    }
    append(chunk, at..<chunk.count)
  }

  /// Fills up the partial message. False: more is needed.
  private mutating func complete(_ chunk: borrowing Span<UInt8>, _ at: inout Int) throws(FramingError) -> Bool {
    if partial.count < Self.prefixBytes {
      let take = min(Self.prefixBytes - partial.count, chunk.count)
      append(chunk, 0..<take)
      at = take
      if partial.count < Self.prefixBytes { return false }
    }
    let need = Self.prefixBytes + (try Self.length(partial.span.extracting(0..<Self.prefixBytes), limitBytes))
    let take = min(need - partial.count, chunk.count - at)
    // Doubling up to the end would copy all of it twice more.
    if (partial.count + take) * 4 >= need { partial.reserveCapacity(need) }
    append(chunk, at..<at + take)
    at += take
    return partial.count == need
  }

  private mutating func append(_ chunk: borrowing Span<UInt8>, _ range: Range<Int>) {
    if range.isEmpty { return }
    let bytes = chunk.extracting(range)
    partial.append(addingCapacity: bytes.count) { out in
      for index in bytes.indices { out.append(bytes[index]) }
    }
  }

  private static func length(_ prefix: borrowing Span<UInt8>, _ limitBytes: Int) throws(FramingError) -> Int {
    if prefix[0] != 0 { throw .compressed }
    var length = 0
    for index in 1..<prefixBytes { length = length << 8 | Int(prefix[index]) }
    if length > limitBytes { throw .tooLarge(bytes: length, limitBytes: limitBytes) }
    return length
  }
}

extension Array where Element == UInt8 {
  /// Appends one message with its prefix. A body of 4 GiB or more is a programmer's error.
  package mutating func appendMessage(_ body: borrowing Span<UInt8>) {
    let count = UInt32(body.count)
    reserveCapacity(self.count + MessageDeframer.prefixBytes + body.count)
    append(0)
    for shift in [24, 16, 8, 0] as [UInt32] { append(UInt8(truncatingIfNeeded: count >> shift)) }
    for index in body.indices { append(body[index]) }
  }
}
