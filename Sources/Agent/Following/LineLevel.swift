internal import FleetModel

/// Finds the word for a line's level, and distinguishes it from the same word in a sentence or as a metric's name.
enum LineLevel {
  /// Bytes in which the level may stand.
  private static let bytesMax = 128
  /// Words that may stand before it: logger, process, thread, position in the source.
  private static let wordsMax = 9

  /// - Parameters:
  ///   - range: the line, or what follows its time.
  ///   - isTimed: behind a time a plain word may stand before the level, such as a host's name; without one only names that are set
  ///     off by `:` or brackets.
  static func find(_ bytes: Span<UInt8>, _ range: Range<Int>, isTimed: Bool) -> Level {
    var at = behindPath(bytes, range)
    let end = min(range.upperBound, at + bytesMax)
    var plainLeft = isTimed ? 1 : 0
    var isFirst = true
    var isSetOff = true
    for _ in 0..<wordsMax {
      while at < end, !ByteClass.isWord(bytes[at]) { at += 1 }
      guard at < end else { break }
      let word = LevelWord(bytes, at: at, range.lowerBound..<range.upperBound, isFirst: isFirst, isTimed: isTimed)
      if let level = word.level(bytes, isSetOff: isSetOff) { return level }
      isFirst = false
      isSetOff = !word.isPlain
      if word.isPlain {
        if plainLeft == 0 { break }
        plainLeft -= 1
      }
      at = word.nameEnd
    }
    return .unknown
  }

  /// Behind `/srv/venv/lib/python3.11/site-packages/torch/optim/lr_scheduler.py:143:`, as warnings and compilers begin: such a path may be longer
  /// than what is looked at, and a bar that was cleared leaves blanks before it.
  @inline(__always) private static func behindPath(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    var at = range.lowerBound
    while at < range.upperBound, bytes[at] == UInt8(ascii: " ") { at += 1 }
    guard at < range.upperBound, bytes[at] == UInt8(ascii: "/") else { return at }
    return pathEnd(bytes, at..<range.upperBound) ?? at
  }

  @inline(never) private static func pathEnd(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    let end = min(range.upperBound, range.lowerBound + pathBytesMax)
    guard let colon = (range.lowerBound..<end).first(where: { bytes[$0] == UInt8(ascii: ":") }) else { return nil }
    var at = colon + 1
    while at < end, bytes[at] &- 48 <= 9 { at += 1 }
    return at > colon + 1 && at < end && bytes[at] == UInt8(ascii: ":") ? at + 1 : nil
  }

  private static let pathBytesMax = 1024

