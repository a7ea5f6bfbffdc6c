/// The valid name that a mistyped one is likely to mean.
package enum Nearest {
  /// - Returns: the candidate with the fewest edits, if those are at most a third of the word and three.
  package static func name(to word: String, among candidates: [String]) -> String? {
    let limit = min(3, max(1, word.count / 3))
    let ranked = candidates.map { (name: $0, edits: distance(Array(word), Array($0))) }.min { $0.edits < $1.edits }
    return ranked.flatMap { $0.edits <= limit ? $0.name : nil }
  }

  /// Levenshtein distance, where two swapped neighbours are one edit: the commonest slip of all.
  private static func distance(_ left: [Character], _ right: [Character]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for (row, character) in left.enumerated() {
      var current = [row + 1]
      for column in right.indices {
        let substitution = previous[column] + (character == right[column] ? 0 : 1)
        var edits = min(substitution, previous[column + 1] + 1, current[column] + 1)
        if row > 0, column > 0, character == right[column - 1], left[row - 1] == right[column] {
          edits = min(edits, beforePrevious[column - 1] + 1)
        }
        current.append(edits)
      }
      beforePrevious = previous
      previous = current
    }
    return previous[right.count]
  }
}
