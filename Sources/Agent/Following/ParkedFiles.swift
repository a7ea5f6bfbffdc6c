internal import FleetModel

/// Files that need no place among the followed ones: those that were read to their end and are still, with the mark from which they go on
/// when they change, and those that hold no text.
///
/// Why: a place costs a descriptor and a reader; of a hundred thousand files a few thousand are written to. Without the mark a file that
/// comes back would be read again from its start.
struct ParkedFiles {
  struct Entry {
    /// nil: no text was found in it, and nothing was told.
    var mark: FileMark?
    var path: String
    var sizeBytes: UInt64
    var modifiedNs: Int64
    /// There was something behind the mark when the place was given away.
    var hasUnread = false
    var birthNs: Int64
    /// The pass that found it last.
    var scan: UInt64
    /// When its content was last looked at.
    var lookedNs: Int64
  }

  private(set) var entries: [FollowedFile.Node: Entry] = [:]
  private var byPath = NameTable<FollowedFile.Node>()
  private(set) var markCount = 0
  var binaryCount: Int { entries.count - markCount }

  var count: Int { entries.count }

  subscript(node: FollowedFile.Node) -> Entry? { entries[node] }

  func entry(at path: String) -> (node: FollowedFile.Node, entry: Entry)? {
    guard let node = byPath[path], let entry = entries[node], entry.path.hasBytes(of: path) else { return nil }
    return (node, entry)
  }

  mutating func insert(_ entry: Entry, at node: FollowedFile.Node) {
    remove(node)
    if entry.mark != nil { markCount += 1 }
    entries[node] = entry
    byPath[entry.path] = node
  }

  @discardableResult
  mutating func remove(_ node: FollowedFile.Node) -> Entry? {
    guard let entry = entries.removeValue(forKey: node) else { return nil }
    if entry.mark != nil { markCount -= 1 }
    if byPath[entry.path] == node { byPath[entry.path] = nil }
    return entry
  }

  /// A pass has found the file, perhaps under another name.
  mutating func note(_ node: FollowedFile.Node, path: String, scan: UInt64) {
    guard var entry = entries[node] else { return }
    if !entry.path.hasBytes(of: path) {
      if byPath[entry.path] == node { byPath[entry.path] = nil }
      entry.path = path
      byPath[path] = node
    }
    entry.scan = scan
    entries[node] = entry
  }

  /// Whether the file must be looked at again.
  static func hasChanged(_ entry: Entry, _ status: FollowedStatus, nowNs: Int64, recheckNs: Int64) -> Bool {
    if entry.hasUnread { return true }
    if status.sizeBytes == entry.sizeBytes, status.modifiedNs == entry.modifiedNs { return false }
    // What grows stays what it is; truncated it may become text.
    return entry.mark != nil || status.sizeBytes < entry.sizeBytes || nowNs - entry.lookedNs >= recheckNs
  }

  /// Those that `marks` know go on from there, the others from their start.
  mutating func resume(_ known: [FileKey: FileMark]) {
    for (node, entry) in entries {
      guard let mark = entry.mark else { continue }
      guard let current = known[mark.file.key] else {
        remove(node)
        continue
      }
      var entry = entry
      entry.mark?.offset = current.offset
      entry.mark?.tailHash = current.tailHash
      // What the collector has not, as after a restored backup, is read again.
      if current.offset != mark.offset { entry.hasUnread = true }
      entries[node] = entry
    }
  }

  /// Takes out what the last two passes did not find: one alone may have missed a file that was renamed meanwhile.
  mutating func takeGone(before scan: UInt64) -> [Entry] {
    let gone = entries.filter { $0.value.scan + 1 < scan }
    for node in gone.keys { remove(node) }
    return Array(gone.values)
  }
}
