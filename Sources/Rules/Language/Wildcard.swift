/// A name pattern: `*` any bytes but a slash, `**` any bytes, `?` one byte but a slash; all else means itself.
///
/// A pattern without a slash is held against the last component of a path. Cost: bytes of the pattern times of the name at
/// the worst, no recursion.
package struct Wildcard: Sendable, Hashable {
  package let text: String
  private let tokens: [Token]
  private let isForWholePath: Bool

  private enum Token: Hashable { case byte(UInt8), one, any, anyDepth }

  package init(_ text: String) {
    self.text = text
    isForWholePath = text.utf8.contains(UInt8(ascii: "/"))
    var tokens: [Token] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "*"):
        if tokens.last == .any {
          tokens[tokens.count - 1] = .anyDepth
        } else if tokens.last != .anyDepth {
          tokens.append(.any)
        }
      // "/**/" is also one slash: the stars stand for any number of directories, none among them.
      case UInt8(ascii: "/") where tokens.last == .anyDepth: continue
      case UInt8(ascii: "?"): tokens.append(.one)
      default: tokens.append(.byte(byte))
      }
    }
    self.tokens = tokens
  }

  package func matches(_ name: String) -> Bool {
    matches(name.utf8.span)
  }

  private func matches(_ bytes: Span<UInt8>) -> Bool {
    let slash = UInt8(ascii: "/")
    var at = 0
    if !isForWholePath {
      for place in bytes.indices where bytes[place] == slash { at = place + 1 }
    }
    // Most names differ at once.
    if case .byte(let first)? = tokens.first, at < bytes.count, bytes[at] != first { return false }
    var token = 0
    // Where to go on after a mismatch: the last `*` of its component, and the last `**`.
    var star: (token: Int, at: Int)?
    var deep: (token: Int, at: Int)?
    while at < bytes.count || token < tokens.count {
      if token < tokens.count {
        switch tokens[token] {
        case .any:
          star = (token, at)
          token += 1
          continue
        case .anyDepth:
          deep = (token, at)
          star = nil
          token += 1
          continue
        case .one where at < bytes.count && bytes[at] != slash:
          token += 1
          at += 1
          continue
        case .byte(let byte) where at < bytes.count && bytes[at] == byte:
          token += 1
          at += 1
          continue
        default: break
        }
      }
      if let taken = star, taken.at < bytes.count, bytes[taken.at] != slash {
        star = (taken.token, taken.at + 1)
        (token, at) = (taken.token + 1, taken.at + 1)
      } else if let taken = deep, taken.at < bytes.count {
        deep = (taken.token, taken.at + 1)
        star = nil
        (token, at) = (taken.token + 1, taken.at + 1)
      } else {
        return false
      }
    }
    return true
  }
}