  /// The level before a time: `INFO 2026-…`, `[ERROR] [main] 2026-…`, `[E 2026-…`, `[NeMo W 2026-…`.
  static func before(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Level {
    var found = find(bytes, range, isTimed: false)
    if found == .unknown, let close = range.last(where: { bytes[$0] == UInt8(ascii: ")") }) {
      // Behind `(Worker pid=1)`.
      found = find(bytes, close + 1..<range.upperBound, isTimed: false)
    }
    if found != .unknown { return found }
    let letter = range.upperBound - 2
    guard letter > range.lowerBound, bytes[letter - 1] == UInt8(ascii: "[") || bytes[letter - 1] == UInt8(ascii: " ")
    else {
      return .unknown
    }
    return ofLetter(bytes, letter, range.upperBound) ?? .unknown
  }

  /// A level in a column of its own: upper case, with two blanks behind it.
  static func column(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Level {
    var end = range.lowerBound
    while end < range.upperBound, ByteClass.of(bytes[end]) == ByteClass.upper { end += 1 }
    guard bytes.holds("  ", at: end), end + 2 <= range.upperBound else { return .unknown }
    return ofWord(bytes, range.lowerBound..<end)
  }

  // MARK: Names

  /// Whether the whole word is a level's name in upper case.
  static func isWord(_ bytes: Span<UInt8>, _ word: Range<Int>) -> Bool {
    word.allSatisfy { ByteClass.of(bytes[$0]) == ByteClass.upper } && ofWord(bytes, word) != .unknown
  }

  /// A level's name, whole or as its loggers shorten it, in any case.
  static func ofWord(_ bytes: Span<UInt8>, _ word: Range<Int>) -> Level {
    guard word.count >= 3, word.count <= 13 else { return .unknown }
    var name: UInt64 = 0
    for at in word.prefix(8) {
      guard ByteClass.of(bytes[at]) & (ByteClass.lower | ByteClass.upper) != 0 else { return .unknown }
      name = name << 8 | UInt64(bytes[at] & 0xdf)
    }
    guard let found = byName[name], found.count == word.count else { return .unknown }
    return found.level
  }

  private static let names: [(Level, [String])] = [
    (.info, ["INFO", "INF", "INFORMATION", "INFORMATIONAL", "NOTICE", "NOTE", "SUCCESS", "LOG", "STATEMENT"]),
    (
      .debug,
      ["DEBUG", "DBG", "DBUG", "DEBU", "TRACE", "TRC", "TRCE", "TRAC", "VERBOSE", "VRB", "FINE", "FINER", "FINEST"]
    ),
    (.warn, ["WARN", "WARNING", "WRN"]),
    (
      .error,
      [
        "ERROR", "ERR", "ERRO", "EROR", "CRITICAL", "CRIT", "CRT", "FATAL", "FATA", "FTL", "SEVERE", "EMERG",
        "EMERGENCY",
        "ALERT", "PANIC", "PANI", "FAIL",
      ]
    ),
  ]

  /// By their first eight letters.
  private static let byName: [UInt64: (level: Level, count: Int)] = {
    var all: [UInt64: (level: Level, count: Int)] = [:]
    for (level, words) in names {
      for word in words { all[word.utf8.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }] = (level, word.utf8.count) }
    }
    return all
  }()

  /// The one letter of glog, TensorFlow, Ray, Optuna, etcd, MongoDB and logcat, where it stands alone or before a digit.
  static func ofLetter(_ bytes: Span<UInt8>, _ at: Int, _ end: Int) -> Level? {
    guard at >= 0, at < end else { return nil }
    if at + 1 < end, ByteClass.of(bytes[at + 1]) & (ByteClass.lower | ByteClass.upper) != 0 { return nil }
    switch bytes[at] {
    case UInt8(ascii: "I"): return .info
    case UInt8(ascii: "W"): return .warn
    case UInt8(ascii: "E"), UInt8(ascii: "F"), UInt8(ascii: "C"): return .error
    case UInt8(ascii: "D"), UInt8(ascii: "V"): return .debug
    default: return nil
    }
  }

  // MARK: Numbers

  /// syslog(3): 0 emergency … 7 debug.
  static func ofSyslog(_ severity: Int) -> Level {
    switch severity {
    case 0...3: .error
    case 4: .warn
    case 5...6: .info
    default: .debug
    }
  }

  /// Python's numbers: 10 debug, 20 info, 30 warning, 40 error; Bunyan's and pino's are ten higher from info on.
  static func ofNumber(_ number: Double, isBunyan: Bool) -> Level {
    switch isBunyan ? number - 10 : number {
    case 1..<20: .debug
    case 20..<30: .info
    case 30..<40: .warn
    case 40...100: .error
    default: isBunyan && number == 10 ? .debug : .unknown
    }
  }
}

/// One word of a line's head, and what is around it.
private struct LevelWord {
  private let word: Range<Int>
  private let line: Range<Int>
  private let before: UInt8
  private let after: UInt8
  private let isFirst: Bool
  private let isTimed: Bool
  private let classes: UInt8
  /// Behind the dotted or dashed name, or the path, that the word belongs to.
  let nameEnd: Int

  init(_ bytes: Span<UInt8>, at start: Int, _ line: Range<Int>, isFirst: Bool, isTimed: Bool) {
    var end = start
    var classes: UInt8 = 0
    while end < line.upperBound, ByteClass.isWord(bytes[end]) {
      classes |= ByteClass.of(bytes[end])
      end += 1
    }
    var nameEnd = end
    while nameEnd < line.upperBound, Self.joins(bytes[nameEnd]), nameEnd + 1 < line.upperBound,
      ByteClass.isWord(bytes[nameEnd + 1])
    {
      nameEnd += 1
      while nameEnd < line.upperBound, ByteClass.isWord(bytes[nameEnd]) { nameEnd += 1 }
    }
    word = start..<end
    self.line = line
    self.isFirst = isFirst
    self.isTimed = isTimed
    self.classes = classes
    self.nameEnd = nameEnd
    before = start > line.lowerBound ? bytes[start - 1] : 0
    after = end < line.upperBound ? bytes[end] : 0
    // A number behind a colon is a position in a file.
    let isPosition = classes == ByteClass.digit && before == UInt8(ascii: ":")
    isPlain = !isPosition && Self.isPlain(bytes, word, nameEnd, classes, line.upperBound)
  }

  private static func joins(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "/")
  }

  /// As in a sentence: another word follows behind a blank, and nothing sets it off. Acronyms (NCCL) name programs.
  let isPlain: Bool

