internal import Agent
internal import FleetModel

/// The log directory of one host: names, inodes, and who is notified of changes.
final class SimulatedFiles {
  final class Node {
    let inode: UInt64
    var data: [UInt8] = []
    /// The lines that end in it.
    var lines: [LineText] = []
    let birthNs: Int64
    fileprivate(set) var modifiedNs: Int64
    fileprivate(set) var names = 1
    /// Whose patterns have found it last.
    fileprivate(set) weak var lister: FollowedView?
    /// How long it was when the running agent looked at it last.
    fileprivate(set) var seen: (view: Int, bytes: Int)?
    /// No agent has it open, and none can find it.
    fileprivate(set) var isFreed = false

    init(inode: UInt64, nowNs: Int64) {
      self.inode = inode
      birthNs = nowNs
      modifiedNs = nowNs
    }
  }

  private(set) var nodes: [String: Node] = [:]
  private var nextInode: UInt64 = 100
  private var freeInodes: [UInt64] = []
  private var random: SeededRandom
  /// A kernel stamps changes with the time of its last tick.
  private let stampGranularityNs: Int64
  /// The probability that a change is not reported.
  private let silentRatio: Double
  /// Of the running agent.
  weak var view: FollowedView?
  private var views = 0
  private var all: [Node] = []
  /// What was in files when they were truncated or freed.
  private(set) var destroyed: [DestroyedLines] = []
  private var copies: [CopiedLines] = []
  private let pattern: GlobPattern

  init(random: SeededRandom, plan: Plan) {
    self.random = random
    stampGranularityNs = plan.stampGranularityNs
    silentRatio = plan.silentRatio
    pattern = GlobPattern(plan.followsRotated ? "/logs/*" : "/logs/*.log")
  }

  private func stamp(_ nowNs: Int64) -> Int64 { nowNs - nowNs % stampGranularityNs }

  func create(_ path: String, nowNs: Int64) -> Node {
    // Inodes are used again, as ext4 does.
    var inode = nextInode
    if !freeInodes.isEmpty, random.chance(0.5) { inode = freeInodes.removeLast() } else { nextInode += 1 }
    let node = Node(inode: inode, nowNs: stamp(nowNs))
    unlink(path)
    nodes[path] = node
    all.append(node)
    reportStructure()
    return node
  }

  /// - Parameter lines: those that `bytes` hold the ends of.
  func append(_ bytes: [UInt8], lines: [LineText], to node: Node, nowNs: Int64) {
    node.data += bytes
    if !node.isFreed { node.lines += lines }
    node.modifiedNs = stamp(nowNs)
    guard let view, !random.chance(silentRatio) else { return }
    for (path, other) in nodes where other === node { view.modified(path) }
  }

  /// A copy of all that is in the node begins its truncation.
  func copied(_ node: Node) {
    copies.append(CopiedLines(inode: node.inode, birthNs: node.birthNs, bytes: node.data.count, lines: node.lines))
  }

  /// An agent starts: of each generation that it may have to go on with, it knows the mark alone.
  /// - Parameter isEnded: whether the collector knows that the generation is finished.
  func agentStarts(isEnded: (CopiedLines) -> Bool) {
    for index in copies.indices where !copies[index].isUnknown { copies[index].isUnknown = !isEnded(copies[index]) }
  }

  /// Lines in copies that are shorter than what was committed of their original, of which a later agent knows the mark alone: nothing of the
  /// mark can be compared with so short a file. It is read as a new one: rather twice than not at all.
  func repeatableLines(committed: (CopiedLines) -> UInt64) -> Set<LineText> {
    copies.reduce(into: []) { lines, copy in
      if copy.isUnknown, committed(copy) > UInt64(copy.bytes) { lines.formUnion(copy.lines) }
    }
  }

