import Agent

/// What another program does at a certain moment; once.
final class Race {
  var afterList: (() -> Void)?
}

/// A real directory in which something happens right after it was listed, before anybody looks at what was found.
final class RacedFileSystem: FollowedFileSystem {
  private let base: LinuxFollowedFileSystem
  private let race: Race

  init(_ base: LinuxFollowedFileSystem, _ race: Race) {
    self.base = base
    self.race = race
  }

  func list(_ patterns: [GlobPattern]) -> [FoundFile] {
    let found = base.list(patterns)
    let happens = race.afterList
    race.afterList = nil
    happens?()
    return found
  }

  func neighbours(of path: String) -> [FoundFile] { base.neighbours(of: path) }
  func open(_ path: String) -> FileHandle? { base.open(path) }
  func status(of handle: FileHandle) -> FollowedStatus? { base.status(of: handle) }
  func read(_ handle: FileHandle, at offset: UInt64, count: Int, into buffer: inout [UInt8]) -> Int? {
    base.read(handle, at: offset, count: count, into: &buffer)
  }
  func close(_ handle: FileHandle) { base.close(handle) }
  func takeChanges() -> FollowedChanges { base.takeChanges() }
  var refusedTotal: UInt64 { base.refusedTotal }
}
