/// Schedules the work of many streams on one thread fairly: each stream has a budget a round, and one that sends more
/// delays itself, not the others.
///
/// Source: Shreedhar, Varghese, "Efficient fair queuing using deficit round robin" (1995).
struct HostTurns<Key: Hashable, Work> {
  private struct Line {
    var work: [(work: Work, cost: Int)] = []
    /// Index of the first piece that has not been taken.
    var first = 0
    var budget = 0
  }

  private let quantum: Int
  private var lines: [Key: Line] = [:]
  /// Costs beyond their budgets of streams without work, kept as long as others wait.
  private var debts: [Key: Int] = [:]
  /// Streams that have work, the next one first.
  private var ring: [Key] = []
  private var next = 0
  private(set) var count = 0

  /// - Parameter quantum: budget of a stream a round.
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

  /// The next piece of work, with its cost. Within a stream the order of arrival is kept.
  mutating func take() -> (work: Work, cost: Int)? {
    while next < ring.count {
      let key = ring[next]
      guard var line = lines[key] else {
        next += 1
        continue
      }
      if line.budget <= 0 { line.budget += quantum }
      let piece = line.work[line.first]
      // A piece is not divided: cost beyond the budget makes the stream skip rounds.
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

  /// Removes a stream's waiting work. - Returns: that work.
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
