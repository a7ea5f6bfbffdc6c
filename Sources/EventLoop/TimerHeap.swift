/// Names one timer; unique in its loop for ever.
package struct TimerID: Sendable, Hashable {
  let number: UInt64
}

/// Timers ordered by due time, then by age. Cancelled ones leave the heap when they come up, or when they are half of it.
struct TimerHeap {
  private struct Entry {
    let dueNs: Int64
    let number: UInt64
    func isBefore(_ other: Entry) -> Bool { (dueNs, number) < (other.dueNs, other.number) }
  }

  private var heap: [Entry] = []
  private var actions: [UInt64: () -> Void] = [:]
  private var lastNumber: UInt64 = 0

  var count: Int { actions.count }

  var nextDueNs: Int64? {
    mutating get {
      dropCancelled()
      return heap.first?.dueNs
    }
  }

  mutating func insert(dueNs: Int64, _ action: @escaping () -> Void) -> TimerID {
    lastNumber += 1
    actions[lastNumber] = action
    heap.append(Entry(dueNs: dueNs, number: lastNumber))
    siftUp(heap.count - 1)
    return TimerID(number: lastNumber)
  }

  mutating func cancel(_ timer: TimerID) {
    actions[timer.number] = nil
    if heap.count > 64, heap.count > 2 * actions.count { rebuild() }
  }

  /// The action of the first timer due at `nowNs`, taken out.
  mutating func popDue(_ nowNs: Int64) -> (() -> Void)? {
    guard let due = nextDueNs, due <= nowNs, let first = heap.first else { return nil }
    removeFirst()
    return actions.removeValue(forKey: first.number)
  }

  private mutating func dropCancelled() {
    while let first = heap.first, actions[first.number] == nil { removeFirst() }
  }

  private mutating func rebuild() {
    heap = heap.filter { actions[$0.number] != nil }.sorted { $0.isBefore($1) }
  }

  private mutating func removeFirst() {
    guard let last = heap.popLast() else { return }
    if heap.isEmpty { return }
    heap[0] = last
    siftDown(0)
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].isBefore(heap[parent]) else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
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
