/// One pass over everything that the patterns match, a part at a time: a million names must not hold up samples and signals.
package protocol FileListing: AnyObject {
  /// The next files; a file with several names comes under each.
  /// - Parameters:
  ///   - names: about how many names may be looked at, whether they match or not.
  ///   - withinNs: for about how long, as a slow file system must not hold the loop for the time of all names.
  func next(names: Int, withinNs: Int64) -> [FoundFile]
  /// Nothing more will come.
  var isOver: Bool { get }
  /// Of what was looked at so far.
  var figures: ListingFigures { get }
}

/// What a pass met and could not, or must not, show.
package struct ListingFigures: Sendable, Equatable {
  /// Looked at.
  package var names = 0
  package var unreadable = Finding()
  /// Names that are not UTF-8: they cannot be sent, nor opened by what is left of them.
  package var misnamed = Finding()
  package var outside = Finding()
  package var missingRoots = Finding()
  package var unwatched = Finding()
  package var cut = Finding()

  package init() {}

  /// How many, and the first of them, so that a log line can name one.
  package struct Finding: Sendable, Equatable {
    package private(set) var count: UInt64 = 0
    package private(set) var first = ""

    package init() {}

    mutating func add(_ other: Finding) {
      if count == 0 { first = other.first }
      count += other.count
    }

    package mutating func add(_ path: String) {
      if count == 0 { first = path }
      count += 1
    }
  }
}

/// A listing that is there at once.
package final class WholeListing: FileListing {
  private let files: [FoundFile]
  package private(set) var isOver = false
  package private(set) var figures = ListingFigures()

  package init(_ files: [FoundFile]) {
    self.files = files
    figures.names = files.count
  }

  package func next(names: Int, withinNs: Int64) -> [FoundFile] {
    defer { isOver = true }
    return isOver ? [] : files
  }
}

/// What is followed, and what is not although a pattern matches.
struct FollowedPatterns: Equatable {
  var included: [GlobPattern] = []
  var excluded: [GlobPattern] = []

  func matches(_ path: String) -> Bool { included.contains { $0.matches(path) } && !excludes(path) }

  func excludes(_ path: String) -> Bool { !excluded.isEmpty && excluded.contains { $0.matches(path) } }
}

extension GlobPattern {
  /// A pattern of `--exclude`: one without a slash means a name in any directory.
  package static func exclusion(_ text: String) -> GlobPattern {
    GlobPattern(text.utf8.contains(UInt8(ascii: "/")) ? text : "/**/" + text)
  }
}
