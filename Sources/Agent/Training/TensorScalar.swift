/// A TensorFlow tensor of one number, and one of one text.
///
/// - Source: tensorflow/core/framework/{tensor,tensor_shape,types}.proto; tensorboard/util/tensor_util.py (`make_ndarray`).
struct TensorScalar {
  private var type: UInt64 = 0
  private var elements: UInt64 = 1
  private var content: Range<Int>?
  /// The first one of the field of its type.
  private var number: Double?
  private(set) var text: Range<Int>?

  /// - Returns: nil where the range is no tensor message.
  init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    var fields = ProtobufFields(range)
    while let field = fields.next(bytes) {
      switch (field.number, field.value) {
      case (1, .varint(let value)): type = value
      case (2, .bytes(let shape)): if !readShape(bytes, shape) { return nil }
      case (4, .bytes(let range)): content = range.isEmpty ? content : range
      case (8, .bytes(let range)): text = text ?? range
      case (let number, let value): if self.number == nil { self.number = Self.first(bytes, number, value) }
      }
    }
    if fields.isDamaged { return nil }
  }

  /// Its number, where it has exactly one.
  func value(_ bytes: Span<UInt8>) -> Double? {
    guard elements == 1 else { return nil }
    guard let content else { return number }
    let bits: UInt64
    switch content.count {
    case 1: bits = UInt64(bytes[content.lowerBound])
    case 2: bits = UInt64(bytes[content.lowerBound]) | UInt64(bytes[content.lowerBound + 1]) << 8
    case 4: bits = UInt64(bytes.littleEndian32(at: content.lowerBound))
    case 8: bits = bytes.littleEndian64(at: content.lowerBound)
    default: return nil
    }
    return Self.number(bits, type: type, bytes: content.count)
  }

  /// `DataType` of types.proto.
  private static func number(_ bits: UInt64, type: UInt64, bytes: Int) -> Double? {
    switch (type, bytes) {
    case (1, 4): Double(Float(bitPattern: UInt32(bits)))
    case (2, 8): Double(bitPattern: bits)
    case (3, 4): Double(Int32(truncatingIfNeeded: bits))
    case (4, 1), (17, 2), (22, 4), (23, 8): Double(bits)
    case (5, 2): Double(Int16(truncatingIfNeeded: bits))
    case (6, 1): Double(Int8(truncatingIfNeeded: bits))
    case (9, 8): Double(Int64(bitPattern: bits))
    case (10, 1): bits == 0 ? 0 : 1
    case (14, 2): Double(Float(bitPattern: UInt32(bits) << 16))
    case (19, 2): Double(Float16(bitPattern: UInt16(bits)))
    default: nil
    }
  }

  private mutating func readShape(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var dimensions = ProtobufFields(range)
    while let dimension = dimensions.next(bytes) {
      guard case (2, .bytes(let range)) = dimension else { continue }
      var size: UInt64 = 0
      var fields = ProtobufFields(range)
      while let field = fields.next(bytes) { if case (1, .varint(let value)) = field { size = value } }
      // Unknown and hostile sizes are none of one number.
      elements = size <= 1 ? elements * size : .max
      if fields.isDamaged { return false }
      if elements > 1 { break }
    }
    return !dimensions.isDamaged
  }

  /// The first number of a `…_val` field, packed or not.
  private static func first(_ bytes: Span<UInt8>, _ field: Int, _ value: ProtobufFields.Value) -> Double? {
    let isPacked: Range<Int>?
    if case .bytes(let range) = value { isPacked = range } else { isPacked = nil }
    switch field {
    case 5:
      if let range = isPacked, range.count >= 4 {
        return Double(Float(bitPattern: bytes.littleEndian32(at: range.lowerBound)))
      }
      if case .fixed32(let bits) = value { return Double(Float(bitPattern: bits)) }
      return nil
    case 6:
      if let range = isPacked, range.count >= 8 {
        return Double(bitPattern: bytes.littleEndian64(at: range.lowerBound))
      }
      if case .fixed64(let bits) = value { return Double(bitPattern: bits) }
      return nil
    case 7, 10, 11, 13, 16, 17:
      let found: UInt64?
      if case .varint(let bits) = value {
        found = bits
      } else {
        found = isPacked.flatMap { ProtobufFields.firstVarint(bytes, $0) }
      }
      guard let bits = found else { return nil }
      switch field {
      case 7: return Double(Int32(truncatingIfNeeded: bits))
      case 10: return Double(Int64(bitPattern: bits))
      // Halves lie in it by their bits.
      case 13: return Double(Float16(bitPattern: UInt16(truncatingIfNeeded: bits)))
      default: return Double(bits)
      }
    default: return nil
    }
  }
}
