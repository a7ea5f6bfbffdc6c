internal import Files
internal import FleetModel

/// The listing of this host's directories: each is opened once, whatever the number of patterns, and read a few names at a time.
///
/// Of each directory it is known how far into each pattern one has come; a name leads on where a next component matches. `**` does not
/// go through links, which may lead in circles; a single component does.
final class PatternWalk: FileListing {
  /// Directories in one pass; a pattern such as `/**` must not read a whole disk.
  static let directoriesMax = 65_536
  /// Names in one directory, so that one of them does not hide the others.
  static let namesPerDirectoryMax = 262_144
  static let namesMax = 1 << 20
  /// Directories below the part of a pattern that has no wildcards.
  static let depthMax = 24
  private static let namesPerRead = 64

  /// Before a component of a pattern.
  private struct Position: Hashable {
    var pattern: Int
    var component: Int
  }

  private struct Visit {
    var path: String
    var positions: Set<Position>
    var depth: Int
  }

  /// The directory that is being read.
  private struct Current {
    var visit: Visit
    var stream: DirectoryStream
    var allowed: AllowedNames
    /// Looked at by name already.
    var literals: NameSet
    var names = 0
  }

  private let patterns: FollowedPatterns
  private let allowed: AllowedPaths
  /// - Returns: whether the directory is watched.
  private let watch: (String) -> Bool
  private var pending: [Visit] = []
  private var current: Current?
  private var found: [FoundFile] = []
  private var directories = 0
  private var watched: NameSet = []
  private(set) var figures = ListingFigures()

  init(_ patterns: FollowedPatterns, allowed: AllowedPaths, watch: @escaping (String) -> Bool) {
    self.patterns = patterns
    self.allowed = allowed
    self.watch = watch
    var start: Set<Position> = []
    for (index, pattern) in patterns.included.enumerated() where pattern.isAbsolute {
      start.insert(Position(pattern: index, component: 0))
      noteRoot(pattern)
    }
    for link in allowed.untrustedLinks { figures.outside.add(link) }
    if !start.isEmpty { pending.append(Visit(path: "", positions: closure(start), depth: 0)) }
  }

  private func noteRoot(_ pattern: GlobPattern) {
    let directory = GlobPattern.fixedDirectory(of: pattern.text)
    if (try? FileStatus.of(path: directory)) == nil { figures.missingRoots.add(directory) }
  }

  var isOver: Bool { current == nil && pending.isEmpty }

  func next(names: Int, withinNs: Int64) -> [FoundFile] {
    let (last, untilNs) = (figures.names + names, Clock.monotonicNs().addingClamped(withinNs))
    repeat {
      if current == nil {
        guard let visit = pending.popLast() else { break }
        begin(visit)
      } else {
        readOn()
      }
    } while figures.names < last && Clock.monotonicNs() < untilNs
    defer { found = [] }
    return found
  }

  // MARK: Positions

  /// `**` may stand for no directory at all.
  private func closure(_ positions: Set<Position>) -> Set<Position> {
    var all = positions
    for position in positions {
      var next = position
      while component(next) == .anyDepth {
        next.component += 1
        all.insert(next)
      }
    }
    return all
  }

  private func component(_ position: Position) -> GlobPattern.Component? {
    let components = patterns.included[position.pattern].components
    return position.component < components.count ? components[position.component] : nil
  }

  /// What a name leads to: whether a file of that name matches, and how far a directory of that name has come.
  private func step(_ positions: Set<Position>, _ name: [UInt8], isLink: Bool) -> (isMatch: Bool, next: Set<Position>) {
    var (isMatch, next) = (false, Set<Position>())
    for position in positions {
      guard let component = component(position), component.matches(name) else { continue }
      if component == .anyDepth {
        if !isLink { next.insert(position) }
      } else if position.component == patterns.included[position.pattern].components.count - 1 {
        isMatch = true
      } else {
        next.insert(Position(pattern: position.pattern, component: position.component + 1))
      }
    }
    return (isMatch, next)
  }

  // MARK: Directories

  private func begin(_ visit: Visit) {
    let path = visit.path.isEmpty ? "/" : visit.path
    guard visit.depth <= Self.depthMax, directories < Self.directoriesMax, figures.names < Self.namesMax else {
      return figures.cut.add(path)
    }
    directories += 1
    var literals: NameSet = []
    var isListed = false
    for position in visit.positions {
      switch component(position) {
      case .literal(let name): literals.insert(String(decoding: name, as: UTF8.self))
      case nil: break
      default: isListed = true
      }
    }
    if isListed { open(visit, path, literals) }
    for name in literals.names { look(name, visit) }
  }

