/// Appends the fields of one frame.
struct ProbeWriter {
  private var bytes: [UInt8]

  init(number: UInt32) {
    bytes = [0, 0, 0, 0]
    put(number)
  }

  mutating func put(byte: UInt8) { bytes.append(byte) }
  mutating func put(_ value: UInt32) {
    for shift in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * shift))) }
  }
  mutating func put(_ value: UInt64) {
    for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * shift))) }
  }
  mutating func put(_ value: Float) { put(value.bitPattern) }

  mutating func put(_ text: String) {
    let utf8 = text.utf8.prefix(ProbeWire.textBytesMax)
    put(UInt32(utf8.count))
    bytes.append(contentsOf: utf8)
  }

  mutating func put(_ kind: UInt8, _ text: String) {
    put(byte: kind)
    put(text)
  }

  /// The frame with its length in front.
  consuming func frame() -> [UInt8] {
    let length = UInt32(bytes.count - 4)
    for shift in 0..<4 { bytes[shift] = UInt8(truncatingIfNeeded: length >> (8 * shift)) }
    return bytes
  }
}

/// Takes the fields out of one frame; nil where the frame ends too soon.
struct ProbeReader {
  private var at = 0

  mutating func byte(_ frame: Span<UInt8>) -> UInt8? {
    guard at < frame.count else { return nil }
    defer { at += 1 }
    return frame[at]
  }

  mutating func uint32(_ frame: Span<UInt8>) -> UInt32? {
    guard frame.count - at >= 4 else { return nil }
    var value: UInt32 = 0
    for shift in 0..<4 { value |= UInt32(frame[at + shift]) << (8 * shift) }
    at += 4
    return value
  }

  mutating func uint64(_ frame: Span<UInt8>) -> UInt64? {
    guard let low = uint32(frame), let high = uint32(frame) else { return nil }
    return UInt64(high) << 32 | UInt64(low)
  }

  mutating func float(_ frame: Span<UInt8>) -> Float? { uint32(frame).map { Float(bitPattern: $0) } }

  mutating func text(_ frame: Span<UInt8>) -> String? {
    guard let length = uint32(frame), length <= ProbeWire.textBytesMax, frame.count - at >= Int(length) else {
      return nil
    }
    var bytes: [UInt8] = []
    for index in at..<at + Int(length) { bytes.append(frame[index]) }
    at += Int(length)
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Cuts a stream of bytes into frames.
struct ProbeDeframer {
  private var bytes: [UInt8] = []
  /// A length beyond the limit: nothing that follows can be trusted.
  private(set) var isBroken = false

  mutating func append(_ more: Span<UInt8>) {
    for index in 0..<more.count { bytes.append(more[index]) }
  }

  /// The next whole frame without its length; nil until there is one.
  mutating func next() -> [UInt8]? {
    guard !isBroken, bytes.count >= 4 else { return nil }
    var length = 0
    for shift in 0..<4 { length |= Int(bytes[shift]) << (8 * shift) }
    guard length <= ProbeWire.frameBytesMax else {
      isBroken = true
      bytes = []
      return nil
    }
    guard bytes.count >= 4 + length else { return nil }
    let frame = Array(bytes[4..<4 + length])
    bytes.removeFirst(4 + length)
    return frame
  }
}
