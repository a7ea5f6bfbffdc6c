internal import Files

/// A path pattern as in glob(7): `*`, `?`, `[a-z]`, `[!a]`, and `**` as a whole component for any number of directories.
///
/// As in a shell, wildcards do not match a leading dot of a name and never a slash.
package struct GlobPattern: Sendable, Equatable {
  enum Component: Sendable, Equatable {
    case literal([UInt8])
    case wildcard([UInt8])
    case anyDepth
  }

  /// As it was written.
  package let text: String
  let components: [Component]

  /// - Parameter text: absolute; relative patterns match nothing.
  package init(_ text: String) {
    self.text = text
    let parts: [Component] = text.utf8.split(separator: UInt8(ascii: "/")).map { part in
      if part.elementsEqual("**".utf8) { return .anyDepth }
      let isLiteral = !part.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[") }
      return isLiteral ? .literal(Array(part)) : .wildcard(Array(part))
    }
    // Files are meant: at the end, all below.
    components = parts.last == .anyDepth ? parts + [.wildcard([UInt8(ascii: "*")])] : parts
  }

  init(text: String, components: [Component]) {
    self.text = text
    self.components = components
  }

  /// The deepest directory that every match lies below: `/srv/a` of `/srv/a/**/*.log`, the file's own of a path without wildcards.
  package static func fixedDirectory(of pattern: String) -> String {
    let fixed = pattern.utf8.prefix { $0 != UInt8(ascii: "*") && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "[") }
    return HostFiles.directory(of: String(decoding: fixed, as: UTF8.self))
  }

  package var isAbsolute: Bool { text.utf8.first == UInt8(ascii: "/") }

  package func matches(_ path: String) -> Bool {
    guard isAbsolute, path.utf8.first == UInt8(ascii: "/") else { return false }
    return matches(path.utf8.split(separator: UInt8(ascii: "/")).map(Array.init))
  }

  /// Without recursion: on a mismatch the last `**` takes one name more. An earlier one need not: whatever it could reach, the
  /// last one reaches too, and neither takes a name with a leading dot. So the cost is bounded by components times names.
  private func matches(_ names: [[UInt8]]) -> Bool {
    var (component, name) = (0, 0)
    var last: (component: Int, name: Int)?
    while name < names.count {
      if component < components.count, components[component] == .anyDepth {
        last = (component, name)
        component += 1
      } else if component < components.count, components[component].matches(names[name]) {
        component += 1
        name += 1
      } else if let taken = last, GlobPattern.Component.anyDepth.matches(names[taken.name]) {
        last = (taken.component, taken.name + 1)
        component = taken.component + 1
        name = taken.name + 1
      } else {
        return false
      }
    }
    return components[component...].allSatisfy { $0 == .anyDepth }
  }
}

extension GlobPattern.Component {
  func matches(_ name: [UInt8]) -> Bool {
    switch self {
    case .anyDepth: name.first != UInt8(ascii: ".")
    case .literal(let literal): literal == name
    case .wildcard(let pattern):
      (name.first != UInt8(ascii: ".") || pattern.first == UInt8(ascii: ".")) && Wildcard.matches(pattern, name)
    }
  }
}

/// Matching of one name, without recursion: on a mismatch the last `*` takes one byte more, so the cost is bounded by
/// pattern length times name length whatever the pattern.
enum Wildcard {
  static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
    var (p, n) = (0, 0)
    var star: (pattern: Int, name: Int)?
    while n < name.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        star = (p, n)
        p += 1
      } else if p < pattern.count, let next = matchOne(pattern, at: p, name[n]) {
        p = next
        n += 1
      } else if let last = star {
        star = (last.pattern, last.name + 1)
        p = last.pattern + 1
        n = last.name + 1
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }

  /// - Returns: where the pattern goes on, or nil where `byte` does not match.
  private static func matchOne(_ pattern: [UInt8], at start: Int, _ byte: UInt8) -> Int? {
    switch pattern[start] {
    case UInt8(ascii: "?"): return start + 1
    case UInt8(ascii: "["):
      guard let (isIn, next) = matchClass(pattern, at: start + 1, byte) else {
        return byte == UInt8(ascii: "[") ? start + 1 : nil
      }
      return isIn ? next : nil
    default: return pattern[start] == byte ? start + 1 : nil
    }
  }

  /// - Returns: nil where the class has no end: then the bracket stands for itself.
  private static func matchClass(_ pattern: [UInt8], at start: Int, _ byte: UInt8) -> (Bool, Int)? {
    var p = start
    let isNegated = p < pattern.count && (pattern[p] == UInt8(ascii: "!") || pattern[p] == UInt8(ascii: "^"))
    if isNegated { p += 1 }
    let first = p
    var isIn = false
    while p < pattern.count {
      if pattern[p] == UInt8(ascii: "]"), p > first { return (isIn != isNegated, p + 1) }
      if p + 2 < pattern.count, pattern[p + 1] == UInt8(ascii: "-"), pattern[p + 2] != UInt8(ascii: "]") {
        if pattern[p] <= byte && byte <= pattern[p + 2] { isIn = true }
        p += 3
      } else {
        if pattern[p] == byte { isIn = true }
        p += 1
      }
    }
    return nil
  }
}