  /// - Parameter copiedBytes: of its bytes, how many a copy was made of.
  func truncate(_ node: Node, copiedBytes: Int, nowNs: Int64) {
    node.lines.removeLast(unseenLines(of: node, beyond: copiedBytes))
    destroy(node)
    node.data = []
    node.seen = nil
    node.modifiedNs = stamp(nowNs)
    guard let view, !random.chance(silentRatio) else { return }
    for (path, other) in nodes where other === node { view.modified(path) }
  }

  func rename(_ path: String, to newPath: String) {
    guard let node = nodes.removeValue(forKey: path) else { return }
    unlink(newPath)
    nodes[newPath] = node
    reportStructure()
  }

  func remove(_ path: String) {
    unlink(path)
    reportStructure()
  }

  private func unlink(_ path: String) {
    guard let node = nodes.removeValue(forKey: path) else { return }
    node.names -= 1
    if node.names == 0, view?.isOpen(node) != true { free(node) }
  }

  private func free(_ node: Node) {
    freeInodes.append(node.inode)
    node.isFreed = true
    var starts = [0]
    for (index, byte) in node.data.enumerated() where byte == 10 { starts.append(index + 1) }
    destroy(node, starts: Array(starts.dropLast().suffix(node.lines.count)))
  }

  /// Lines that began after the copy was made, in a part of the file that no agent which still runs has looked at: nothing
  /// is left that holds them.
  private func unseenLines(of node: Node, beyond copiedBytes: Int) -> Int {
    let seenBytes = node.seen.flatMap { $0.view == view?.number ? $0.bytes : nil } ?? 0
    let known = min(max(copiedBytes, seenBytes), node.data.count)
    let ends = node.data[known...].count { $0 == 10 }
    let isMidLine = known > 0 && node.data[known - 1] != 10
    return isMidLine ? max(0, ends - 1) : ends
  }

  private func destroy(_ node: Node, starts: [Int]? = nil) {
    if !node.lines.isEmpty {
      destroyed.append(
        DestroyedLines(inode: node.inode, birthNs: node.birthNs, lines: node.lines, deletedStarts: starts))
    }
    node.lines = []
  }

  /// Lines that the agent must have read: those in files that a pattern finds, that this agent was shown, or that
  /// `isKnown` to the collector.
  func readableLines(_ isKnown: (_ inode: UInt64, _ birthNs: Int64) -> Bool) -> Set<LineText> {
    let named = nodes.filter { pattern.matches($0.key) }.map(\.value.inode)
    var lines: Set<LineText> = []
    for node in all where !node.lines.isEmpty {
      let isShown = node.lister != nil && node.lister === view
      if isShown || (node.names > 0 && named.contains(node.inode)) || isKnown(node.inode, node.birthNs) {
        lines.formUnion(node.lines)
      }
    }
    return lines
  }

  /// The agent is gone, and with it what only its open descriptors held.
  func viewEnds() {
    for node in view?.openNodes ?? [] where node.names == 0 { free(node) }
    view = nil
  }

  private func reportStructure() {
    if !random.chance(silentRatio) { view?.structureChanged() }
  }

  /// The agent has let go of a file that its patterns do not find: what is added to it from now on it cannot know.
  func closed(_ node: Node) {
    if !nodes.contains(where: { $0.value === node && pattern.matches($0.key) }) { node.isFreed = true }
  }

  /// Everything that a name leads to was read, as far as `backlogBytes` shows.
  func isRead(by followers: Followers?) -> Bool { followers.map { $0.backlogBytes == 0 } ?? true }

  /// What an agent that starts now follows.
  func makeSource(plan: Plan, random: SeededRandom) -> any DeltaSource {
    views += 1
    let view = FollowedView(number: views, files: self)
    self.view = view
    var keys = random
    let readers = FormatReaders(redactor: Redactor(), zone: { _ in 0 })
    let followers = Followers(fileSystem: view, readers: readers, limits: plan.followingLimits) {
      FileKey(high: 3, low: keys.next())
    }
    followers.follow([pattern.text])
    return followers
  }
}

