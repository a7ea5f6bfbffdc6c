internal import Files

/// What this host's owner allows to be read: what `--allow` names with all below it, and of each `--follow` what the pattern itself matches.
///
/// Every question is about a path whose links were followed. What cannot be resolved, such as a root that does not exist or leads
/// through `..` of one that does not, allows nothing.
package struct AllowedPaths: Sendable, Equatable {
  private let roots: [String]
  private let patterns: [GlobPattern]
  private var realRoots: [String] = []
  private var realPatterns: [GlobPattern] = []

  /// - Parameters:
  ///   - roots: directories and single files, absolute.
  ///   - patterns: as of `--follow`, absolute.
  package init(roots: [String], patterns: [String] = []) {
    self.roots = roots
    self.patterns = patterns.map { GlobPattern($0) }.filter(\.isAbsolute)
    resolve()
  }

  /// Links of another user that lead to what is not that user's: not followed, whatever names them.
  private(set) var untrustedLinks: [String] = []

  /// Follows the links of the roots, and of the part of each pattern before its first wildcard, as they are now. To be called again and
  /// again: directories are made, mounted and linked later than the agent starts.
  package mutating func resolve() {
    untrustedLinks = []
    realRoots = roots.compactMap { trusted($0, evenIfMissing: true) }
    realPatterns = patterns.compactMap { pattern in
      let directory = GlobPattern.fixedDirectory(of: pattern.text)
      return trusted(directory, evenIfMissing: false).map { pattern.moved(from: directory, to: $0) }
    }
  }

  /// - Parameter evenIfMissing: what will be at the very path is allowed, which a link made there later does not change.
  private mutating func trusted(_ path: String, evenIfMissing: Bool) -> String? {
    guard path.hasPrefix("/") else { return nil }
    switch TrustedRoot.resolve(path) {
    case .resolved(let real): return real
    case .missing(let expected): return evenIfMissing ? expected : nil
    case .untrusted(let link):
      untrustedLinks.append(link)
      return nil
    }
  }

  /// The files of one directory, asked name by name: as `allowsFile` of each path, for less.
  func names(in realDirectory: String) -> AllowedNames {
    if isBelowRoot(realDirectory) { return AllowedNames(allowsAll: true, patterns: []) }
    let names = GlobPattern.names(of: realDirectory)
    return AllowedNames(allowsAll: false, patterns: realPatterns.map { ($0, $0.reached(by: names)) })
  }

  /// Whether a regular file may be read.
  package func allowsFile(_ real: String) -> Bool {
    if isBelowRoot(real) { return true }
    let names = GlobPattern.names(of: real)
    return realPatterns.contains { $0.reached(by: names).last == true }
  }

  /// Whether the names in a directory may be looked at: a pattern with wildcards must list the directories that lead to its matches.
  package func allowsListing(_ realDirectory: String) -> Bool {
    if isBelowRoot(realDirectory) { return true }
    let names = GlobPattern.names(of: realDirectory)
    return realPatterns.contains { $0.lists(names) }
  }

  /// Whether rotation may have put a file of an allowed name there: into the directory of a match, or one level below it.
  package func allowsRotated(in realDirectory: String) -> Bool {
    if isBelowRoot(realDirectory) { return true }
    let names = GlobPattern.names(of: realDirectory)
    return realPatterns.contains { $0.holdsMatches(names) || $0.holdsMatches(names.dropLast()) }
  }

  private func isBelowRoot(_ real: String) -> Bool {
    realRoots.contains { root in
      real == root || root == "/" || real.utf8.starts(with: (root + "/").utf8)
    }
  }

  /// The part of the path that exists with its links followed, and the rest as it is; nil where it cannot be judged.
  static func real(_ path: String) -> String? {
    if let whole = try? HostFiles.resolve(path) { return whole }
    let parent = HostFiles.directory(of: path)
    let name = HostFiles.name(of: path)
    // Where a component that does not exist leads to is not known before it exists.
    if !path.hasPrefix("/") || parent == path || name.isEmpty || name == ".." || name == "." { return nil }
    guard let above = real(parent) else { return nil }
    return above == "/" ? "/" + name : above + "/" + name
  }
}

extension GlobPattern {
  static func names(of path: String) -> [[UInt8]] {
    path.utf8.split(separator: UInt8(ascii: "/")).map(Array.init)
  }

  /// The same pattern where its fixed directory lies really.
  func moved(from directory: String, to real: String) -> GlobPattern {
    let fixed = Self.names(of: directory).count
    return GlobPattern(
      text: text, components: Self.names(of: real).map { .literal($0) } + Array(components.dropFirst(fixed)))
  }

  /// Which components may come next after `names`; the last element, behind all components, states whether the names are a match.
  ///
  /// Cost: components times names, whatever the pattern.
  func reached(by names: some Sequence<[UInt8]>) -> [Bool] {
    var reached = [Bool](repeating: false, count: components.count + 1)
    reached[0] = true
    passDepths(&reached)
    for name in names {
      var next = [Bool](repeating: false, count: reached.count)
      for (index, component) in components.enumerated() where reached[index] && component.matches(name) {
        next[component == .anyDepth ? index : index + 1] = true
      }
      passDepths(&next)
      reached = next
    }
    return reached
  }

  /// `**` may stand for no directory at all.
  private func passDepths(_ reached: inout [Bool]) {
    for index in components.indices where reached[index] && components[index] == .anyDepth { reached[index + 1] = true }
  }

  /// Whether a wildcard is matched against the names in this directory.
  func lists(_ directory: some Sequence<[UInt8]>) -> Bool {
    zip(components, reached(by: directory)).contains { component, isReached in
      if case .literal = component { false } else { isReached }
    }
  }

  /// Whether files that match may lie directly in this directory.
  func holdsMatches(_ directory: some Sequence<[UInt8]>) -> Bool {
    !components.isEmpty && reached(by: directory)[components.count - 1]
  }
}

/// Which names in one directory are files that may be read.
struct AllowedNames {
  let allowsAll: Bool
  /// With the components that may come next.
  let patterns: [(pattern: GlobPattern, reached: [Bool])]

  func allows(_ name: [UInt8]) -> Bool {
    allowsAll
      || patterns.contains { pattern, reached in
        guard let last = pattern.components.indices.last, reached[last] else { return false }
        return pattern.components[last].matches(name)
      }
  }
}
