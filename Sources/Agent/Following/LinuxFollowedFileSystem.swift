internal import Files

/// The followers' view of this host: files below the allowed directories, told of changes by inotify(7).
///
/// A path is allowed where what is opened is, links resolved, what `AllowedPaths` allows; that is asked of the open descriptor, so
/// that no link exchanged meanwhile leads out. Directories are listed only where they themselves are allowed.
package final class LinuxFollowedFileSystem: FollowedFileSystem {
  /// Directories that one pattern may lead through, and names looked at; a pattern such as `/**` must not read a whole disk.
  static let directoriesMax = 4096
  static let namesMax = 65_536
  static let depthMax = 24
  /// Directories watched; beyond that the regular scan finds what changes.
  static let watchesMax = 2048

  private final class OpenFile {
    let descriptor: Descriptor
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
  }

  private let allowed: AllowedPaths
  /// What `neighbours` found: under a name that no pattern matches, so opened only after it was found so.
  private var rotated: Set<String> = []
  private var files: [Int: OpenFile] = [:]
  private var lastHandle = 0
  private var inotify: Inotify?
  private var watches: [Int32: String] = [:]
  private var watched: Set<String> = []
  private var listed: Set<String> = []
  private var names = 0
  package private(set) var refusedTotal: UInt64 = 0

  /// - Parameters:
  ///   - allowed: what may be read; what does not exist (yet) allows nothing.
  ///   - isWatching: whether changes shall be told of; a single look needs no watches.
  package init(allowed: AllowedPaths, isWatching: Bool = true) {
    self.allowed = allowed
    inotify = isWatching ? try? Inotify() : nil
  }

  /// - Parameter allowed: directories, absolute.
  package convenience init(allowed: [String]) { self.init(allowed: AllowedPaths(roots: allowed)) }

  /// For epoll(7): readable when `takeChanges` has something to tell; nil where the kernel gives no inotify.
  package var notificationDescriptor: Int32? { inotify?.raw }

  // MARK: Listing

  package func list(_ patterns: [GlobPattern]) -> [FoundFile] {
    listed.removeAll(keepingCapacity: true)
    names = 0
    var found: [String: FollowedStatus] = [:]
    for pattern in patterns where pattern.isAbsolute { walk("", pattern.components[...], 0, &found) }
    return found.map { FoundFile(path: $0.key, status: $0.value) }.sorted { $0.path < $1.path }
  }

  private func walk(
    _ directory: String, _ components: ArraySlice<GlobPattern.Component>, _ depth: Int,
    _ found: inout [String: FollowedStatus]
  ) {
    guard let component = components.first else { return }
    let rest = components.dropFirst()
    if case .literal(let name) = component {
      let path = directory + "/" + String(decoding: name, as: UTF8.self)
      if rest.isEmpty {
        if isListed(directory) || isRotatedInto(directory) { enter(directory.isEmpty ? "/" : directory) }
        add(path, &found)
      } else {
        walk(path, rest, depth, &found)
      }
      return
    }
    guard depth < Self.depthMax, listed.count < Self.directoriesMax, isListed(directory) else { return }
    enter(directory.isEmpty ? "/" : directory)
    if component == .anyDepth { walk(directory, rest, depth, &found) }
    for name in (try? HostFiles.list(directory.isEmpty ? "/" : directory)) ?? []
    where component.matches(Array(name.utf8)) {
      names += 1
      guard names < Self.namesMax else { return }
      let path = directory + "/" + name
      if rest.isEmpty, component != .anyDepth {
        add(path, &found)
      } else if isDirectory(path, followingLinks: component != .anyDepth) {
        walk(path, component == .anyDepth ? components : rest, depth + 1, &found)
      }
    }
  }

  /// Watched before it is listed: what comes in between is told of.
  private func enter(_ directory: String) {
    if listed.insert(directory).inserted, !watched.contains(directory) { watch(directory) }
  }

  /// `**` does not go through links: they may lead in circles.
  private func isDirectory(_ path: String, followingLinks: Bool) -> Bool {
    (try? FileStatus.of(path: path, followingLinks: followingLinks))?.kind == .directory
  }

  private func add(_ path: String, _ found: inout [String: FollowedStatus]) {
    guard found[path] == nil, let own = try? FileStatus.of(path: path, followingLinks: false) else { return }
    var status = own
    if own.kind == .link {
      guard let target = try? FileStatus.of(path: path) else { return }
      status = target
    }
    guard status.kind == .file else { return }
    guard let real = try? HostFiles.resolve(path), allowed.allowsFile(real) else { return refuse() }
    found[path] = FollowedStatus(status)
  }

  package func neighbours(of path: String) -> [FoundFile] {
    let directory = HostFiles.directory(of: path)
    let parent = HostFiles.directory(of: directory)
    names = 0
    var found: [String: FollowedStatus] = [:]
    var directories: Set<String> = [directory]
    for above in [directory, parent] where isListed(above) || isRotatedInto(above) {
      for name in (try? HostFiles.list(above)) ?? [] where directories.count < 256 {
        let path = above == "/" ? "/" + name : above + "/" + name
        if isDirectory(path, followingLinks: false) { directories.insert(path) }
      }
    }
    for directory in directories where isRotatedInto(directory) {
      for name in (try? HostFiles.list(directory)) ?? [] {
        names += 1
        let path = directory + "/" + name
        guard names < Self.namesMax, let status = try? FileStatus.of(path: path, followingLinks: false) else {
          continue
        }
        if status.kind == .file { found[path] = FollowedStatus(status) } else { add(path, &found) }
      }
    }
    rotated = Set(found.keys)
    return found.map { FoundFile(path: $0.key, status: $0.value) }.sorted { $0.path < $1.path }
  }

  // MARK: What is allowed

  private func refuse() { refusedTotal += 1 }

  private func isListed(_ directory: String) -> Bool {
    guard let real = try? HostFiles.resolve(directory.isEmpty ? "/" : directory) else { return false }
    return allowed.allowsListing(real)
  }

  private func isRotatedInto(_ directory: String) -> Bool {
    guard let real = try? HostFiles.resolve(directory.isEmpty ? "/" : directory) else { return false }
    return allowed.allowsRotated(in: real)
  }

  private func isOpened(_ real: String, as path: String) -> Bool {
    allowed.allowsFile(real)
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

  package func close(_ handle: FileHandle) { files[handle.number] = nil }

  // MARK: Changes

  private func watch(_ directory: String) {
    guard watched.count < Self.watchesMax, let watch = try? inotify?.watch(directory) else { return }
    // Two names of one directory share a watch; both are looked at.
    if let before = watches[watch], before != directory { return }
    watches[watch] = directory
    watched.insert(directory)
  }

  package func takeChanges() -> FollowedChanges {
    var changes = FollowedChanges()
    for _ in 0..<16 {
      guard let taken = try? inotify?.take(), !taken.isEmpty else { break }
      for notification in taken { note(notification, &changes) }
    }
    return changes
  }

  private func note(_ notification: Inotify.Notification, _ changes: inout FollowedChanges) {
    switch notification.kind {
    case .overflow: changes.isStructural = true
    case .structural:
      changes.isStructural = true
      if notification.isGone, let directory = watches.removeValue(forKey: notification.watch) {
        watched.remove(directory)
      }
    case .modified, .closed:
      guard let directory = watches[notification.watch] else { return }
      let path = directory == "/" ? "/" + notification.name : directory + "/" + notification.name
      if notification.kind == .closed {
        changes.closed.insert(path)
        return
      }
      if !changes.closed.isEmpty { changes.closed.remove(path) }
      if changes.modified.last != path { changes.modified.append(path) }
    }
  }
}

extension FollowedStatus {
  init(_ status: FileStatus) {
    self.init(
      device: status.device, inode: status.inode, sizeBytes: status.sizeBytes, modifiedNs: status.modifiedNs,
      birthNs: status.birthNs, links: status.links)
  }
}
