internal import Files

/// How often the kernel killed in each control group for lack of memory: `oom_kill` of cgroup v2's memory.events, of version 1's
/// memory.oom_control. Source: Documentation/admin-guide/cgroup-v2.rst.
///
/// Read while its processes live: at their end the group may be gone.
struct ControlGroupKills {
  private let root: String
  private var groups: [String: Group] = [:]

  private struct Group {
    let file: KernelFile
    var count: UInt64
    /// Before the last rise, and when that was seen.
    var before: UInt64
    var roseNs: Int64?
    var round: Int
  }

  /// A large process may take long to end after it was killed.
  static let recentNs: Int64 = 30_000_000_000

  private static let word = Array("oom_kill ".utf8)

  init(root: String) { self.root = root }

  /// One read a group and round.
  mutating func read(_ path: String, round: Int, wallNs: Int64, _ buffer: ReadBuffer) {
    if let index = groups.index(forKey: path) {
      guard groups.values[index].round != round else { return }
      groups.values[index].round = round
      note(index, wallNs, buffer)
    } else {
      groups[path] = open(path, round, buffer)
    }
  }

  /// Groups without a process that is followed.
  mutating func forget(before round: Int) {
    if groups.contains(where: { $0.value.round < round }) { groups = groups.filter { $0.value.round >= round } }
  }

  /// - Returns: kills of the last 30 s, by the newest count that there is; nil where none can be read.
  mutating func newest(_ path: String, wallNs: Int64, _ buffer: ReadBuffer) -> Int32? {
    guard let index = groups.index(forKey: path) else { return nil }
    note(index, wallNs, buffer)
    let group = groups.values[index]
    guard let roseNs = group.roseNs, wallNs - roseNs <= Self.recentNs else { return 0 }
    return Int32(clamping: group.count - group.before)
  }

  private mutating func note(_ index: Dictionary<String, Group>.Index, _ wallNs: Int64, _ buffer: ReadBuffer) {
    guard let count = Self.count(groups.values[index].file, buffer) else { return }
    let group = groups.values[index]
    guard count > group.count else { return }
    // Rises within the time are one.
    let isRecent = group.roseNs.map { wallNs - $0 <= Self.recentNs } ?? false
    if !isRecent { groups.values[index].before = group.count }
    groups.values[index].roseNs = wallNs
    groups.values[index].count = count
  }

  private func open(_ path: String, _ round: Int, _ buffer: ReadBuffer) -> Group? {
    // Seen from within a namespace of its own, a group outside of it begins with "/..".
    guard path.hasPrefix("/"), !path.hasPrefix("/..") else { return nil }
    for name in ["/sys/fs/cgroup\(path)/memory.events", "/sys/fs/cgroup/memory\(path)/memory.oom_control"] {
      let file = KernelFile(root + name)
      if let count = Self.count(file, buffer) {
        return Group(file: file, count: count, before: count, roseNs: nil, round: round)
      }
    }
    return nil
  }

  private static func count(_ file: KernelFile, _ buffer: ReadBuffer) -> UInt64? {
    guard file.read(into: buffer) else { return nil }
    return buffer.parse { text in
      var cursor = ProcCursor()
      repeat {
        if cursor.skip(word, text) { return cursor.number(text) }
      } while cursor.nextLine(text)
      return nil
    }
  }
}
