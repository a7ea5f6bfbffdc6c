/// Files that have no place yet: the ones that changed last, of each owner alike.
///
/// Memory is bounded whatever is found: of more than `limit` files only the newest of each owner's share are kept, the rest is counted.
struct FollowedCandidates {
  /// Owners that are distinguished; files of further ones count as one owner's. A user with a range of subordinate ids (newuidmap(1)) must
  /// not have as many shares.
  static let ownersMax = 64

  private let limit: Int
  private(set) var byOwner: [UInt32: [FoundFile]] = [:]
  private var kept = 0
  /// Also of those that were left out.
  private(set) var total: UInt64 = 0

  init(limit: Int) { self.limit = max(1, limit) }

  var isEmpty: Bool { total == 0 }

  mutating func add(_ file: FoundFile) {
    total += 1
    kept += 1
    var owner = file.status.owner
    if byOwner[owner] == nil, byOwner.count >= Self.ownersMax { owner = .max }
    byOwner[owner, default: []].append(file)
    if kept >= 3 * limit { prune() }
  }

  private mutating func prune() {
    let shares = Self.shares(byOwner.mapValues(\.count), of: limit)
    for (owner, files) in byOwner {
      byOwner[owner] = Array(Self.newestFirst(files).prefix(shares[owner] ?? 0))
    }
    kept = byOwner.values.reduce(0) { $0 + $1.count }
  }

  static func newestFirst(_ files: [FoundFile]) -> [FoundFile] {
    files.sorted { ($0.status.modifiedNs, $1.path) > ($1.status.modifiedNs, $0.path) }
  }

  /// Divides `total` so that no owner gets less because another wants more: those who want little get it, the rest is shared alike.
  static func shares(_ wanted: [UInt32: Int], of total: Int) -> [UInt32: Int] {
    var shares: [UInt32: Int] = [:]
    var left = max(0, total)
    var open = wanted.sorted { ($0.value, $0.key) < ($1.value, $1.key) }[...]
    while let next = open.popFirst() {
      let share = min(next.value, left / (open.count + 1))
      shares[next.key] = share
      left -= share
    }
    return shares
  }
}
