/// Simulated time: what is to happen, in order of time and then of asking.
final class Scheduler {
  private struct Event {
    let atNs: Int64
    let order: UInt64
    let action: () -> Void

    func isBefore(_ other: Event) -> Bool { (atNs, order) < (other.atNs, other.order) }
  }

  /// Monotonic, ns since the run began.
  private(set) var nowNs: Int64 = 0
  private(set) var steps = 0
  private var heap: [Event] = []
  private var nextOrder: UInt64 = 0

  func at(_ timeNs: Int64, _ action: @escaping () -> Void) {
    heap.append(Event(atNs: max(timeNs, nowNs), order: nextOrder, action: action))
    nextOrder += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].isBefore(heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  func after(_ delayNs: Int64, _ action: @escaping () -> Void) { at(nowNs + delayNs, action) }

  /// Lets everything happen that is due until `untilNs`.
  func run(untilNs: Int64) {
    while let event = heap.first, event.atNs <= untilNs {
      removeFirst()
      nowNs = event.atNs
      steps += 1
      event.action()
    }
    nowNs = max(nowNs, untilNs)
  }

  /// Forgets what was to come: closures keep what they refer to alive.
  func clear() { heap = [] }

  private func removeFirst() {
    let last = heap.removeLast()
    guard !heap.isEmpty else { return }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].isBefore(heap[least]) {
        least = child
      }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}

extension Int64 {
  static let millisecond: Int64 = 1_000_000
  static let second: Int64 = 1_000_000_000
}
