internal import FleetModel

/// The members of a JSON object on one line, RFC 8259, without building anything: only names and where the values lie.
///
/// It does not validate: a line that is no JSON ends the walk, and is a line all the same.
struct JSONFields: FieldWalk {
  struct Field {
    var name: Range<Int>
    /// Without quotes for a text.
    var value: Range<Int>
    var isText: Bool
    var isObject: Bool

    /// The value where it is an object, for a walk through that.
    var inner: Range<Int>? { isObject ? value : nil }
  }

  private var at: Int
  private let end: Int

  /// - Parameter range: starts with the brace.
  init(_ range: Range<Int>) {
    at = range.lowerBound + 1
    end = range.upperBound
  }

  mutating func next(_ bytes: Span<UInt8>) -> Field? {
    skip(bytes, UInt8(ascii: ","))
    guard let name = text(bytes) else { return nil }
    skip(bytes, UInt8(ascii: ":"))
    guard at < end else { return nil }
    if bytes[at] == UInt8(ascii: "\"") {
      guard let value = text(bytes) else { return nil }
      return Field(name: name, value: value, isText: true, isObject: false)
    }
    let start = at
    guard skipValue(bytes) else { return nil }
    return Field(name: name, value: start..<at, isText: false, isObject: bytes[start] == UInt8(ascii: "{"))
  }

  private mutating func skip(_ bytes: Span<UInt8>, _ separator: UInt8) {
    while at < end, bytes[at] <= UInt8(ascii: " ") || bytes[at] == separator { at += 1 }
  }

  private mutating func text(_ bytes: Span<UInt8>) -> Range<Int>? {
    guard at < end, bytes[at] == UInt8(ascii: "\"") else { return nil }
    let start = at + 1
    at = start
    while at < end, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
    guard at < end else { return nil }
    defer { at += 1 }
    return start..<at
  }

  /// A number, a word, or a whole object or array.
  private mutating func skipValue(_ bytes: Span<UInt8>) -> Bool {
    var depth = 0
    while at < end {
      switch bytes[at] {
      case UInt8(ascii: "\""):
        guard text(bytes) != nil else { return false }
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return true }
        depth -= 1
      case UInt8(ascii: ","): if depth == 0 { return true }
      default: break
      }
      at += 1
    }
    return false
  }

  /// A plain decimal; NaN for all else.
  static func number(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double {
    range.count <= 32 ? DecimalNumber.parse(bytes, range) ?? .nan : .nan
  }

  /// Seconds, ms, µs or ns since 1970, distinguished by their size; nil before 2001 or past 2286.
  static func timeUs(_ number: Double) -> Int64? {
    for (limit, scale) in [(1e10, 1e6), (1e13, 1e3), (1e16, 1), (1e19, 1e-3)] where number < limit {
      return number >= limit / 10 ? Int64(number * scale) : nil
    }
    return nil
  }
}
