import Agent
import FleetModel

/// What another program does at certain moments.
final class Race {
  /// Right after a listing; once.
  var afterList: (() -> Void)?
  /// How often something was read.
  var readCalls = 0
  /// Before each call to the file system.
  var beforeCall: (() -> Void)?
}

/// A real directory in which something happens between the calls of whoever looks at it.
final class RacedFileSystem: FollowedFileSystem {
  private let base: LinuxFollowedFileSystem
  private let race: Race

  init(_ base: LinuxFollowedFileSystem, _ race: Race) {
    self.base = base
    self.race = race
  }

  func list(_ patterns: [GlobPattern]) -> [FoundFile] {
    race.beforeCall?()
    let found = base.list(patterns)
    let happens = race.afterList
    race.afterList = nil
    happens?()
    return found
  }

  /// The real listing in parts, unless something is to happen around one.
  func startListing(_ patterns: [GlobPattern], excluding: [GlobPattern]) -> any FileListing {
    guard race.afterList != nil || race.beforeCall != nil else {
      return base.startListing(patterns, excluding: excluding)
    }
    return WholeListing(list(patterns).filter { file in !excluding.contains { $0.matches(file.path) } })
  }

  func absence(of path: String, _ file: FileIdentity) -> FileAbsence {
    base.absence(of: path, file)
  }

  func find(_ path: String) -> FoundFile? {
    race.beforeCall?()
    return base.find(path)
  }

  func isReadable(_ path: String) -> Bool { base.isReadable(path) }

  func nextData(_ handle: FileHandle, from offset: UInt64) -> UInt64? {
    race.beforeCall?()
    return base.nextData(handle, from: offset)
  }

  func neighbours(of path: String) -> [FoundFile] {
    race.beforeCall?()
    return base.neighbours(of: path)
  }

  func open(_ path: String) -> FileHandle? {
    race.beforeCall?()
    return base.open(path)
  }

  func status(of handle: FileHandle) -> FollowedStatus? {
    race.beforeCall?()
    return base.status(of: handle)
  }

  func read(_ handle: FileHandle, at offset: UInt64, count: Int, into buffer: inout [UInt8]) -> Int? {
    race.beforeCall?()
    race.readCalls += 1
    return base.read(handle, at: offset, count: count, into: &buffer)
  }

  func close(_ handle: FileHandle) { base.close(handle) }

  func takeChanges() -> FollowedChanges {
    race.beforeCall?()
    return base.takeChanges()
  }

  var refusedTotal: UInt64 { base.refusedTotal }
}
