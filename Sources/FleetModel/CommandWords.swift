/// Words of a command line before a parser takes them.
package enum CommandWords {
  /// `--limit -1` becomes `--limit=-1`, up to a `--`. A parser that takes every word with a '-' for an option would otherwise report
  /// that the value is missing, where it is there and wrong.
  package static func joiningNegativeNumbers(_ words: [String]) -> [String] {
    var joined: [String] = []
    var index = 0
    while index < words.count {
      let word = words[index]
      if word == "--" { return joined + words[index...] }
      let takesNext = word.hasPrefix("--") && !word.contains("=") && index + 1 < words.count
      if takesNext, isNegativeNumber(words[index + 1]) {
        joined.append(word + "=" + words[index + 1])
        index += 2
      } else {
        joined.append(word)
        index += 1
      }
    }
    return joined
  }

  /// A '-' and a digit: `-1`, `-2h`.
  package static func isNegativeNumber(_ word: String) -> Bool {
    var bytes = word.utf8.makeIterator()
    guard bytes.next() == UInt8(ascii: "-"), let digit = bytes.next() else { return false }
    return (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit)
  }
}
