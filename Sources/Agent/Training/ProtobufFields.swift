/// Walks the fields of one protobuf message, without a schema and without allocating.
///
/// What is no message ends it, with `isDamaged` set; no length in it is believed that the bytes do not hold.
/// - Source: protobuf.dev, "Encoding". Groups, which no format here uses, count as damage.
struct ProtobufFields {
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case fixed32(UInt32)
    case bytes(Range<Int>)
  }

  private var position: Int
  private let end: Int
  private(set) var isDamaged = false

  /// - Parameter range: the message in the bytes that `next` gets.
  init(_ range: Range<Int>) {
    position = range.lowerBound
    end = range.upperBound
  }

  /// - Returns: nil at the end of the message, or at its damage.
  mutating func next(_ bytes: Span<UInt8>) -> (number: Int, value: Value)? {
    guard !isDamaged, position < end else { return nil }
    guard let key = varint(bytes), key >> 3 > 0, key >> 3 < 1 << 29, let value = value(bytes, wire: key & 7) else {
      isDamaged = true
      return nil
    }
    return (Int(key >> 3), value)
  }

  private mutating func value(_ bytes: Span<UInt8>, wire: UInt64) -> Value? {
    switch wire {
    case 0: return varint(bytes).map(Value.varint)
    case 1:
      guard end - position >= 8 else { return nil }
      defer { position += 8 }
      return .fixed64(bytes.littleEndian64(at: position))
    case 2:
      guard let length = varint(bytes), length <= UInt64(end - position) else { return nil }
      defer { position += Int(length) }
      return .bytes(position..<position + Int(length))
    case 5:
      guard end - position >= 4 else { return nil }
      defer { position += 4 }
      return .fixed32(bytes.littleEndian32(at: position))
    default: return nil
    }
  }

  private mutating func varint(_ bytes: Span<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < end, shift < 64 {
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  /// The first number of a packed field.
  static func firstVarint(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
    var fields = ProtobufFields(range)
    return fields.varint(bytes)
  }
}
