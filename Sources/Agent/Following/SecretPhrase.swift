/// Passphrases, seeds and the like: several small words up to the end of the line, none of which makes a sentence.
enum SecretPhrase {
  private static let wordsMin = 4
  private static let sentence: Set<[UInt8]> = Set(
    [
      "the", "a", "an", "is", "was", "not", "for", "to", "of", "in", "and", "or", "with", "be", "must", "has", "have",
      "are", "on", "at",
      "by", "from", "this", "that", "can", "could", "does", "did", "no", "if", "it", "as", "your", "you", "please",
      "enter", "will",
      "should", "been", "before", "after", "than", "only", "failed", "error", "invalid", "user",
    ].map { Array($0.utf8) })

  static func end(_ text: Span<UInt8>, _ start: Int) -> Int? {
    var (at, words) = (start, 0)
    while at < text.count, at - start < 256 {
      let first = at
      while at < text.count, ByteClass.of(text[at]) == ByteClass.lower { at += 1 }
      guard at - first >= 3, at - first <= 12, !sentence.contains((first..<at).map { text[$0] }) else { return nil }
      words += 1
      if at == text.count || text[at] == UInt8(ascii: "\n") || text[at] == UInt8(ascii: "\"") { break }
      guard text[at] == UInt8(ascii: " ") || text[at] == UInt8(ascii: "-") else { return nil }
      at += 1
    }
    return words >= wordsMin ? at : nil
  }
}
