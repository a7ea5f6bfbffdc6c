/// A parameter; sent in PostgreSQL's binary format where its type is known, never as part of the statement's text.
package enum Parameter: Sendable, Equatable {
  case null
  case bool(Bool)
  case int2(Int16)
  case int4(Int32)
  case int8(Int64)
  case float8(Double)
  /// A NUL is replaced by U+FFFD: PostgreSQL has none.
  case text(String)
  /// In the text form of the type that the statement itself names for it, such as `$1::timestamptz`: the server reads it once. A `text`
  /// that is cast is read for every row.
  case untyped(String)
  case bytes([UInt8])
  /// The two big-endian words of a uuid.
  case uuid(high: UInt64, low: UInt64)
  /// µs since 1970.
  case time(us: Int64)
  case int2s([Int16])
  case int4s([Int32])
  case int8s([Int64])
  case float8s([Double?])
  case bools([Bool])
  case texts([String])
  case byteStrings([[UInt8]])
  case uuids([(high: UInt64, low: UInt64)])
  case times(us: [Int64?])

  package static func == (left: Parameter, right: Parameter) -> Bool {
    var (a, b) = ([UInt8](), [UInt8]())
    return left.oid == right.oid && left.encode(into: &a) == right.encode(into: &b) && a == b
  }

  /// pg_type.oid.
  var oid: UInt32 {
    switch self {
    case .null, .untyped: 0
    case .bool: 16
    case .int2: 21
    case .int4: 23
    case .int8: 20
    case .float8: 701
    case .text: 25
    case .bytes: 17
    case .uuid: 2950
    case .time: 1184
    case .int2s: 1005
    case .int4s: 1007
    case .int8s: 1016
    case .float8s: 1022
    case .bools: 1000
    case .texts: 1009
    case .byteStrings: 1001
    case .uuids: 2951
    case .times: 1185
    }
  }

  /// Sent as text, with a NUL at its end.
  var isTextFormat: Bool { if case .untyped = self { true } else { false } }

  /// Appends the value.
  /// - Returns: false for NULL, where nothing is appended.
  func encode(into bytes: inout [UInt8]) -> Bool {
    switch self {
    case .null: return false
    case .bool(let value): bytes.append(value ? 1 : 0)
    case .int2(let value): bytes.append(bigEndian: value)
    case .int4(let value): bytes.append(bigEndian: value)
    case .int8(let value): bytes.append(bigEndian: value)
    case .float8(let value): bytes.append(bigEndian: value.bitPattern)
    case .text(let value), .untyped(let value): bytes.append(contentsOf: Self.withoutNUL(value).utf8)
    case .bytes(let value): bytes.append(contentsOf: value)
    case .uuid(let high, let low):
      bytes.append(bigEndian: high)
      bytes.append(bigEndian: low)
    case .time(let us): bytes.append(bigEndian: PostgresTime.fromUnix(us: us))
    case .int2s(let values): bytes.append(array: values, of: 21) { $0.append(bigEndian: $1) }
    case .int4s(let values): bytes.append(array: values, of: 23) { $0.append(bigEndian: $1) }
    case .int8s(let values): bytes.append(array: values, of: 20) { $0.append(bigEndian: $1) }
    case .float8s(let values): bytes.append(optionals: values, of: 701) { $0.append(bigEndian: $1.bitPattern) }
    case .bools(let values): bytes.append(array: values, of: 16) { $0.append($1 ? 1 : 0) }
    case .texts(let values): bytes.append(array: values, of: 25) { $0.append(contentsOf: Self.withoutNUL($1).utf8) }
    case .byteStrings(let values): bytes.append(array: values, of: 17) { $0.append(contentsOf: $1) }
    case .uuids(let values):
      bytes.append(array: values, of: 2950) {
        $0.append(bigEndian: $1.high)
        $0.append(bigEndian: $1.low)
      }
    case .times(let values):
      bytes.append(optionals: values, of: 1184) { $0.append(bigEndian: PostgresTime.fromUnix(us: $1)) }
    }
    return true
  }

  private static func withoutNUL(_ text: String) -> String {
    text.utf8.contains(0) ? String(text.unicodeScalars.map { $0 == "\0" ? "\u{fffd}" : Character($0) }) : text
  }
}

extension [UInt8] {
  mutating func append(bigEndian value: some FixedWidthInteger) {
    for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  /// array_send's format: dimensions, flags, element type, length, lower bound, then length-prefixed elements.
  mutating func append<Value>(
    array values: [Value], of oid: Int32, _ encode: (inout [UInt8], Value) -> Void
  ) {
    append(optionals: values.map(Optional.some), of: oid, encode)
  }

  mutating func append<Value>(
    optionals values: [Value?], of oid: Int32, _ encode: (inout [UInt8], Value) -> Void
  ) {
    append(bigEndian: Int32(values.isEmpty ? 0 : 1))
    append(bigEndian: Int32(values.contains { $0 == nil } ? 1 : 0))
    append(bigEndian: oid)
    if values.isEmpty { return }
    append(bigEndian: Int32(values.count))
    append(bigEndian: Int32(1))
    for value in values {
      guard let value else {
        append(bigEndian: Int32(-1))
        continue
      }
      let place = count
      append(bigEndian: Int32(0))
      encode(&self, value)
      let length = UInt32(count - place - 4)
      for index in 0..<4 { self[place + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(index))) }
    }
  }
}
