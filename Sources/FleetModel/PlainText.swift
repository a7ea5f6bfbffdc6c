/// Text from outside, made fit for people: the one filter for what a terminal, a phone, a shell or a log may get to see of it.
///
/// Everything here works on Unicode scalars. A Swift `Character` holds any number of combining marks, so a comparison or a cut by
/// characters lets `<` with a mark pass as no `<`, and a thousand marks as one character.
package enum PlainText {
  /// More marks in a row than any script writes are a means to paint over the lines around them.
  private static let marksMax = 4

  // MARK: Cutting

  /// At most `bytesMax` bytes of UTF-8, cut between scalars; what was cut ends with `…`.
  package static func cut(_ text: String, bytesMax: Int) -> String { cut(text, bytesMax, UTF8.width) }

  /// At most `unitsMax` UTF-16 units, by which JavaScript, Java and .NET count.
  package static func cut(_ text: String, unitsMax: Int) -> String { cut(text, unitsMax, UTF16.width) }

  /// At most `scalarsMax` scalars: the measure of PostgreSQL and Python.
  package static func cut(_ text: String, scalarsMax: Int) -> String { cut(text, scalarsMax) { _ in 1 } }

  private static func cut(_ text: String, _ most: Int, _ width: (Unicode.Scalar) -> Int) -> String {
    let mark: Unicode.Scalar = "…"
    var count = 0
    // Where the mark still fits behind what was taken.
    var fits = text.unicodeScalars.startIndex
    for index in text.unicodeScalars.indices {
      if count + width(mark) <= most { fits = index }
      count += width(text.unicodeScalars[index])
      guard count > most else { continue }
      var short = String.UnicodeScalarView(text.unicodeScalars[..<fits])
      if width(mark) <= most { short.append(mark) }
      return String(short)
    }
    return text
  }

  // MARK: Showing

  /// For a terminal: what it would obey, or would not show, is written as an escape: `\n`, `\t`, `\u{1b}`.
  package static func visible(_ text: String) -> String {
    rewritten(text) { scalar in
      switch scalar {
      case "\n": "\\n"
      case "\t": "\\t"
      case "\r": "\\r"
      default: "\\u{\(String(scalar.value, radix: 16))}"
      }
    }
  }

  /// One line for a message: line breaks and tabs are blanks, what a reader's program would obey or would not show is U+FFFD.
  package static func line(_ text: String) -> String {
    rewritten(text) { $0 == "\n" || $0 == "\t" || $0 == "\r" ? " " : "\u{fffd}" }
  }

  /// The same for text of several lines.
  package static func lines(_ text: String) -> String {
    rewritten(text) { $0 == "\n" ? "\n" : $0 == "\t" || $0 == "\r" ? " " : "\u{fffd}" }
  }

  private static func rewritten(_ text: String, _ replacement: (Unicode.Scalar) -> String) -> String {
    // Nearly every text is printable ASCII.
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return text }
    var shown = String.UnicodeScalarView()
    // The first one would join what stands before the text.
    var marks = marksMax
    for scalar in text.unicodeScalars {
      let isMark = isMark(scalar)
      marks = isMark ? marks + 1 : 0
      if JSONText.isHostile(scalar) || marks > marksMax {
        shown.append(contentsOf: replacement(scalar).unicodeScalars)
      } else {
        shown.append(scalar)
      }
    }
    return String(shown)
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.value >= 0x300 else { return false }
    return switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark: true
    default: false
    }
  }

  /// Columns that a terminal needs for text that is `visible`: none for a mark, two for East Asian wide ones.
  /// Source: Unicode UAX #11; the blocks that are wide throughout.
  package static func columns(_ text: String) -> Int {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
    return text.unicodeScalars.reduce(0) { $0 + columns($1) }
  }

  package static func columns(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.value {
    case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff, 0xa000...0xa4cf,
      0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f,
      0x1f900...0x1f9ff, 0x20000...0x3fffd:
      2
    default: isMark(scalar) ? 0 : 1
    }
  }

  // MARK: Pasting

  /// One word for a shell, whatever it holds: as it is where it means itself, else in quotes. What would not be seen, and the
  /// backtick that ends a command in a step, is written by its bytes (`$'…'`, which bash, ksh and zsh read).
  package static func shellWord(_ text: String) -> String {
    if !text.isEmpty, text.utf8.allSatisfy(isPlainInShell) { return text }
    if text.unicodeScalars.contains(where: { JSONText.isHostile($0) || $0 == "`" }) {
      let body = text.unicodeScalars.map { scalar -> String in
        switch scalar {
        case "'", "\\": "\\" + String(scalar)
        case _ where JSONText.isHostile(scalar) || scalar == "`":
          String(scalar).utf8.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        default: String(scalar)
        }
      }
      return "$'" + body.joined() + "'"
    }
    return "'" + text.unicodeScalars.map { $0 == "'" ? "'\\''" : String($0) }.joined() + "'"
  }

  private static func isPlainInShell(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "_./:@%+,-".utf8.contains(byte)
    }
  }

  // MARK: Secrets

  /// A sentence that may repeat user input, with `***` instead of passwords: those of URLs (`//user:…@`) and of
  /// `password=…`.
  package static func withoutPasswords(_ text: String) -> String {
    var scalars = Array(text.unicodeScalars)
    var at = 0
    while at < scalars.count {
      if holds(scalars, "://", at), let password = passwordOfURL(scalars, at + 3) {
        scalars.replaceSubrange(password, with: "***".unicodeScalars)
        at = password.lowerBound + 3
      } else if holds(scalars, "password=", at) {
        let value = valueRange(scalars, at + 9)
        scalars.replaceSubrange(value, with: "***".unicodeScalars)
        at = value.lowerBound + 3
      } else {
        at += 1
      }
    }
    var shown = String.UnicodeScalarView()
    shown.append(contentsOf: scalars)
    return String(shown)
  }

  private static func holds(_ scalars: [Unicode.Scalar], _ word: String, _ at: Int) -> Bool {
    let word = Array(word.unicodeScalars)
    guard at + word.count <= scalars.count else { return false }
    return word.indices.allSatisfy { index in
      let scalar = scalars[at + index]
      return scalar == word[index] || (scalar.isASCII && Unicode.Scalar(scalar.value | 0x20) == word[index])
    }
  }

  private static func isEndOfWord(_ scalar: Unicode.Scalar) -> Bool {
    scalar == " " || scalar == "\n" || scalar == "\t" || scalar == "'" || scalar == "\"" || scalar == "\u{201d}"
  }

  /// A password that was not encoded may hold `/`, `?`, `:` and `@`: all up to the last `@` of the word.
  private static func passwordOfURL(_ scalars: [Unicode.Scalar], _ start: Int) -> Range<Int>? {
    let end = scalars[start...].firstIndex(where: isEndOfWord) ?? scalars.count
    guard let host = scalars[start..<end].lastIndex(of: "@"),
      let colon = scalars[start..<host].firstIndex(of: ":"), colon + 1 < host
    else { return nil }
    return colon + 1..<host
  }

  private static func valueRange(_ scalars: [Unicode.Scalar], _ start: Int) -> Range<Int> {
    if start < scalars.count, scalars[start] == "'" {
      return start..<(scalars[(start + 1)...].firstIndex(of: "'").map { $0 + 1 } ?? scalars.count)
    }
    return start..<(scalars[start...].firstIndex { isEndOfWord($0) || $0 == "&" } ?? scalars.count)
  }
}
