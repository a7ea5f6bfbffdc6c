/// What a value looks like.
struct ValueTraits {
  let count: Int
  let isNumber: Bool
  /// Letters and digits.
  let isMixed: Bool
  /// A sign that words do not have.
  let hasSign: Bool
  let isPath: Bool
  let slashes: Int
  let isPlaceholder: Bool
  let isSentence: Bool
  private let range: Range<Int>
  private let isQuoted: Bool
  private let after: UInt8
  private let first: UInt8
  /// As crypt(5), Argon2 and bcrypt write them.
  let isHash: Bool
  let isArchitecture: Bool

  init(_ text: Span<UInt8>, _ range: Range<Int>, _ extent: SecretValue.Extent) {
    self.range = range
    isQuoted = extent.isQuoted
    count = range.count
    after = range.upperBound < text.count ? text[range.upperBound] : 0
    first = range.isEmpty ? 0 : text[range.lowerBound]
    var classes: UInt8 = 0
    var (signs, slashes, blanks) = (0, 0, 0)
    var body = range.upperBound
    // What ends a sentence is none of the value's signs.
    while body > range.lowerBound, [".", "!", "?", ":"].contains(where: { text.holds($0, at: body - 1) }) { body -= 1 }
    for at in range {
      let byte = text[at]
      classes |= byte >= 0x80 ? ByteClass.lower : ByteClass.of(byte)
      switch byte {
      case UInt8(ascii: "/"): slashes += 1
      case UInt8(ascii: " "): blanks += 1
      case UInt8(ascii: "!"), UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"),
        UInt8(ascii: "^"),
        UInt8(ascii: "&"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "~"), UInt8(ascii: "?"):
        if at < body { signs += 1 }
      default: break
      }
    }
    let letters = classes & (ByteClass.lower | ByteClass.upper) != 0
    isMixed = classes & ByteClass.digit != 0 && letters
    isNumber = !range.isEmpty && !letters && classes & ByteClass.digit != 0 && signs == 0
    hasSign = signs > 0 && (letters || classes & ByteClass.digit != 0)
    self.slashes = slashes
    isPath =
      first == UInt8(ascii: "/") || text.holds("./", at: range.lowerBound) || text.holds("~/", at: range.lowerBound)
      || text.holds("../", at: range.lowerBound) || text.holds("s3://", at: range.lowerBound)
    isSentence = blanks > 1
    isHash = ["$1$", "$2", "$5$", "$6$", "$y$", "$argon2", "SCRAM-SHA-256$", "pbkdf2"].contains {
      text.holds($0, at: range.lowerBound) && range.count >= 20
    }
    isPlaceholder = !isHash && Placeholders.isOne(text, range, isProse: extent.isProse)
    isArchitecture = Placeholders.isArchitecture(text, range)
  }

  /// Small words joined by underscores, as a variable's name.
  func isSnake(_ text: Span<UInt8>) -> Bool {
    range.contains { text[$0] == UInt8(ascii: "_") }
      && range.allSatisfy { ByteClass.of(text[$0]) == ByteClass.lower || text[$0] == UInt8(ascii: "_") }
  }

  /// As a word about a password ends, not as one that is chosen: "incorrect", "authentication", "incorrecta".
  func isInflected(_ text: Span<UInt8>) -> Bool {
    [
      "ed", "ing", "ion", "ible", "able", "ly", "ate", "ment", "ness", "ect", "ecta", "ecto", "eta", "ado", "ida",
      "ente", "ired", "lich",
    ].contains {
      count > $0.utf8.count && SecretProse.holds($0, text, range.upperBound - $0.utf8.count)
    }
  }

  /// A name of the program's own where the value would be: `password=password`, `token=self.token`, `password=getpass(…)`.
  func isReference(_ text: Span<UInt8>) -> Bool {
    if isQuoted { return false }
    let isName = range.allSatisfy {
      ByteClass.isWord(text[$0]) || text[$0] == UInt8(ascii: "_") || text[$0] == UInt8(ascii: ".")
    }
    guard isName else {
      return text.holds("os.environ", at: range.lowerBound) || text.holds("process.env", at: range.lowerBound)
    }
    let dot = range.last { text[$0] == UInt8(ascii: ".") }
    let hasSigns = dot != nil || range.contains { text[$0] == UInt8(ascii: "_") }
    if after == UInt8(ascii: "(") || after == UInt8(ascii: "["), !isMixed || hasSigns { return true }
    // A member's name, which has no digits, behind a dot.
    if let dot, dot > range.lowerBound, dot + 1 < range.upperBound,
      !(dot + 1..<range.upperBound).contains(where: { text[$0] &- 48 <= 9 })
    {
      return true
    }
    if !isMixed, !isNumber, hasSigns,
      range.allSatisfy({ ByteClass.of(text[$0]) == ByteClass.upper || text[$0] == UInt8(ascii: "_") })
    {
      return true
    }
    guard !isMixed, !isNumber, let name = SecretName.read(text.extracting(range), before: count) else { return false }
    return name.kind != .weak || count > 4
  }
}