  private static func isPlain(_ bytes: Span<UInt8>, _ word: Range<Int>, _ nameEnd: Int, _ classes: UInt8, _ end: Int)
    -> Bool
  {
    guard nameEnd + 1 < end else { return true }
    if bytes[nameEnd] == UInt8(ascii: ",") || bytes[nameEnd] == UInt8(ascii: "'") { return true }
    if classes == ByteClass.upper, word.count > 1 { return false }
    return bytes[nameEnd] == UInt8(ascii: " ") && (ByteClass.isWord(bytes[nameEnd + 1]) || bytes[nameEnd + 1] >= 0x80)
  }

  /// - Parameter isSetOff: the word before is no plain one.
  func level(_ bytes: Span<UInt8>, isSetOff: Bool) -> Level? {
    if word.count == 1 { return letter(bytes) }
    if after == UInt8(ascii: "=") { return keyed(bytes) }
    if let level = ofException(bytes, isSetOff: isSetOff) { return level }
    if word.count == 2 { return serverLetters(bytes) }
    guard nameEnd == word.upperBound || after == UInt8(ascii: "/"), !isPartOfName(bytes) else { return nil }
    let isDelimited = isBracketed(bytes) || isColumn(bytes)
    guard isDelimited || classes == ByteClass.upper || after == UInt8(ascii: ":") else { return nil }
    let level = LineLevel.ofWord(bytes, word)
    guard level != .unknown, isDelimited || counts(bytes, isSetOff: isSetOff) else { return nil }
    return level
  }

  private func isPartOfName(_ bytes: Span<UInt8>) -> Bool {
    if before == UInt8(ascii: "/") { return true }
    guard Self.joins(before), word.lowerBound - 2 >= line.lowerBound else { return false }
    return ByteClass.isWord(bytes[word.lowerBound - 2])
  }

  /// Upper case counts as it stands, short and common words only where they are set off; lower case only in brackets, in a column or
  /// before a colon, where it is no sentence.
  private func counts(_ bytes: Span<UInt8>, isSetOff: Bool) -> Bool {
    let isUpper = classes == ByteClass.upper
    let isColon = after == UInt8(ascii: ":")
    if isColon, isFigure(bytes, from: word.upperBound + 1) { return false }
    if isUpper, !isShort(bytes) { return true }
    if isUpper {
      return isColon
        || isFirst && (isTimed || after == UInt8(ascii: "[") || after == UInt8(ascii: " ") && isClear(bytes))
    }
    return isColon && isSetOff
  }

  /// Short ones that stand for nothing else, at the line's start.
  private func isClear(_ bytes: Span<UInt8>) -> Bool {
    word.lowerBound == line.lowerBound
      && ["ERR", "WRN", "DBG", "TRC", "CRT", "FTL", "VRB"].contains { bytes.holds($0, at: word.lowerBound) }
  }

  /// Words that stand for something else as well: INF, LOG, NOTE, FAIL….
  private func isShort(_ bytes: Span<UInt8>) -> Bool {
    word.count == 3 || word.count == 4 && ["NOTE", "FINE", "FAIL"].contains { bytes.holds($0, at: word.lowerBound) }
      || bytes.holds("STATEMENT", at: word.lowerBound)
  }

  /// `[error]`, `[core:error]`, `[    INFO]`, `<Error>`.
  private func isBracketed(_ bytes: Span<UInt8>) -> Bool {
    var (first, last) = (word.lowerBound - 1, word.upperBound)
    while first >= line.lowerBound, bytes[first] == UInt8(ascii: " ") { first -= 1 }
    while last < line.upperBound, bytes[last] == UInt8(ascii: " ") { last += 1 }
    guard first >= line.lowerBound, last < line.upperBound else { return false }
    if bytes[first] == UInt8(ascii: "<") { return bytes[last] == UInt8(ascii: ">") }
    guard bytes[last] == UInt8(ascii: "]") else { return false }
    return bytes[first] == UInt8(ascii: "[") || bytes[first] == UInt8(ascii: ":") && before == UInt8(ascii: ":")
  }

  /// Between tabs or bars.
  private func isColumn(_ bytes: Span<UInt8>) -> Bool {
    var (first, last) = (word.lowerBound - 1, word.upperBound)
    while first >= line.lowerBound, bytes[first] == UInt8(ascii: " ") { first -= 1 }
    while last < line.upperBound, bytes[last] == UInt8(ascii: " ") { last += 1 }
    guard last < line.upperBound else { return false }
    let isSign = { (byte: UInt8) in byte == UInt8(ascii: "|") || byte == UInt8(ascii: "\t") }
    return isSign(bytes[last]) && (first < line.lowerBound ? isTimed : isSign(bytes[first]))
  }

