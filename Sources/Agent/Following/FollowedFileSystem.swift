package import FleetModel
/// All that the followers need of the outside. Linux is one, the simulation's disk is another.
///
/// Every call returns at once and on the caller's thread; whoever implements it may be asked in any order. Nothing is thrown:
/// what is not there, not allowed or not readable is `nil`, because a follower goes on with its other files all the same.
package protocol FollowedFileSystem: AnyObject {
  /// Regular files whose path matches one of `patterns` and that lie, links resolved, in an allowed directory; sorted by path,
  /// each path once. A file with several names is listed under each.
  func list(_ patterns: [GlobPattern]) -> [FoundFile]
  /// The same, a part at a time, without what `excluding` matches; directories are resolved anew for each listing.
  func startListing(_ patterns: [GlobPattern], excluding: [GlobPattern]) -> any FileListing
  /// The file of that name as a listing would show it, whether a pattern matches or not.
  func find(_ path: String) -> FoundFile?
  /// What is known of a file that no listing shows.
  func absence(of path: String, _ file: FileIdentity) -> FileAbsence
  /// Whether `open` would not be refused for want of permission.
  func isReadable(_ path: String) -> Bool
  /// Regular files in the directory of `path`, in the directories in it and in those beside it: where rotation may have put
  /// what had this path. Bounded; sorted by path.
  func neighbours(of path: String) -> [FoundFile]
  /// Opens for reading; the same file may be open several times.
  func open(_ path: String) -> FileHandle?
  /// - Returns: nil where the file system no longer reports one.
  func status(of handle: FileHandle) -> FollowedStatus?
  /// Puts at most `count` bytes, read at `offset`, to the start of `buffer` and grows it where it is shorter; what lies behind
  /// them in `buffer` is left as it was.
  /// - Returns: how many; 0 at or beyond the end; nil on an error of the disk.
  func read(_ handle: FileHandle, at offset: UInt64, count: Int, into buffer: inout [UInt8]) -> Int?
  /// Where the next bytes of a sparse file begin, at or behind `offset`; nil where nothing but a hole follows.
  func nextData(_ handle: FileHandle, from offset: UInt64) -> UInt64?
  func close(_ handle: FileHandle)
  /// What happened since the last call. It may report too much, and may miss changes: the followers look at everything
  /// every few seconds all the same.
  func takeChanges() -> FollowedChanges
  /// How often a path was asked for that this host does not allow.
  var refusedTotal: UInt64 { get }
}

extension FollowedFileSystem {
  package func startListing(_ patterns: [GlobPattern], excluding: [GlobPattern]) -> any FileListing {
    WholeListing(list(patterns).filter { file in !excluding.contains { $0.matches(file.path) } })
  }
  package func find(_ path: String) -> FoundFile? { list([GlobPattern(path)]).first }
  package func absence(of path: String, _ file: FileIdentity) -> FileAbsence { .gone }
  package func isReadable(_ path: String) -> Bool { true }
  package func nextData(_ handle: FileHandle, from offset: UInt64) -> UInt64? { offset }
}

/// A file that is open; only its file system knows more.
package struct FileHandle: Hashable, Sendable {
  package let number: Int

  package init(_ number: Int) { self.number = number }
}

/// Why a file that was followed is not among those that are found.
package enum FileAbsence: Sendable, Equatable {
  /// It is there: no pattern matches it now, or it may not be read.
  case present
  /// Its directory is missing, cannot be searched, or lies on another file system than the file did: it may come back with a mount, a
  /// permission, or the directory.
  case unknown
  /// Its directory is there without it.
  case gone
}

package struct FoundFile: Sendable, Equatable {
  package var path: String
  package var status: FollowedStatus

  package init(path: String, status: FollowedStatus) {
    self.path = path
    self.status = status
  }
}

/// What the followers ask of a file's status; statx(2).
package struct FollowedStatus: Sendable, Equatable {
  package var device: UInt64
  package var inode: UInt64
  package var sizeBytes: UInt64
  /// ns since 1970.
  package var modifiedNs: Int64
  /// ns since 1970; 0 where the file system does not report it.
  package var birthNs: Int64
  /// 0: deleted, only open descriptors hold it.
  package var links: UInt32
  /// User id of its owner.
  package var owner: UInt32

  /// Whether two times of birth may be one file's.
  static func isSameBirth(_ one: Int64, _ other: Int64) -> Bool { one == other || one == 0 || other == 0 }

  package init(
    device: UInt64, inode: UInt64, sizeBytes: UInt64, modifiedNs: Int64, birthNs: Int64, links: UInt32,
    owner: UInt32 = 0
  ) {
    self.device = device
    self.inode = inode
    self.sizeBytes = sizeBytes
    self.modifiedNs = modifiedNs
    self.birthNs = birthNs
    self.links = links
    self.owner = owner
  }
}

package struct FollowedChanges: Sendable, Equatable {
  /// Paths, as `list` gives them, whose content may have changed; in order, and possibly more than once.
  package var modified: [String] = []
  /// Of those that were open for writing, what was closed, by any process, and not modified since.
  package var closed: NameSet = []
  /// Names came, went or moved, or notifications were lost: list again.
  package var isStructural = false
  /// Names that came, went or moved, where that is all: each can be looked at by itself.
  package var names: [String] = []

  package init() {}
}
