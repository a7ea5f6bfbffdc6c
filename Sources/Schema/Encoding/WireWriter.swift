internal import Glibc

/// A message that writes its fields in the order of their numbers.
protocol WireMessage {
  /// About how many bytes it takes; the nearer, the fewer bytes are moved.
  var sizeEstimate: Int { get }
  func write(to writer: inout WireWriter)
}

/// Writes protobuf fields straight into memory of fixed size. Source: protobuf.dev/programming-guides/encoding.
///
/// Why not protobuf-c's packing: it needs a tree of C structs beside the model, and walks it twice. Nothing is written
/// beyond the end: a writer without room left reports this, and its owner starts again with more.
@safe struct WireWriter {
  private let start: UnsafeMutablePointer<UInt8>
  private let capacity: Int
  private(set) var count = 0
  /// Something did not fit: what is written is of no use.
  private(set) var isFull = false

  /// - Parameter buffer: lives longer than the writer.
  init?(_ buffer: UnsafeMutableBufferPointer<UInt8>) {
    guard let start = buffer.baseAddress else { return nil }
    unsafe self.start = unsafe start
    capacity = buffer.count
  }

  /// Appends the encoded message, with one allocation at most where the estimate holds.
  static func append(_ message: some WireMessage, to bytes: inout [UInt8]) {
    var room = message.sizeEstimate * 5 / 4 + 64
    while !append(message, to: &bytes, room: room) { room *= 2 }
  }

  private static func append(_ message: some WireMessage, to bytes: inout [UInt8], room: Int) -> Bool {
    var isDone = false
    bytes.append(addingCapacity: room) { output in
      // The buffer is used only inside the closure, and `written` bytes of it were initialised.
      unsafe output.withUnsafeMutableBufferPointer { buffer, written in
        guard var writer = unsafe WireWriter(buffer) else { return }
        message.write(to: &writer)
        guard !writer.isFull else { return }
        written = writer.count
        isDone = true
      }
    }
    return isDone
  }

  /// Marks the writer as full where fewer than `size` bytes are left.
  @inline(__always) private mutating func hasRoom(_ size: Int) -> Bool {
    if capacity - count >= size { return true }
    isFull = true
    return false
  }

  // The raw writes below go to start[count...], after hasRoom has answered for as many bytes.

  @inline(__always) private mutating func putVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      unsafe start[count] = UInt8(truncatingIfNeeded: rest) | 0x80
      count += 1
      rest >>= 7
    }
    unsafe start[count] = UInt8(truncatingIfNeeded: rest)
    count += 1
  }

  @inline(__always) private mutating func putTag(_ field: UInt32, _ type: WireType) {
    putVarint(UInt64(field << 3 | type.rawValue))
  }

  private mutating func putBytes(_ bytes: Span<UInt8>) {
    let start = unsafe start + count
    unsafe bytes.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      unsafe start.update(from: base, count: source.count)
    }
    count += bytes.count
  }

  static func varintSize(_ value: Int) -> Int { value < 1 ? 1 : (70 - UInt64(value).leadingZeroBitCount) / 7 }
}

enum WireType: UInt32 {
  case varint = 0
  case fixed64 = 1
  case length = 2
  case fixed32 = 5
}

// Fields. A field with the value zero is not written, as proto3 has it.
extension WireWriter {
  @inline(__always) mutating func unsigned(_ field: UInt32, _ value: UInt64) {
    guard value != 0, hasRoom(12) else { return }
    putTag(field, .varint)
    putVarint(value)
  }

  @inline(__always) mutating func signed(_ field: UInt32, _ value: Int64) { unsigned(field, UInt64(bitPattern: value)) }

  @inline(__always) mutating func flag(_ field: UInt32, _ value: Bool) { unsigned(field, value ? 1 : 0) }

  @inline(__always) mutating func float(_ field: UInt32, _ value: Float) {
    // By its bits: -0.0 is not the default.
    guard value.bitPattern != 0, hasRoom(6) else { return }
    putTag(field, .fixed32)
    unsafe UnsafeMutableRawPointer(start + count).storeBytes(of: value.bitPattern.littleEndian, as: UInt32.self)
    count += 4
  }

  @inline(__always) mutating func double(_ field: UInt32, _ value: Double) {
    guard value.bitPattern != 0, hasRoom(10) else { return }
    putTag(field, .fixed64)
    unsafe UnsafeMutableRawPointer(start + count).storeBytes(of: value.bitPattern.littleEndian, as: UInt64.self)
    count += 8
  }

  mutating func bytes(_ field: UInt32, _ value: Span<UInt8>) {
    guard value.count > 0, hasRoom(12 + value.count) else { return }
    putTag(field, .length)
    putVarint(UInt64(value.count))
    putBytes(value)
  }

  /// Cut at a character where it is longer than `limit`; a NUL becomes "?".
  mutating func text(_ field: UInt32, _ value: String, limit: Int = FleetProtocol.textBytes, evenIfEmpty: Bool = false)
  {
    let span = value.utf8Span.span
    guard span.count > 0 || evenIfEmpty, hasRoom(12 + span.count) else { return }
    let length = Text.boundary(in: span, atMost: limit)
    putTag(field, .length)
    putVarint(UInt64(length))
    let from = count
    putBytes(span.extracting(first: length))
    while let zero = unsafe memchr(start + from, 0, length) {
      unsafe zero.storeBytes(of: UInt8(ascii: "?"), as: UInt8.self)
    }
  }
}

// Messages and packed arrays: the length stands before the content and is known only after it.
extension WireWriter {
  struct Mark {
    let at: Int
    let reserved: Int
  }

  private mutating func open(_ field: UInt32, sizeHint: Int) -> Mark {
    let mark = Mark(at: 0, reserved: Self.varintSize(sizeHint))
    guard hasRoom(16) else { return mark }
    putTag(field, .length)
    defer { count += mark.reserved }
    return Mark(at: count, reserved: mark.reserved)
  }

  /// Writes the length; moves the content only where its length takes another number of bytes than was expected.
  private mutating func close(_ mark: Mark) {
    guard !isFull, hasRoom(10) else { return }
    let body = mark.at + mark.reserved
    let length = count - body
    let size = Self.varintSize(length)
    if size != mark.reserved { unsafe memmove(start + mark.at + size, start + body, length) }
    count = mark.at
    putVarint(UInt64(length))
    count += length
  }

  mutating func message(_ field: UInt32, _ message: some WireMessage) {
    let mark = open(field, sizeHint: message.sizeEstimate)
    message.write(to: &self)
    close(mark)
  }

  mutating func messages(_ field: UInt32, _ messages: [some WireMessage]) {
    for element in messages { message(field, element) }
  }

  mutating func packed(_ field: UInt32, _ values: Span<UInt32>) {
    guard values.count > 0 else { return }
    let mark = open(field, sizeHint: values.count)
    for index in values.indices {
      guard hasRoom(10) else { return }
      putVarint(UInt64(values[index]))
    }
    close(mark)
  }

  /// As `sint64`: the first value, then each one's difference to the one before.
  mutating func packedDifferences(_ field: UInt32, _ values: Span<Int64>) {
    guard values.count > 0 else { return }
    let mark = open(field, sizeHint: values.count)
    var last: Int64 = 0
    for index in values.indices {
      guard hasRoom(10) else { return }
      let difference = values[index] &- last
      last = values[index]
      putVarint(UInt64(bitPattern: difference << 1 ^ difference >> 63))
    }
    close(mark)
  }
}