/// What copytruncate copied of a generation.
struct CopiedLines {
  let inode: UInt64
  let birthNs: Int64
  let bytes: Int
  let lines: [LineText]
  /// An agent started after the copy was made and before the collector had the generation's end.
  fileprivate(set) var isUnknown = false
}

/// Lines that went with their file.
struct DestroyedLines {
  var inode: UInt64
  var birthNs: Int64
  var lines: [LineText]
  /// Where each began, in a file that was deleted.
  var deletedStarts: [Int]?

  /// Those that began before the offset at which a deleted file's end was committed, if it was. A later agent has no mark and
  /// no name to find the rest by.
  func known(endOffset: UInt64?) -> [LineText] {
    guard let deletedStarts, let endOffset else { return lines }
    return zip(lines, deletedStarts).filter { $0.1 < endOffset }.map(\.0)
  }
}

/// One agent's open files and notifications.
final class FollowedView: FollowedFileSystem {
  let number: Int
  private let files: SimulatedFiles
  private var handles: [FileHandle: SimulatedFiles.Node] = [:]
  private var lastHandle = 0
  private var changes = FollowedChanges()
  let refusedTotal: UInt64 = 0

  init(number: Int, files: SimulatedFiles) {
    self.number = number
    self.files = files
  }

  func modified(_ path: String) {
    if changes.modified.last != path { changes.modified.append(path) }
  }

  func structureChanged() { changes.isStructural = true }

  /// Each once.
  var openNodes: [SimulatedFiles.Node] {
    var nodes: [UInt64: SimulatedFiles.Node] = [:]
    for node in handles.values { nodes[node.inode] = node }
    return nodes.values.sorted { $0.inode < $1.inode }
  }

  func isOpen(_ node: SimulatedFiles.Node) -> Bool { handles.values.contains { $0 === node } }

  private func found(_ isWanted: (String) -> Bool) -> [FoundFile] {
    files.nodes.keys.filter(isWanted).sorted().compactMap { path in
      files.nodes[path].map { FoundFile(path: path, status: status($0)) }
    }
  }

  func list(_ patterns: [GlobPattern]) -> [FoundFile] {
    let found = found { path in patterns.contains { $0.matches(path) } }
    for item in found {
      guard let node = files.nodes[item.path] else { continue }
      node.lister = self
      noteSeen(node)
    }
    return found
  }

  func neighbours(of path: String) -> [FoundFile] { found { _ in true } }

  func open(_ path: String) -> FileHandle? {
    guard let node = files.nodes[path] else { return nil }
    lastHandle += 1
    let handle = FileHandle(lastHandle)
    handles[handle] = node
    return handle
  }

  private func status(_ node: SimulatedFiles.Node) -> FollowedStatus {
    FollowedStatus(
      device: 1, inode: node.inode, sizeBytes: UInt64(node.data.count), modifiedNs: node.modifiedNs,
      birthNs: node.birthNs, links: UInt32(node.names))
  }

  func status(of handle: FileHandle) -> FollowedStatus? {
    guard let node = handles[handle] else { return nil }
    noteSeen(node)
    return status(node)
  }

  private func noteSeen(_ node: SimulatedFiles.Node) { node.seen = (number, node.data.count) }

  func read(_ handle: FileHandle, at offset: UInt64, count: Int, into buffer: inout [UInt8]) -> Int? {
    guard let node = handles[handle] else { return nil }
    let start = min(Int(offset), node.data.count)
    let end = min(start + count, node.data.count)
    if buffer.count < end - start { buffer += [UInt8](repeating: 0, count: end - start - buffer.count) }
    buffer.replaceSubrange(0..<end - start, with: node.data[start..<end])
    return end - start
  }

  func close(_ handle: FileHandle) {
    guard let node = handles.removeValue(forKey: handle), !isOpen(node) else { return }
    files.closed(node)
  }

  func takeChanges() -> FollowedChanges {
    defer { changes = FollowedChanges() }
    return changes
  }
}
