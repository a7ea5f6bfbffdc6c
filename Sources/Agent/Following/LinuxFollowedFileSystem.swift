internal import Files
package import FleetModel

/// The followers' view of this host: files below the allowed directories, with changes as inotify(7) reports them.
///
/// A path is allowed where what is opened is, links resolved, what `AllowedPaths` allows; that is checked on the open descriptor, so
/// that no link exchanged meanwhile leads out. Directories are listed only where they themselves are allowed.
package final class LinuxFollowedFileSystem: FollowedFileSystem {
  /// Directories watched; beyond that the regular pass finds what changes. A watch takes about 1 KiB of the kernel's memory.
  static let watchesMax = 4096
  /// Names looked at beside one that rotation moved; a pass over all patterns finds what is further away.
  static let neighboursMax = 65_536
  /// Names of one look that are handled one by one; where more changed, a whole pass is cheaper.
  static let changedNamesMax = 4096

  private final class OpenFile {
    let descriptor: Descriptor
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
  }

  private var allowed: AllowedPaths
  /// What `neighbours` found: under a name that no pattern matches, so opened only after it was found so.
  private var rotated: NameSet = []
  private var files: [Int: OpenFile] = [:]
  private var lastHandle = 0
  private var inotify: Inotify?
  private var watches: [Int32: String] = [:]
  private var watched: NameSet = []
  private var names = 0
  package private(set) var refusedTotal: UInt64 = 0

  /// - Parameters:
  ///   - allowed: what may be read; what does not exist (yet) allows nothing.
  ///   - isWatching: whether changes are reported; a single look needs no watches.
  package init(allowed: AllowedPaths, isWatching: Bool = true) {
    self.allowed = allowed
    inotify = isWatching ? try? Inotify() : nil
  }

  /// - Parameter allowed: directories, absolute.
  package convenience init(allowed: [String], isWatching: Bool = true) {
    self.init(allowed: AllowedPaths(roots: allowed), isWatching: isWatching)
  }

  /// For epoll(7): readable when `takeChanges` has something to return; nil where the kernel gives no inotify.
  package var notificationDescriptor: Int32? { inotify?.raw }

  // MARK: Listing

  package func startListing(_ patterns: [GlobPattern], excluding: [GlobPattern]) -> any FileListing {
    allowed.resolve()
    return PatternWalk(FollowedPatterns(included: patterns, excluded: excluding), allowed: allowed) { [unowned self] in
      watch($0)
    }
  }

  package func list(_ patterns: [GlobPattern]) -> [FoundFile] {
    let listing = startListing(patterns, excluding: [])
    var found = NameTable<FoundFile>()
    while !listing.isOver {
      for file in listing.next(names: PatternWalk.namesMax, withinNs: .max) { found[file.path] = file }
    }
    return found.values.sorted { $0.path < $1.path }
  }

  package func find(_ path: String) -> FoundFile? {
    var found = NameTable<FollowedStatus>()
    add(path, &found)
    return found[path].map { FoundFile(path: path, status: $0) }
  }

  package func isReadable(_ path: String) -> Bool { HostFiles.isReadable(path) }

  package func absence(of path: String, _ file: FileIdentity) -> FileAbsence {
    do throws(FileError) {
      let status = try FileStatus.of(path: path)
      // The inode number of a deleted file is given to the next one.
      let isSame =
        status.device == file.device && status.inode == file.inode
        && FollowedStatus.isSameBirth(status.birthNs, file.birthNs)
      return isSame ? .present : .gone
    } catch {
      guard error.isNotFound else { return .unknown }
    }
    let directory = try? FileStatus.of(path: HostFiles.directory(of: path))
    return directory?.device == file.device ? .gone : .unknown
  }

  /// `**` does not go through links: they may lead in circles.
  private func isDirectory(_ path: String, followingLinks: Bool) -> Bool {
    (try? FileStatus.of(path: path, followingLinks: followingLinks))?.kind == .directory
  }

  private func add(_ path: String, _ found: inout NameTable<FollowedStatus>) {
    guard found[path] == nil, let own = try? FileStatus.of(path: path, followingLinks: false) else { return }
    var status = own
    if own.kind == .link {
      guard let target = try? FileStatus.of(path: path) else { return }
      status = target
    }
    guard status.kind == .file else { return }
    guard let real = try? HostFiles.resolve(path), allowsFile(real) else { return refuse() }
    found[path] = FollowedStatus(status)
  }

  package func neighbours(of path: String) -> [FoundFile] {
    let directory = HostFiles.directory(of: path)
    let parent = HostFiles.directory(of: directory)
    names = 0
    var found = NameTable<FollowedStatus>()
    var directories: NameSet = [directory]
    for above in [directory, parent] where isListed(above) || isRotatedInto(above) {
      for name in (try? HostFiles.list(above)) ?? [] where directories.count < 256 {
        let path = above == "/" ? "/" + name : above + "/" + name
        if isDirectory(path, followingLinks: false) { directories.insert(path) }
      }
    }
    for directory in directories.names where isRotatedInto(directory) {
      for name in (try? HostFiles.list(directory)) ?? [] {
        names += 1
        let path = directory + "/" + name
        guard names < Self.neighboursMax, let status = try? FileStatus.of(path: path, followingLinks: false) else {
          continue
        }
        if status.kind == .file { found[path] = FollowedStatus(status) } else { add(path, &found) }
      }
    }
    rotated = NameSet(found.names)
    return found.names.compactMap { path in found[path].map { FoundFile(path: path, status: $0) } }.sorted {
      $0.path < $1.path
    }
  }

  // MARK: What is allowed

  private func refuse() { refusedTotal += 1 }

  /// What holds a database's newest rows may be read where that may be.
  private func allowsFile(_ real: String) -> Bool {
    allowed.allowsFile(real) || DatabaseFile.owner(of: real).map { allowed.allowsFile($0) } ?? false
  }

  private func isListed(_ directory: String) -> Bool {
    guard let real = try? HostFiles.resolve(directory.isEmpty ? "/" : directory) else { return false }
    return allowed.allowsListing(real)
  }

  private func isRotatedInto(_ directory: String) -> Bool {
    guard let real = try? HostFiles.resolve(directory.isEmpty ? "/" : directory) else { return false }
    return allowed.allowsRotated(in: real)
  }

  private func isOpened(_ real: String, as path: String) -> Bool {
    allowsFile(real)
      || rotated.contains(path) && allowed.allowsRotated(in: HostFiles.directory(of: real))
  }

  // MARK: Files

  package func open(_ path: String) -> FileHandle? {
    // Opening a FIFO or a device may already do something: only what is a regular file is opened.
    guard let before = try? FileStatus.of(path: path), before.kind == .file,
      let descriptor = try? Descriptor.open(path, .read),
      let status = try? descriptor.status(), status.kind == .file,
      let target = try? HostFiles.readLink("/proc/self/fd/\(descriptor.raw)")
    else { return nil }
    guard isOpened(target, as: path) else {
      refuse()
      return nil
    }
    lastHandle += 1
    files[lastHandle] = OpenFile(descriptor)
    return FileHandle(lastHandle)
  }

  package func status(of handle: FileHandle) -> FollowedStatus? {
    guard let file = files[handle.number], let status = try? file.descriptor.status() else { return nil }
    return FollowedStatus(status)
  }

  package func read(_ handle: FileHandle, at offset: UInt64, count: Int, into buffer: inout [UInt8]) -> Int? {
    guard let file = files[handle.number] else { return nil }
    return try? file.descriptor.fill(&buffer, count: count, at: offset)
  }

  package func nextData(_ handle: FileHandle, from offset: UInt64) -> UInt64? {
    guard let file = files[handle.number] else { return offset }
    return file.descriptor.nextData(from: offset)
  }

  package func close(_ handle: FileHandle) { files[handle.number] = nil }

  // MARK: Changes

  /// - Returns: whether the kernel notifies of its changes; else fs.inotify.max_user_watches, or the limit here, is reached.
  private func watch(_ directory: String) -> Bool {
    if inotify == nil || watched.contains(directory) { return true }
    guard watched.count < Self.watchesMax else { return false }
    let added: Int32?
    do throws(FileError) { added = try inotify?.watch(directory) } catch { return !error.isNoSpace }
    guard let added else { return true }
    // Two names of one directory share a watch; both are looked at.
    if let before = watches[added], !before.hasBytes(of: directory) { return true }
    watches[added] = directory
    watched.insert(directory)
    return true
  }

  package func takeChanges() -> FollowedChanges {
    var changes = FollowedChanges()
    // At most 64 KiB of them in one turn: what is left makes the descriptor readable again.
    guard let taken = try? inotify?.take() else { return changes }
    for notification in taken { note(notification, &changes) }
    if changes.names.count > Self.changedNamesMax { changes.isStructural = true }
    return changes
  }

  private func note(_ notification: Inotify.Notification, _ changes: inout FollowedChanges) {
    switch notification.kind {
    case .overflow: changes.isStructural = true
    case .structural:
      guard let directory = watches[notification.watch] else { return }
      if notification.isGone || notification.isDirectory || notification.name.isEmpty {
        changes.isStructural = true
      } else {
        changes.names.append(path(notification.name, in: directory))
      }
      if notification.isGone {
        watches[notification.watch] = nil
        watched.remove(directory)
        // Moved, it is watched on under this number; the name may become another directory's.
        inotify?.unwatch(notification.watch)
      }
    case .modified, .closed:
      guard let directory = watches[notification.watch] else { return }
      let path = path(notification.name, in: directory)
      if notification.kind == .closed {
        changes.closed.insert(path)
        return
      }
      if !changes.closed.isEmpty { changes.closed.remove(path) }
      if changes.modified.last != path { changes.modified.append(path) }
    }
  }

  private func path(_ name: String, in directory: String) -> String {
    directory == "/" ? "/" + name : directory + "/" + name
  }
}

extension FollowedStatus {
  init(_ status: FileStatus) {
    self.init(
      device: status.device, inode: status.inode, sizeBytes: status.sizeBytes, modifiedNs: status.modifiedNs,
      birthNs: status.birthNs, links: status.links, owner: status.uid)
  }
}
