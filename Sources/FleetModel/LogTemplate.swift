/// What a log line is apart from its numbers and names with digits: lines of one template are of one kind.
///
/// A word (ASCII letters, digits, `_`) with a digit in it is a variable, written `#`; several in a row with `.`, `:`, `,` or `-`
/// between them, such as an address or a time, are one. The same as the regular expressions of `Store.LogTemplates`, which make it of
/// lines that were stored without a hash.
package enum LogTemplate {
  /// Of a longer line the rest does not count: the head of a record says what kind it is, and a template stands in an address.
  package static let scalarsMax = 400
  /// Stands for a variable.
  package static let variable = UInt8(ascii: "#")

  /// The template's hash: what lines are grouped by without comparing their texts. A template is its own template.
  /// - Parameter message: valid UTF-8.
  package static func hash(of message: Span<UInt8>) -> UInt64 {
    var hash = ContentHash()
    fold(message) { hash.update($0) }
    return hash.value
  }

  /// The template in words.
  package static func text(of message: String) -> String {
    var bytes: [UInt8] = []
    fold(message.utf8.span) { bytes.append($0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  package static func hash(of message: String) -> UInt64 {
    hash(of: message.utf8.span)
  }

  @inline(__always)
  private static func fold(_ message: Span<UInt8>, _ put: (UInt8) -> Void) {
    let end = endOfHead(message)
    var isAfterVariable = false
    // A separator after a variable: part of that where another variable follows.
    var pending: UInt8?
    var index = 0
    while index < end {
      let byte = message[index]
      var start = index
      var hasDigit = false
      while index < end {
        let kind = kind(message[index])
        if kind == 0 { break }
        if kind == 2 { hasDigit = true }
        index += 1
      }
      if hasDigit || byte == variable {
        if index == start { index += 1 }
        if pending == nil { put(variable) }
        pending = nil
        isAfterVariable = true
        continue
      }
      if let separator = pending { put(separator) }
      pending = nil
      if index == start {
        index += 1
        if isAfterVariable && isSeparator(byte) { pending = byte } else { put(byte) }
      } else {
        while start < index {
          put(message[start])
          start += 1
        }
      }
      isAfterVariable = false
    }
    if let separator = pending { put(separator) }
  }

  /// Where the first `scalarsMax` scalars end.
  private static func endOfHead(_ message: Span<UInt8>) -> Int {
    guard message.count > scalarsMax else { return message.count }
    var scalars = 0
    for index in message.indices where message[index] & 0b1100_0000 != 0b1000_0000 {
      if scalars == scalarsMax { return index }
      scalars += 1
    }
    return message.count
  }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: ","): true
    default: false
    }
  }

  /// 0: not of a word, 1: a letter or `_`, 2: a digit.
  @inline(__always)
  private static func kind(_ byte: UInt8) -> UInt8 {
    if byte &- UInt8(ascii: "0") < 10 { return 2 }
    return (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_") ? 1 : 0
  }
}
