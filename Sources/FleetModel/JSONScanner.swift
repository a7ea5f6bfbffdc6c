/// Reads one JSON text token by token, without allocating and without a tree.
///
/// Used for JSON-line logs, RLlib's `result.json` and what programs send on the socket. It is lenient where Python is:
/// `NaN`, `Infinity` and `-Infinity` are numbers, control characters may stand in strings. Everything else that RFC 8259
/// does not allow ends the text as failed; no input traps.
package struct JSONScanner {
  package enum Token: Equatable, Sendable {
    case objectStart
    case objectEnd
    case arrayStart
    case arrayEnd
    /// The name of the member whose value follows; between the quotes, escapes as written.
    case key(Range<Int>)
    /// Between the quotes, escapes as written: see `text`.
    case string(Range<Int>)
    /// For `DecimalNumber.parse`.
    case number(Range<Int>)
    case bool(Bool)
    case null
  }

  /// Deeper nesting fails: nothing that is logged needs it, and the stack is one word for each kind.
  package static let depthMax = 64

  private enum Expectation {
    case value, valueOrEnd, key, keyOrEnd, colon, commaOrEnd, end
  }

  /// The next byte to read.
  package private(set) var position: Int
  private let end: Int
  private var expectation: Expectation = .value
  /// Open containers; bit set = object. The innermost is the lowest bit.
  private var objects: UInt64 = 0
  /// How many containers are open.
  package private(set) var depth = 0
  /// The text is no JSON, or nested too deep; `next` gives nil from now on.
  package private(set) var isFailed = false

  /// - Parameter range: the text in the bytes that every call gets.
  package init(_ range: Range<Int>) {
    position = range.lowerBound
    end = range.upperBound
  }

  /// The whole text was read, and was JSON.
  package var isComplete: Bool { !isFailed && expectation == .end }

  /// - Returns: nil after the last token, or where the text fails.
  package mutating func next(_ bytes: Span<UInt8>) -> Token? {
    guard !isFailed else { return nil }
    while true {
      skipBlanks(bytes)
      guard position < end else {
        if expectation != .end { isFailed = true }
        return nil
      }
      let byte = bytes[position]
      switch (expectation, byte) {
      case (.colon, UInt8(ascii: ":")):
        position += 1
        expectation = .value
      case (.commaOrEnd, UInt8(ascii: ",")):
        position += 1
        expectation = isInObject ? .key : .value
      case (.commaOrEnd, UInt8(ascii: "}")), (.keyOrEnd, UInt8(ascii: "}")): return close(isObject: true)
      case (.commaOrEnd, UInt8(ascii: "]")), (.valueOrEnd, UInt8(ascii: "]")): return close(isObject: false)
      case (.key, UInt8(ascii: "\"")), (.keyOrEnd, UInt8(ascii: "\"")):
        guard let range = string(bytes) else { return fail() }
        expectation = .colon
        return .key(range)
      case (.value, _), (.valueOrEnd, _): return value(bytes, byte)
      default: return fail()
      }
    }
  }

  /// Passes over the value that comes next, or over what is left of the container just opened.
  /// - Parameter first: the token of the value, where it was already read.
  package mutating func skip(_ bytes: Span<UInt8>, _ first: Token? = nil) {
    guard var token = first ?? next(bytes) else { return }
    var open = 0
    while true {
      switch token {
      case .objectStart, .arrayStart: open += 1
      case .objectEnd, .arrayEnd: open -= 1
      default: break
      }
      guard open > 0, let following = next(bytes) else { return }
      token = following
    }
  }

  private var isInObject: Bool { objects & 1 == 1 }

  private mutating func skipBlanks(_ bytes: Span<UInt8>) {
    while position < end {
      switch bytes[position] {
      case 0x20, 0x09, 0x0a, 0x0d: position += 1
      default: return
      }
    }
  }

  private mutating func fail() -> Token? {
    isFailed = true
    return nil
  }

  private mutating func open(isObject: Bool) -> Token? {
    guard depth < Self.depthMax else { return fail() }
    position += 1
    depth += 1
    objects = objects << 1 | (isObject ? 1 : 0)
    expectation = isObject ? .keyOrEnd : .valueOrEnd
    return isObject ? .objectStart : .arrayStart
  }

  private mutating func close(isObject: Bool) -> Token? {
    guard depth > 0, isInObject == isObject else { return fail() }
    position += 1
    depth -= 1
    objects >>= 1
    expectation = depth == 0 ? .end : .commaOrEnd
    return isObject ? .objectEnd : .arrayEnd
  }

  private mutating func value(_ bytes: Span<UInt8>, _ first: UInt8) -> Token? {
    switch first {
    case UInt8(ascii: "{"): return open(isObject: true)
    case UInt8(ascii: "["): return open(isObject: false)
    case UInt8(ascii: "\""):
      guard let range = string(bytes) else { return fail() }
      return done(.string(range))
    case UInt8(ascii: "t"): return word(bytes, "true", .bool(true))
    case UInt8(ascii: "f"): return word(bytes, "false", .bool(false))
    case UInt8(ascii: "n"): return word(bytes, "null", .null)
    default: return number(bytes)
    }
  }

  private mutating func done(_ token: Token) -> Token {
    expectation = depth == 0 ? .end : .commaOrEnd
    return token
  }

  /// - Returns: what lies between the quotes; `position` stands behind the second.
  private mutating func string(_ bytes: Span<UInt8>) -> Range<Int>? {
    let start = position + 1
    var at = start
    while at < end {
      switch bytes[at] {
      case UInt8(ascii: "\""):
        position = at + 1
        return start..<at
      case UInt8(ascii: "\\"): at += 2
      default: at += 1
      }
    }
    return nil
  }

  private mutating func word(_ bytes: Span<UInt8>, _ text: StaticString, _ token: Token) -> Token? {
    let range = wordRange(bytes)
    guard range.count == text.utf8CodeUnitCount, zip(range, text.description.utf8).allSatisfy({ bytes[$0] == $1 })
    else { return fail() }
    position = range.upperBound
    return done(token)
  }

  private mutating func number(_ bytes: Span<UInt8>) -> Token? {
    let range = wordRange(bytes)
    guard !range.isEmpty, DecimalNumber.parse(bytes, range) != nil else { return fail() }
    position = range.upperBound
    return done(.number(range))
  }

  /// Up to what may end a number or a word.
  private func wordRange(_ bytes: Span<UInt8>) -> Range<Int> {
    var at = position
    while at < end {
      switch bytes[at] {
      case 0x20, 0x09, 0x0a, 0x0d, UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ":"),
        UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "["):
        return position..<at
      default: at += 1
      }
    }
    return position..<end
  }
}

