internal import FleetModel

/// Files that need no place among the followed ones: those that were read to their end and are still, with the mark from which they go on
/// when they change, and those that hold no text.
///
/// Why: a place costs a descriptor and a reader; of a hundred thousand files a few thousand are written to. Without the mark a file that
/// comes back would be read again from its start.
struct ParkedFiles {
  struct Entry {
    var node: FollowedFile.Node
    /// nil: no text was found in it, and nothing was sent of it.
    var mark: FileMark?
    var path: String
    var sizeBytes: UInt64
    var modifiedNs: Int64
    /// There was something behind the mark when the place was given away.
    var hasUnread = false
    var birthNs: Int64
    /// It is text, in an encoding that is not read.
    var isWideText = false
    /// The pass that found it last.
    var scan: UInt64
    /// When its content was last looked at.
    var lookedNs: Int64
    /// No listing shows it, though it may not be gone; asked again at this time.
    var hiddenUntilNs: Int64?
  }

  /// The entries lie side by side, and the tables hold their indexes in it: tables of entries, half empty and doubled when they
  /// grow, would take three times the memory.
  private var slots: ContiguousArray<Entry?> = []
  private var freeSlots: [UInt32] = []
  private var byNode: [FollowedFile.Node: UInt32] = [:]
  /// By the path's hash; whether it is that path, the entry knows.
  private var byPath: [Int: UInt32] = [:]
  private(set) var markCount = 0
  private(set) var hiddenCount = 0
  private(set) var wideTextCount = 0

  var count: Int { byNode.count }
  var binaryCount: Int { count - markCount }
  /// Files in UTF-16 or UTF-32.
  var wideText: ListingFigures.Finding {
    var finding = ListingFigures.Finding()
    guard wideTextCount > 0 else { return finding }
    for case let entry? in slots where entry.isWideText { finding.add(entry.path) }
    return finding
  }
  /// Of the files whose marks are kept here.
  var keys: Set<FileKey> { Set(slots.lazy.compactMap { $0?.mark?.file.key }) }

  /// The marks of files that are wanted.
  func marks(where isWanted: (Entry) -> Bool) -> [FileMark] {
    slots.compactMap { entry in entry.flatMap { $0.mark != nil && isWanted($0) ? $0.mark : nil } }
  }

  subscript(node: FollowedFile.Node) -> Entry? { byNode[node].flatMap { slots[Int($0)] } }

  func entry(at path: String) -> Entry? {
    guard let slot = byPath[Self.hash(path)], let entry = slots[Int(slot)], entry.path.hasBytes(of: path) else {
      return nil
    }
    return entry
  }

  /// Of the bytes: canonically equivalent paths are different files.
  private static func hash(_ path: String) -> Int {
    var hasher = Hasher()
    for byte in path.utf8 { hasher.combine(byte) }
    return hasher.finalize()
  }

  mutating func insert(_ entry: Entry) {
    remove(entry.node)
    if entry.mark != nil { markCount += 1 }
    if entry.hiddenUntilNs != nil { hiddenCount += 1 }
    if entry.isWideText { wideTextCount += 1 }
    let slot: UInt32
    if let free = freeSlots.popLast() {
      slot = free
      slots[Int(slot)] = entry
    } else {
      slot = UInt32(slots.count)
      slots.append(entry)
    }
    byNode[entry.node] = slot
    byPath[Self.hash(entry.path)] = slot
  }

  @discardableResult
  mutating func remove(_ node: FollowedFile.Node) -> Entry? {
    guard let slot = byNode.removeValue(forKey: node), let entry = slots[Int(slot)] else { return nil }
    if entry.mark != nil { markCount -= 1 }
    if entry.hiddenUntilNs != nil { hiddenCount -= 1 }
    if entry.isWideText { wideTextCount -= 1 }
    if byPath[Self.hash(entry.path)] == slot { byPath[Self.hash(entry.path)] = nil }
    slots[Int(slot)] = nil
    freeSlots.append(slot)
    return entry
  }

  /// A pass has found the file, perhaps under another name.
  mutating func note(_ node: FollowedFile.Node, path: String, scan: UInt64) {
    guard let slot = byNode[node], let before = slots[Int(slot)]?.path else { return }
    if !before.hasBytes(of: path) {
      if byPath[Self.hash(before)] == slot { byPath[Self.hash(before)] = nil }
      slots[Int(slot)]?.path = path
      byPath[Self.hash(path)] = slot
    }
    slots[Int(slot)]?.scan = scan
    guard slots[Int(slot)]?.hiddenUntilNs != nil else { return }
    slots[Int(slot)]?.hiddenUntilNs = nil
    hiddenCount -= 1
  }

  /// Whether the file must be looked at again.
  static func hasChanged(_ entry: Entry, _ status: FollowedStatus, nowNs: Int64, recheckNs: Int64) -> Bool {
    if entry.hasUnread { return true }
    if status.sizeBytes == entry.sizeBytes, status.modifiedNs == entry.modifiedNs { return false }
    // What grows stays what it is; truncated it may become text.
    return entry.mark != nil || status.sizeBytes < entry.sizeBytes || nowNs - entry.lookedNs >= recheckNs
  }

  /// Those whose marks are known go on from there, the others from their start.
  mutating func resume(_ known: (FileKey) -> FileMark?) {
    for index in slots.indices {
      guard let entry = slots[index], let mark = entry.mark else { continue }
      guard let current = known(mark.file.key) else {
        remove(entry.node)
        continue
      }
      slots[index]?.mark?.offset = current.offset
      slots[index]?.mark?.tailHash = current.tailHash
      // What the collector has not, as after a restored backup, is read again.
      if current.offset != mark.offset { slots[index]?.hasUnread = true }
    }
  }

  /// Takes out what the last two passes did not find: one alone may have missed a file that was renamed meanwhile.
  mutating func takeGone(before scan: UInt64) -> [Entry] {
    let gone = slots.lazy.compactMap { $0 }.filter { $0.hiddenUntilNs == nil && $0.scan + 1 < scan }
    return gone.map { $0.node }.compactMap { remove($0) }
  }

  /// The wall clock was set.
  mutating func clockStepped(by stepNs: Int64) {
    for index in slots.indices {
      slots[index]?.lookedNs &+= stepNs
      if let untilNs = slots[index]?.hiddenUntilNs { slots[index]?.hiddenUntilNs = untilNs &+ stepNs }
    }
  }

  /// Takes out what was hidden until now.
  mutating func takeHidden(dueNs: Int64) -> [Entry] {
    let due = slots.lazy.compactMap { $0 }.filter { $0.hiddenUntilNs.map { $0 <= dueNs } ?? false }
    return due.map { $0.node }.compactMap { remove($0) }
  }
}
