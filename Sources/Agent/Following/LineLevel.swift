internal import FleetModel

/// Finds the word for a line's level among its first words.
enum LineLevel {
  /// - Parameter words: how many words may stand before it (logger names, process ids); more are part of the message.
  static func find(_ bytes: Span<UInt8>, _ range: Range<Int>, words: Int) -> Level {
    var at = range.lowerBound
    let stop = min(range.upperBound, at + 96)
    var left = words
    while at < stop, left > 0 {
      let kind = ByteClass.of(bytes[at])
      guard kind & ByteClass.alphanumeric != 0 else {
        at += 1
        continue
      }
      var end = at + 1
      while end < range.upperBound, ByteClass.isWord(bytes[end]) { end += 1 }
      if let level = level(bytes, at..<end, kind, range) { return level }
      left -= 1
      at = end
      // The rest of a dotted or dashed name.
      while at < stop, isNamePart(bytes[at]) { at += 1 }
    }
    return .unknown
  }

  private static func isNamePart(_ byte: UInt8) -> Bool {
    ByteClass.isWord(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
  }

  /// Upper case counts as it stands; lower case only in brackets, before a colon or behind `level=`, where it is no sentence.
  private static func level(_ bytes: Span<UInt8>, _ word: Range<Int>, _ kind: UInt8, _ range: Range<Int>) -> Level? {
    guard word.count >= 3, word.count <= 9 else { return nil }
    let isUpper = kind == ByteClass.upper && ByteClass.of(bytes[word.upperBound - 1]) == ByteClass.upper
    let after = word.upperBound < range.upperBound ? bytes[word.upperBound] : 0
    if after == UInt8(ascii: "=") { return keyed(bytes, word, range) }
    let before = word.lowerBound > range.lowerBound ? bytes[word.lowerBound - 1] : 0
    guard isUpper || before == UInt8(ascii: "[") && after == UInt8(ascii: "]") || after == UInt8(ascii: ":") else {
      return nil
    }
    let level = ofWord(bytes, word)
    return level == .unknown ? nil : level
  }

  private static func keyed(_ bytes: Span<UInt8>, _ word: Range<Int>, _ range: Range<Int>) -> Level? {
    guard JSONFields.isLevel(bytes, word) else { return nil }
    var start = word.upperBound + 1
    if start < range.upperBound, bytes[start] == UInt8(ascii: "\"") { start += 1 }
    var end = start
    while end < range.upperBound, ByteClass.isWord(bytes[end]) { end += 1 }
    let level = ofWord(bytes, start..<end)
    return level == .unknown ? nil : level
  }

  /// A level's name in any case.
  static func ofWord(_ bytes: Span<UInt8>, _ word: Range<Int>) -> Level {
    guard word.count <= 8 else { return .unknown }
    // Up to eight letters in one number, upper case.
    var packed: UInt64 = 0
    for at in word { packed = packed << 8 | UInt64(bytes[at] & 0xdf) }
    switch packed {
    case 0x49_4e46_4f, 0x4e_4f54_4943_45, 0x53_5543_4345_5353: return .info  // INFO NOTICE SUCCESS
    case 0x44_4542_5547, 0x54_5241_4345, 0x5645_5242_4f53_45: return .debug  // DEBUG TRACE VERBOSE
    case 0x57_4152_4e, 0x57_4152_4e49_4e47: return .warn  // WARN WARNING
    case 0x45_5252_4f52, 0x4352_4954_4943_414c, 0x46_4154_414c, 0x4552_52, 0x43_5249_54, 0x53_4556_4552_45,
      0x45_4d45_5247, 0x41_4c45_5254, 0x50_414e_4943:
      return .error  // ERROR CRITICAL FATAL ERR CRIT SEVERE EMERG ALERT PANIC
    default: return .unknown
    }
  }

  /// The first letter of a glog line.
  static func ofLetter(_ letter: UInt8) -> Level? {
    switch letter {
    case UInt8(ascii: "I"): .info
    case UInt8(ascii: "W"): .warn
    case UInt8(ascii: "E"), UInt8(ascii: "F"): .error
    case UInt8(ascii: "D"): .debug
    default: nil
    }
  }

  /// Python's and Bunyan's numbers: 10 debug, 20 (30) info, 30 (40) warning, 40 (50) error. Between the two, Python's count.
  static func ofNumber(_ number: Double) -> Level {
    switch number {
    case 1..<20: .debug
    case 20..<30: .info
    case 30..<40: .warn
    case 40...100: .error
    default: .unknown
    }
  }
}
