/// Reads decimal numbers as Python, NumPy and C print them, correctly rounded, without allocating.
///
/// Why not `Double(String)` alone: it costs an allocation and a call into strtod for each of a row's fields. Up to 19
/// digits and a power of ten up to 27 either way, the exact quotient or product fits 128 bits and is rounded once; the rest
/// goes to the standard library.
package enum DecimalNumber {
  /// A number of more characters is no number: doubles need at most 24, and a file may be hostile.
  package static let bytesMax = 512

  /// - Parameter range: the number alone; blanks around it are allowed.
  /// - Returns: the nearest double (ties to even; too large: infinity); NaN for `nan`; nil where it is no number.
  ///   Grammar: `[+-](digits[.digits]|.digits)[e[+-]digits]`, `nan`, `inf`, `infinity` in any case.
  package static func parse(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
    var position = range.lowerBound
    var end = range.upperBound
    while position < end, isBlank(bytes[position]) { position += 1 }
    while position < end, isBlank(bytes[end - 1]) { end -= 1 }
    let start = position
    guard position < end, end - position <= bytesMax else { return nil }
    let isNegative = bytes[position] == UInt8(ascii: "-")
    if isNegative || bytes[position] == UInt8(ascii: "+") { position += 1 }
    guard position < end else { return nil }
    if bytes[position] > UInt8(ascii: "9") {
      guard let value = named(bytes, position..<end) else { return nil }
      return isNegative ? -value : value
    }
    var digits = Digits()
    guard digits.scan(bytes, position..<end) else { return nil }
    guard let value = digits.value else { return fallback(bytes, start..<end) }
    return isNegative ? -value : value
  }

  /// - Returns: the number as an integer, where it is one of at most 2^53; nil otherwise.
  package static func parseInteger(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int64? {
    guard let value = parse(bytes, range), abs(value) <= 0x1p53, value == value.rounded() else { return nil }
    return Int64(value)
  }

  /// As `parse`, and Python's `True` and `False` as 1 and 0.
  package static func parseLogged(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
    if let value = parse(bytes, range) { return value }
    if matches(bytes, range, "true") { return 1 }
    return matches(bytes, range, "false") ? 0 : nil
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  private static func named(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
    if matches(bytes, range, "nan") { return .nan }
    if matches(bytes, range, "inf") || matches(bytes, range, "infinity") { return .infinity }
    return nil
  }

  private static func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ lowercase: StaticString) -> Bool {
    let name = lowercase.description.utf8
    guard name.count == range.count else { return false }
    return zip(range, name).allSatisfy { bytes[$0] | 0x20 == $1 }
  }

  /// Only what `Digits` has accepted comes here: many digits or a large exponent.
  private static func fallback(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
    Double(String(decoding: range.map { bytes[$0] }, as: UTF8.self))
  }
}

/// The digits of a number as `mantissa * 10^exponent`.
private struct Digits {
  var mantissa: UInt64 = 0
  var exponent = 0
  /// More digits than `mantissa` holds.
  var isLong = false

  /// - Returns: false where the range is not wholly a number.
  mutating func scan(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var position = range.lowerBound
    var count = 0
    var hasPoint = false
    while position < range.upperBound {
      let digit = bytes[position] &- UInt8(ascii: "0")
      if digit <= 9 {
        if mantissa < 1_000_000_000_000_000_000 {
          mantissa = mantissa &* 10 &+ UInt64(digit)
          if hasPoint { exponent -= 1 }
        } else {
          isLong = true
        }
        count += 1
      } else if bytes[position] == UInt8(ascii: "."), !hasPoint {
        hasPoint = true
      } else {
        break
      }
      position += 1
    }
    guard count > 0 else { return false }
    return position == range.upperBound || scanExponent(bytes, position..<range.upperBound)
  }

  private mutating func scanExponent(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var position = range.lowerBound
    guard bytes[position] | 0x20 == UInt8(ascii: "e"), range.count > 1 else { return false }
    position += 1
    let isNegative = bytes[position] == UInt8(ascii: "-")
    if isNegative || bytes[position] == UInt8(ascii: "+") { position += 1 }
    guard position < range.upperBound else { return false }
    var written = 0
    while position < range.upperBound {
      let digit = bytes[position] &- UInt8(ascii: "0")
      guard digit <= 9 else { return false }
      written = min(written * 10 + Int(digit), 100_000)
      position += 1
    }
    exponent += isNegative ? -written : written
    return true
  }

  /// nil where 128 bits do not hold the exact value.
  var value: Double? {
    if isLong { return nil }
    if mantissa == 0 { return 0 }
    if mantissa <= 1 << 53, abs(exponent) <= 22 {
      // Both are exact doubles, so one operation rounds once (Clinger 1990).
      let power = PowersOfTen.exact[abs(exponent)]
      return exponent < 0 ? Double(mantissa) / power : Double(mantissa) * power
    }
    guard abs(exponent) <= 27 else { return nil }
    return exponent < 0 ? quotient : product
  }

  /// mantissa / 5^k / 2^k, both normalised to 64 bits.
  private var quotient: Double {
    let k = -exponent
    let shift = mantissa.leadingZeroBitCount
    let numerator = mantissa << UInt64(shift)
    let divisor = PowersOfTen.five[k]
    let divisorShift = divisor.leadingZeroBitCount
    let (quotient, remainder) = (divisor << UInt64(divisorShift))
      .dividingFullWidth((numerator >> 1, (numerator & 1) << 63))
    return Self.rounded(quotient, isInexact: remainder != 0, exponent: divisorShift - shift - k - 63)
  }

  /// mantissa * 5^k * 2^k.
  private var product: Double {
    let shift = mantissa.leadingZeroBitCount
    let power = PowersOfTen.five[exponent]
    let powerShift = power.leadingZeroBitCount
    let (high, low) = (mantissa << UInt64(shift)).multipliedFullWidth(by: power << UInt64(powerShift))
    return Self.rounded(high, isInexact: low != 0, exponent: 64 - shift - powerShift + exponent)
  }

  /// `bits * 2^exponent` and a little more where `isInexact`, to the nearest double, ties to even. The exponents that come
  /// here are far from the ends of a double's range.
  private static func rounded(_ bits: UInt64, isInexact: Bool, exponent: Int) -> Double {
    let shift = bits.leadingZeroBitCount
    let normal = bits << UInt64(shift)
    var significand = normal >> 11
    let rest = normal & 0x7ff
    if rest > 0x400 || (rest == 0x400 && (isInexact || significand & 1 == 1)) { significand += 1 }
    var power = exponent - shift + 11
    if significand == 1 << 53 {
      significand >>= 1
      power += 1
    }
    return Double(bitPattern: UInt64(power + 52 + 1023) << 52 | (significand & (1 << 52 - 1)))
  }
}

private enum PowersOfTen {
  /// 10^0 … 10^22: exact in a double.
  static let exact: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]
  /// 5^0 … 5^27: all below 2^64.
  static let five: [UInt64] = (0..<27).reduce(into: [1]) { powers, _ in powers.append(powers[powers.count - 1] * 5) }
}
