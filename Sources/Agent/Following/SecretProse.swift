/// Passwords behind a blank: in a sentence, in a line of netrc(5), in SQL.
enum SecretProse {
  private static let contextBytesMax = 256
  private static let words = ["password", "passwd", "passwort"]

  /// - Parameter at: the second `s` of `password`, before its `w`.
  static func password(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard at >= 3, let word = words.first(where: { holds($0, text, at - 3) }) else { return nil }
    let end = at - 3 + word.utf8.count
    guard end < text.count else { return nil }
    if text[end] != UInt8(ascii: " ") { return markup(text, end) }
    let start = end + 1
    if let extent = SecretValue.quoted(text, start, isSpaced: false) { return quoted(text, extent) }
    guard let extent = SecretValue.bare(text, start, isSpaced: true, isTight: false) else { return nil }
    let range = extent.start..<extent.end
    let traits = ValueTraits(text, range.prefix(256), extent)
    if let stated = stated(text, extent.start) { return stated }
    if traits.isPlaceholder || traits.isPath { return nil }
    if isMachine(text, before: at - 3) { return Secret(range: range, kind: .password) }
    let isSure = traits.isMixed && traits.count >= 8 && (traits.hasSign || isInterspersed(text, range))
    return isSure ? Secret(range: range, kind: .password) : nil
  }

  /// `<password>…</password>`, `key="Password" value="…"`, `"name": "DB_PASSWORD", "value": "…"`.
  private static func markup(_ text: Span<UInt8>, _ end: Int) -> Secret? {
    var at = end
    if text[at] == UInt8(ascii: ">") {
      at += 1
      let start = at
      while at < text.count, at - start < contextBytesMax, text[at] != UInt8(ascii: "<") { at += 1 }
      let isOne = at > start && at < text.count && !Placeholders.isOne(text, start..<at, isProse: false)
      return isOne ? Secret(range: start..<at, kind: .password) : nil
    }
    let isSign = { (byte: UInt8) in
      [UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: ","), UInt8(ascii: " ")].contains(byte)
    }
    while at < text.count, at - end < 6, isSign(text[at]) { at += 1 }
    guard at > end, holds("value", text, at) else { return nil }
    at += 5
    let behind = at
    while at < text.count, at - behind < 4,
      isSign(text[at]) || text[at] == UInt8(ascii: ":") || text[at] == UInt8(ascii: "=")
    { at += 1 }
    guard at > behind, let extent = SecretValue.quoted(text, at - 1, isSpaced: false) else { return nil }
    return quoted(text, extent)
  }

  /// Both cases, and a digit before a letter: no word with a number at its end.
  private static func isInterspersed(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var classes: UInt8 = 0
    var hasInner = false
    for at in range.prefix(contextBytesMax) {
      classes |= ByteClass.of(text[at])
      let isDigit = text[at] &- 48 <= 9
      if isDigit, at + 1 < range.upperBound, ByteClass.of(text[at + 1]) & (ByteClass.lower | ByteClass.upper) != 0 {
        hasInner = true
      }
    }
    return hasInner && classes & ByteClass.alphanumeric == ByteClass.alphanumeric
  }

  /// `IDENTIFIED BY '…'`.
  static func identified(_ text: Span<UInt8>, at: Int) -> Secret? {
    guard at >= 11, holds("identified by ", text, at - 11),
      let extent = SecretValue.quoted(text, at + 3, isSpaced: false)
    else { return nil }
    return quoted(text, extent)
  }

  private static func quoted(_ text: Span<UInt8>, _ extent: SecretValue.Extent) -> Secret? {
    let range = extent.start..<extent.end
    let isOne = range.count >= 3 && !range.contains { text[$0] == UInt8(ascii: " ") }
    return isOne && !Placeholders.isOne(text, range, isProse: false) ? Secret(range: range, kind: .password) : nil
  }

  /// netrc(5): `machine api.example login me password …`.
  private static func isMachine(_ text: Span<UInt8>, before end: Int) -> Bool {
    (max(0, end - contextBytesMax)..<end).contains { start in
      (start == 0 || text[start - 1] <= UInt8(ascii: " "))
        && (text.holds("login ", at: start) || text.holds("machine ", at: start) || text.holds("account ", at: start))
    }
  }

  /// `password is …`, `password was set to …`.
  private static func stated(_ text: Span<UInt8>, _ start: Int) -> Secret? {
    var at = start
    var words = 0
    while let next = ["is ", "was ", "set ", "reset ", "changed ", "now ", "to ", "ist ", "lautet ", "are "].first(
      where: { text.holds($0, at: at) })
    {
      at += next.utf8.count
      words += 1
    }
    guard words > 0 else { return nil }
    guard
      let extent = SecretValue.quoted(text, at, isSpaced: false)
        ?? SecretValue.bare(text, at, isSpaced: true, isTight: false)
    else { return nil }
    let range = extent.start..<extent.end
    let traits = ValueTraits(text, range.prefix(256), extent)
    let isSure = traits.count >= 6 && (traits.isMixed || traits.hasSign) && !traits.isPlaceholder
    return isSure ? Secret(range: range, kind: .password) : nil
  }

  /// In any case.
  static func holds(_ word: String, _ text: Span<UInt8>, _ start: Int) -> Bool {
    guard start >= 0, word.utf8.count <= text.count - start else { return false }
    var at = start
    for byte in word.utf8 {
      if text[at] != byte, text[at] | 0x20 != byte { return false }
      at += 1
    }
    return true
  }
}
