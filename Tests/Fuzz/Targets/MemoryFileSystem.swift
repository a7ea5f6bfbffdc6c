internal import Agent

/// Files in memory, with names that move between them as rotation moves them.
final class MemoryFileSystem: FollowedFileSystem {
  private final class Node {
    let inode: UInt64
    var bytes: [UInt8]
    var modifiedNs: Int64

    init(inode: UInt64, bytes: [UInt8], modifiedNs: Int64) {
      self.inode = inode
      self.bytes = bytes
      self.modifiedNs = modifiedNs
    }
  }

  var nowNs: Int64 = 0
  private var names: [String: Node] = [:]
  private var handles: [Int: Node] = [:]
  private var lastHandle = 0
  private var lastInode: UInt64 = 0
  private var changes = FollowedChanges()
  let refusedTotal: UInt64 = 0

  // MARK: What programs do

  func bytes(_ path: String) -> [UInt8] { names[path]?.bytes ?? [] }

  func append(_ bytes: some Collection<UInt8>, to path: String) {
    node(path).bytes += bytes
    touch(path)
  }

  func truncate(_ path: String, to count: Int) {
    guard let node = names[path] else { return }
    node.bytes = Array(node.bytes.prefix(count))
    touch(path)
  }

  func rename(_ from: String, to: String) {
    guard let node = names[from] else { return }
    names[from] = nil
    names[to] = node
    changes.isStructural = true
  }

  func remove(_ path: String) {
    names[path] = nil
    changes.isStructural = true
  }

  func copy(_ from: String, to: String) {
    remove(to)
    append(bytes(from), to: to)
  }

  private func node(_ path: String) -> Node {
    if let node = names[path] { return node }
    lastInode += 1
    let node = Node(inode: lastInode, bytes: [], modifiedNs: nowNs)
    names[path] = node
    changes.isStructural = true
    return node
  }

  private func touch(_ path: String) {
    names[path]?.modifiedNs = nowNs
    changes.modified.append(path)
  }

  // MARK: FollowedFileSystem

  private func status(_ node: Node) -> FollowedStatus {
    FollowedStatus(
      device: 1, inode: node.inode, sizeBytes: UInt64(node.bytes.count), modifiedNs: node.modifiedNs, birthNs: 0,
      links: names.values.contains { $0 === node } ? 1 : 0)
  }

  func list(_ patterns: [GlobPattern]) -> [FoundFile] {
    neighbours(of: "").filter { file in patterns.contains { $0.matches(file.path) } }
  }

  func neighbours(of path: String) -> [FoundFile] {
    names.sorted { $0.key < $1.key }.map { FoundFile(path: $0.key, status: status($0.value)) }
  }

  func open(_ path: String) -> FileHandle? {
    guard let node = names[path] else { return nil }
    lastHandle += 1
    handles[lastHandle] = node
    return FileHandle(lastHandle)
  }

  func status(of handle: FileHandle) -> FollowedStatus? { handles[handle.number].map(status) }

  func read(_ handle: FileHandle, at offset: UInt64, count: Int, into buffer: inout [UInt8]) -> Int? {
    guard let node = handles[handle.number] else { return nil }
    let start = min(Int(clamping: offset), node.bytes.count)
    let part = node.bytes[start..<min(node.bytes.count, start + count)]
    if buffer.count < part.count { buffer += [UInt8](repeating: 0, count: part.count - buffer.count) }
    buffer.replaceSubrange(0..<part.count, with: part)
    return part.count
  }

  func close(_ handle: FileHandle) {
    precondition(handles.removeValue(forKey: handle.number) != nil, "closed twice")
  }

  var openHandles: Int { handles.count }

  func takeChanges() -> FollowedChanges {
    defer { changes = FollowedChanges() }
    return changes
  }
}
