/// The one grammar in which people name hosts, labels, rules and entities: each `*` stands for any bytes, none among them; all else
/// stands for itself.
///
/// `signalbox.matches` is the same in the database.
package enum StarPattern {
  private static let star = UInt8(ascii: "*")

  /// - Cost: bytes of the pattern times of the word at the worst, no recursion.
  package static func matches(_ word: String, _ pattern: String) -> Bool {
    matches(word.utf8.span, pattern.utf8.span)
  }

  private static func matches(_ word: Span<UInt8>, _ pattern: Span<UInt8>) -> Bool {
    var (at, place) = (0, 0)
    // Where to go on after a mismatch: behind the last star, which takes one byte more.
    var taken: (at: Int, place: Int)?
    while at < word.count {
      if place < pattern.count, pattern[place] == star {
        place += 1
        taken = (at, place)
      } else if place < pattern.count, pattern[place] == word[at] {
        (at, place) = (at + 1, place + 1)
      } else if let last = taken {
        taken = (last.at + 1, last.place)
        (at, place) = (last.at + 1, last.place)
      } else {
        return false
      }
    }
    return (place..<pattern.count).allSatisfy { pattern[$0] == star }
  }

  /// Whether some host's name fits: names hold letters, digits, '.', '_' and '-'.
  package static func canMatchHost(_ pattern: String) -> Bool {
    !pattern.isEmpty && pattern.utf8.allSatisfy { $0 == star || ProbeSetting.isNameByte($0) }
  }

  /// Whether a host has all labels that are wanted, each of them by its pattern.
  package static func match(_ wanted: [String: String], _ labels: [String: String]) -> Bool {
    wanted.allSatisfy { label, pattern in labels[label].map { matches($0, pattern) } ?? false }
  }

  /// Whether a host that fits one of two patterns may fit the other as well: outside of stars, their beginnings and ends
  /// agree.
  package static func mayMeet(_ one: String, _ other: String) -> Bool {
    if !one.utf8.contains(star) { return matches(one, other) }
    if !other.utf8.contains(star) { return matches(other, one) }
    func agree(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Bool {
      zip(left.prefix { $0 != star }, right.prefix { $0 != star }).allSatisfy(==)
    }
    return agree(one.utf8, other.utf8) && agree(one.utf8.reversed(), other.utf8.reversed())
  }
}
