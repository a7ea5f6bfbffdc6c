/// Which path patterns can be meant: what a person writes for a host to follow is checked where it is written.
package enum PathPatternGrammar {
  /// The agent takes an unfinished `[` and every brace for the characters themselves, as glob(7) does. Such a pattern matches nothing,
  /// without a word, where its writer meant a set.
  ///
  /// - Returns: what is wrong and what to write instead, as a clause; nil for a pattern that can be meant.
  package static func mistake(in pattern: String) -> String? {
    for name in pattern.utf8.split(separator: UInt8(ascii: "/")) {
      var rest = name[...]
      while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "{") {
          return "{a,b} is not supported: write one pattern for each; [{] is the sign itself"
        }
        guard byte == UInt8(ascii: "[") else { continue }
        if let sign = rest.first, sign == UInt8(ascii: "!") || sign == UInt8(ascii: "^") { rest.removeFirst() }
        // A bracket that comes first is one of the set's.
        guard let end = rest.dropFirst().firstIndex(of: UInt8(ascii: "]")) else {
          return "a '[' has no ']': [abc] is one character of a set, [[] is the sign itself"
        }
        rest = rest[rest.index(after: end)...]
      }
    }
    return nil
  }
}