  private func open(_ visit: Visit, _ path: String, _ literals: NameSet) {
    do throws(FileError) {
      let stream = try DirectoryStream(path)
      guard let real = stream.realPath, allowed.allowsListing(real) else { return figures.outside.add(path) }
      enter(path)
      current = Current(visit: visit, stream: stream, allowed: allowed.names(in: real), literals: literals)
    } catch {
      noteFailure(error, path, visit.path)
    }
  }

  /// A name that is not UTF-8 is shown with U+FFFD in it, and what is left of it names nothing.
  private func noteFailure(_ error: FileError, _ path: String, _ name: String) {
    if error.isNotPermitted {
      figures.unreadable.add(path)
    } else if error.isNotFound, name.unicodeScalars.contains("\u{fffd}") {
      figures.misnamed.add(path)
    }
  }

  /// Watched before it is listed: what comes in between is notified.
  private func enter(_ path: String) {
    if watched.insert(path), !watch(path) { figures.unwatched.add(path) }
  }

  private func readOn() {
    guard var current else { return }
    self.current = nil
    let entries = current.stream.next(Self.namesPerRead)
    if entries.isEmpty { return }
    current.names += entries.count
    figures.names += entries.count
    for entry in entries where !current.literals.contains(entry.name) { add(entry, current) }
    if current.names >= Self.namesPerDirectoryMax || figures.names >= Self.namesMax {
      return figures.cut.add(current.stream.path)
    }
    self.current = current
  }

  private func add(_ entry: DirectoryStream.Entry, _ current: Current) {
    let name = Array(entry.name.utf8)
    var (isMatch, next) = step(current.visit.positions, name, isLink: false)
    guard isMatch || !next.isEmpty else { return }
    let path = current.visit.path + "/" + entry.name
    switch entry.kind {
    case .directory: return visit(path, next, current.visit.depth + 1)
    case .socket, .other: return
    case .file where !isMatch: return
    default: break
    }
    guard !patterns.excludes(path) else { return }
    do throws(FileError) {
      let own = try current.stream.status(of: entry.name, followingLinks: false)
      if own.kind == .directory { return visit(path, next, current.visit.depth + 1) }
      if own.kind == .file {
        guard isMatch else { return }
        if current.allowed.allows(name) {
          found.append(FoundFile(path: path, status: FollowedStatus(own)))
        } else {
          figures.outside.add(path)
        }
      } else if own.kind == .link {
        next = step(current.visit.positions, name, isLink: true).next
        link(path, isMatch, next, current.visit.depth + 1)
      }
    } catch {
      noteFailure(error, path, entry.name)
    }
  }

  /// A component without wildcards: the directory that holds it need not be listed.
  private func look(_ name: String, _ visit: Visit) {
    figures.names += 1
    let path = visit.path + "/" + name
    do throws(FileError) {
      let own = try FileStatus.of(path: path, followingLinks: false)
      let (isMatch, next) = step(visit.positions, Array(name.utf8), isLink: own.kind == .link)
      guard !patterns.excludes(path) else { return }
      switch own.kind {
      case .directory: self.visit(path, next, visit.depth)
      case .link: link(path, isMatch, next, visit.depth)
      case .file where isMatch:
        let directory = visit.path.isEmpty ? "/" : visit.path
        guard let real = try? HostFiles.resolve(path), allowed.allowsFile(real) else {
          return figures.outside.add(path)
        }
        enter(directory)
        found.append(FoundFile(path: path, status: FollowedStatus(own)))
      default: break
      }
    } catch {
      if error.isNotPermitted || (try? FileStatus.exists(visit.path)) == false { noteFailure(error, path, visit.path) }
      // The directory's notification reports its coming.
      let isFile = visit.positions.contains { position in
        position.component == patterns.included[position.pattern].components.count - 1
      }
      if error.isNotFound, isFile, let real = try? HostFiles.resolve(visit.path), allowed.allowsFile(real + "/" + name)
      {
        enter(visit.path)
      }
    }
  }

  private func visit(_ path: String, _ positions: Set<Position>, _ depth: Int) {
    guard !positions.isEmpty, !patterns.excludes(path) else { return }
    pending.append(Visit(path: path, positions: closure(positions), depth: depth))
  }

  private func link(_ path: String, _ isMatch: Bool, _ next: Set<Position>, _ depth: Int) {
    guard let status = try? FileStatus.of(path: path) else { return }
    if status.kind == .directory { return visit(path, next, depth) }
    guard status.kind == .file, isMatch else { return }
    guard let target = try? HostFiles.resolve(path), allowed.allowsFile(target) else {
      return figures.outside.add(path)
    }
    if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash > path.startIndex { enter(String(path[..<slash])) }
    found.append(FoundFile(path: path, status: FollowedStatus(status)))
  }
}