  /// `error: 0.25` is a metric: nothing but a number follows, or a number with a fraction.
  private func isFigure(_ bytes: Span<UInt8>, from start: Int) -> Bool {
    var at = start
    while at < line.upperBound, bytes[at] == UInt8(ascii: " ") { at += 1 }
    if at < line.upperBound, bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") { at += 1 }
    let first = at
    while at < line.upperBound, bytes[at] &- 48 <= 9 { at += 1 }
    if at == first {
      return bytes.holds("nan", at: first) || bytes.holds("inf", at: first) && !bytes.holds("info", at: first)
    }
    if at >= line.upperBound { return true }
    if bytes[at] != UInt8(ascii: ".") {
      return bytes[at] == UInt8(ascii: "e") || bytes[at] == UInt8(ascii: "%") || bytes[at] == UInt8(ascii: ",")
    }
    at += 1
    while at < line.upperBound, bytes[at] &- 48 <= 9 { at += 1 }
    // An address has more points.
    return at >= line.upperBound || bytes[at] != UInt8(ascii: ".")
  }

  private func keyed(_ bytes: Span<UInt8>) -> Level? {
    guard HeadFields.isLevel(bytes, word) else { return nil }
    var start = word.upperBound + 1
    if start < line.upperBound, bytes[start] == UInt8(ascii: "\"") { start += 1 }
    var end = start
    while end < line.upperBound, ByteClass.isWord(bytes[end]) { end += 1 }
    let level = LineLevel.ofWord(bytes, start..<end)
    return level == .unknown ? nil : level
  }

  /// `[E]`; ` W | `; `: W tensorflow/…`; `123 E 1 1]`; `  E TAG:`. An `I` or an `A` in a sentence is none.
  private func letter(_ bytes: Span<UInt8>) -> Level? {
    guard let level = LineLevel.ofLetter(bytes, word.lowerBound, line.upperBound), nameEnd == word.upperBound else {
      return nil
    }
    if before == UInt8(ascii: "["), after == UInt8(ascii: "]") { return level }
    guard isTimed, before == UInt8(ascii: " "), after == UInt8(ascii: " ") else { return nil }
    let next = word.upperBound + 1 < line.upperBound ? bytes[word.upperBound + 1] : 0
    if next == UInt8(ascii: " ") || next == UInt8(ascii: "|") { return level }
    if isFirst, word.lowerBound >= line.lowerBound + 2, bytes[word.lowerBound - 2] == UInt8(ascii: ":") { return level }
    let isBehindNumber = word.lowerBound >= line.lowerBound + 2 && bytes[word.lowerBound - 2] &- 48 <= 9
    return ByteClass.of(next) & (ByteClass.digit | ByteClass.upper) != 0 && (isFirst || isBehindNumber) ? level : nil
  }

  /// Xorg's `(EE)` and `(WW)`.
  private func serverLetters(_ bytes: Span<UInt8>) -> Level? {
    guard before == UInt8(ascii: "("), after == UInt8(ascii: ")"), bytes[word.lowerBound] == bytes[word.lowerBound + 1],
      bytes[word.lowerBound] != UInt8(ascii: "C")
    else { return nil }
    return LineLevel.ofLetter(bytes, word.lowerBound + 1, line.upperBound)
  }

  /// Python's `UserWarning: …` (warnings.warn), `RuntimeError: …` and `Traceback (most recent call last):`.
  private func ofException(_ bytes: Span<UInt8>, isSetOff: Bool) -> Level? {
    if bytes.holds("Traceback (most recent call last):", at: word.lowerBound) { return .error }
    guard isSetOff, nameEnd < line.upperBound, bytes[nameEnd] == UInt8(ascii: ":"),
      ByteClass.of(bytes[nameEnd - 1]) == ByteClass.lower || bytes[nameEnd - 1] == UInt8(ascii: "t")
    else { return nil }
    if ends(bytes, "Warning") { return .warn }
    return ends(bytes, "Error") || ends(bytes, "Exception") || ends(bytes, "Interrupt") ? .error : nil
  }

  /// Whether the name ends so, with more before it.
  private func ends(_ bytes: Span<UInt8>, _ suffix: String) -> Bool {
    let start = nameEnd - suffix.utf8.count
    return start > word.lowerBound && ByteClass.isWord(bytes[start - 1]) && bytes.holds(suffix, at: start)
  }
}
