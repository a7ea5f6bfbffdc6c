/// Work of many streams for one thread, in fair turns: each stream has a budget a round, and one that sends more than that waits for
/// itself, not the others for it.
///
/// Source: Shreedhar, Varghese, "Efficient fair queuing using deficit round robin" (1995).
struct HostTurns<Key: Hashable, Work> {
  private struct Line {
    var work: [(work: Work, cost: Int)] = []
    /// First one that has not been taken.
    var first = 0
    var budget = 0
  }

  private let quantum: Int
  private var lines: [Key: Line] = [:]
  /// What streams without work have had beyond their budgets, as long as others wait.
  private var debts: [Key: Int] = [:]
  /// Streams that have work, whose turn is next first.
  private var ring: [Key] = []
  private var next = 0
  private(set) var count = 0

  /// - Parameter quantum: cost that a stream may have a round.
  init(quantum: Int) { self.quantum = quantum }

  var isEmpty: Bool { count == 0 }
  func has(_ key: Key) -> Bool { lines[key] != nil }

  mutating func add(_ work: Work, cost: Int, of key: Key) {
    count += 1
    if lines[key] == nil {
      ring.append(key)
      lines[key] = Line(budget: debts.removeValue(forKey: key) ?? 0)
    }
    lines[key, default: Line()].work.append((work, max(cost, 0)))
  }

  /// The next piece of work in turn, with its cost; each stream's in the order in which it came.
  mutating func take() -> (work: Work, cost: Int)? {
    while next < ring.count {
      let key = ring[next]
      guard var line = lines[key] else {
        next += 1
        continue
      }
      if line.budget <= 0 { line.budget += quantum }
      let piece = line.work[line.first]
      // A piece is not cut: what it costs beyond the budget is made good by rounds without a turn.
      guard line.budget > 0 else {
        lines[key] = line
        rotate(key)
        continue
      }
      line.budget -= piece.cost
      line.first += 1
      count -= 1
      if line.first == line.work.count {
        lines[key] = nil
        if line.budget < 0 { debts[key] = line.budget }
        if count == 0 { debts = [:] }
        next += 1
        compact()
      } else {
        lines[key] = line
        if line.budget <= 0 { rotate(key) }
      }
      return piece
    }
    compact()
    return nil
  }

  /// Takes away what a stream has waiting.
  mutating func drop(_ key: Key) -> [Work] {
    guard let line = lines.removeValue(forKey: key) else { return [] }
    let dropped = line.work[line.first...].map(\.work)
    count -= dropped.count
    ring = ring[next...].filter { $0 != key }
    next = 0
    return dropped
  }

  private mutating func rotate(_ key: Key) {
    ring.append(key)
    next += 1
    compact()
  }

  private mutating func compact() {
    if next < 64 || next * 2 < ring.count { return }
    ring.removeFirst(next)
    next = 0
  }
}