// MARK: Strings

extension JSONScanner {
  /// Whether a key or string is `text`, compared as written: names that are looked for need no escapes.
  package static func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
    range.count == text.utf8CodeUnitCount && zip(range, text.description.utf8).allSatisfy { bytes[$0] == $1 }
  }

  /// The string's bytes with its escapes resolved; a lone surrogate or a wrong escape becomes U+FFFD. Bytes that are no UTF-8
  /// stay as they are.
  /// - Parameter bytesMax: longer ones are cut, perhaps within a character.
  package static func text(_ bytes: Span<UInt8>, _ range: Range<Int>, bytesMax: Int) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(min(range.count, bytesMax))
    var position = range.lowerBound
    while position < range.upperBound, text.count < bytesMax {
      let byte = bytes[position]
      position += 1
      if byte != UInt8(ascii: "\\") {
        text.append(byte)
      } else if position < range.upperBound {
        unescape(bytes, &position, range.upperBound, into: &text)
      }
    }
    if text.count > bytesMax { text.removeLast(text.count - bytesMax) }
    return text
  }

  private static func unescape(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int, into text: inout [UInt8]) {
    let escape = bytes[position]
    position += 1
    switch escape {
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
    case UInt8(ascii: "u"):
      text.append(contentsOf: String(unicode(bytes, &position, end)).utf8)
    default: text.append(contentsOf: "\u{fffd}".utf8)
    }
  }

  /// The four digits after `\u`, and a second such escape where the first is a high surrogate.
  private static func unicode(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int) -> Unicode.Scalar {
    guard let first = unit(bytes, position, end) else { return "\u{fffd}" }
    position += 4
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xdc00, position + 1 < end, bytes[position] == UInt8(ascii: "\\"),
      bytes[position + 1] == UInt8(ascii: "u"), let second = unit(bytes, position + 2, end), second >= 0xdc00,
      second < 0xe000
    else { return "\u{fffd}" }
    position += 6
    return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) ?? "\u{fffd}"
  }

  private static func unit(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> UInt32? {
    guard start + 4 <= end else { return nil }
    var value: UInt32 = 0
    for index in start..<start + 4 {
      guard let digit = Hex.value(bytes[index]) else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }
}
