/// The longest text that every match of a regular expression must hold, so that lines without it need not be matched.
///
/// Source: PostgreSQL documentation 9.7.3, "POSIX Regular Expressions" (advanced regular expressions). Whatever is not
/// understood ends the text that was being gathered; an alternative at the top level, an embedded option or a director
/// gives nothing.
package enum RequiredLiteral {
  /// Shorter ones hardly sieve, and a trigram index cannot look for them.
  package static let scalarsMin = 3

  package static func of(_ pattern: String) -> String? {
    if pattern.hasPrefix("***") || pattern.hasPrefix("(?") { return nil }
    let scalars = Array(pattern.unicodeScalars)
    var runs: [[Unicode.Scalar]] = [[]]
    var index = 0
    while index < scalars.count {
      let scalar = scalars[index]
      switch scalar {
      case "|": return nil
      case "(":
        guard let end = groupEnd(scalars, from: index) else { return nil }
        index = end
        runs.append([])
      case "[":
        guard let end = bracketEnd(scalars, from: index) else { return nil }
        index = end
        runs.append([])
      case "*", "?", "{":
        // The character before may be absent.
        _ = runs[runs.count - 1].popLast()
        runs.append([])
        if scalar == "{" {
          guard let end = scalars[index...].firstIndex(of: "}") else { return nil }
          index = end
        }
      case "+", ".", "^", "$", ")": runs.append([])
      case "\\":
        index += 1
        guard index < scalars.count else { return nil }
        let next = scalars[index]
        if next.isASCII, !next.properties.isAlphabetic, !("0"..."9").contains(next), next != "_" {
          runs[runs.count - 1].append(next)
        } else {
          // A class, a constraint, a back reference or a character by number, of which the length is not known.
          if !"dswDSWyYmMAZ".unicodeScalars.contains(next) { return nil }
          runs.append([])
        }
      default: runs[runs.count - 1].append(scalar)
      }
      index += 1
    }
    let longest = runs.max { $0.count < $1.count } ?? []
    guard longest.count >= scalarsMin else { return nil }
    var text = ""
    text.unicodeScalars.append(contentsOf: longest)
    return text
  }

  /// Index of the `)` that closes the group which begins at `start`; nil where there is none.
  private static func groupEnd(_ scalars: [Unicode.Scalar], from start: Int) -> Int? {
    var depth = 0
    var index = start
    while index < scalars.count {
      switch scalars[index] {
      case "\\": index += 1
      case "[":
        guard let end = bracketEnd(scalars, from: index) else { return nil }
        index = end
      case "(": depth += 1
      case ")":
        depth -= 1
        if depth == 0 { return index }
      default: break
      }
      index += 1
    }
    return nil
  }

  /// Index of the `]` that closes a bracket expression; `[]...]`, `[^]...]` and `[[:alpha:]]` hold brackets themselves.
  private static func bracketEnd(_ scalars: [Unicode.Scalar], from start: Int) -> Int? {
    var index = start + 1
    if index < scalars.count, scalars[index] == "^" { index += 1 }
    if index < scalars.count, scalars[index] == "]" { index += 1 }
    while index < scalars.count {
      switch scalars[index] {
      case "\\": index += 1
      case "[":
        if index + 1 < scalars.count, [":", ".", "="].contains(scalars[index + 1]) {
          let mark = scalars[index + 1]
          index += 2
          while index + 1 < scalars.count, scalars[index] != mark || scalars[index + 1] != "]" { index += 1 }
          index += 1
        }
      case "]": return index
      default: break
      }
      index += 1
    }
    return nil
  }
}
