internal import CLinux
internal import Files

/// What a descriptor is ready for. Errors and hang-ups count as both: the next call on it shows which.
package struct Readiness: OptionSet, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package static let read = Readiness(rawValue: 1)
  package static let write = Readiness(rawValue: 4)
}

/// Names one watched descriptor. A stale one is recognised by its generation and does nothing.
package struct Watch: Sendable, Hashable {
  let slot: Int
  let generation: UInt32
}

/// Something that wants to act once when a wake's events are all handled, such as writing what they queued.
package protocol WakeEndObserver: AnyObject {
  func wakeEnded()
}

/// One epoll set on one thread, level-triggered.
///
/// Not Sendable: it and all it holds stay on the thread that made it; others reach it through `Mailbox` and `LoopHandle`.
/// Descriptors are found by slot and generation, so an event that is still queued for a closed one is dropped.
package final class EventLoop {
  private struct Slot {
    var generation: UInt32 = 0
    var fd: Int32 = -1
    var handler: ((Readiness) -> Void)?
  }

  private let epoll: Descriptor
  private var slots: [Slot] = []
  private var free: [Int] = []
  private var timers = TimerHeap()
  private var wakeEnd: [any WakeEndObserver] = []
  private var stopping = false
  private var tokens = [UInt64](repeating: 0, count: Limits.eventsPerWake)
  private var events = [UInt32](repeating: 0, count: Limits.eventsPerWake)
  /// CLOCK_MONOTONIC in ns, read once per wake.
  package private(set) var nowNs: Int64
  /// Stops the loop from another thread.
  package let handle: LoopHandle

  package init() throws(LoopError) {
    // SSL_write has no MSG_NOSIGNAL: a peer that is gone must be an error code, not the end of the process.
    sbx_ignore_sigpipe()
    let raw = sbx_epoll_create()
    if raw < 0 { throw .last("create an event loop") }
    epoll = Descriptor(adopting: raw, path: "epoll")
    nowNs = Clock.monotonicNs()
    handle = try LoopHandle()
    let handle = handle
    try watch(handle.descriptor, .read) { [unowned self] _ in
      handle.clear()
      stopping = true
    }
  }

  // MARK: Descriptors

  /// Calls `handler` whenever `fd` is ready. The caller owns `fd`, keeps it open, and calls `unwatch` before it closes it.
  @discardableResult
  package func watch(
    _ fd: Int32, _ interest: Readiness, _ handler: @escaping (Readiness) -> Void
  ) throws(LoopError) -> Watch {
    let index = free.popLast() ?? slots.count
    if index == slots.count { slots.append(Slot()) }
    slots[index].fd = fd
    slots[index].handler = handler
    let watch = Watch(slot: index, generation: slots[index].generation)
    if sbx_epoll_control(epoll.raw, 1, fd, interest.rawValue, token(watch)) != 0 {
      let failure = LoopError.last("watch descriptor \(fd)")
      release(index)
      throw failure
    }
    return watch
  }

  package func change(_ watch: Watch, _ interest: Readiness) {
    guard isCurrent(watch) else { return }
    _ = sbx_epoll_control(epoll.raw, 3, slots[watch.slot].fd, interest.rawValue, token(watch))
  }

  package func unwatch(_ watch: Watch) {
    guard isCurrent(watch) else { return }
    _ = sbx_epoll_control(epoll.raw, 2, slots[watch.slot].fd, 0, 0)
    release(watch.slot)
  }

  private func release(_ index: Int) {
    slots[index].handler = nil
    slots[index].fd = -1
    slots[index].generation &+= 1
    free.append(index)
  }

  private func isCurrent(_ watch: Watch) -> Bool {
    watch.slot < slots.count && slots[watch.slot].generation == watch.generation && slots[watch.slot].handler != nil
  }

  private func token(_ watch: Watch) -> UInt64 { UInt64(watch.generation) << 32 | UInt64(UInt32(watch.slot)) }

  // MARK: Time

  /// Calls `action` once, `delayNs` from now (CLOCK_MONOTONIC; at once when negative, but never from inside this call).
  @discardableResult
  package func after(_ delayNs: Int64, _ action: @escaping () -> Void) -> TimerID {
    let start = Clock.monotonicNs()
    let (due, overflow) = start.addingReportingOverflow(max(0, delayNs))
    return timers.insert(dueNs: overflow ? .max : due, action)
  }

  /// A timer that has fired or was cancelled is ignored.
  package func cancel(_ timer: TimerID) { timers.cancel(timer) }

  // MARK: Running

  /// Calls the observer once, after all events, timers and mailboxes of this wake. Call at most once per wake and observer.
  package func atWakeEnd(_ observer: any WakeEndObserver) { wakeEnd.append(observer) }

  /// Runs until `stop`.
  package func run() throws(LoopError) {
    stopping = false
    while !stopping { try turn(maximumWaitNs: .max) }
  }

  /// Ends `run` after the current wake.
  package func stop() { stopping = true }

  /// One wake: waits at most `maximumWaitNs`, then handles what is due. For tests and for programs with a loop of their own.
  package func turn(maximumWaitNs: Int64) throws(LoopError) {
    runWakeEnd()
    let wait = waitMs(maximumWaitNs)
    // Both arrays hold eventsPerWake elements and live for the call.
    let count = unsafe sbx_epoll_wait(epoll.raw, &tokens, &events, Int32(Limits.eventsPerWake), wait)
    if count < 0 { throw .last("wait for events") }
    nowNs = Clock.monotonicNs()
    for index in 0..<Int(count) { deliver(tokens[index], events[index]) }
    while let action = timers.popDue(nowNs) { action() }
    runWakeEnd()
  }

  private func deliver(_ token: UInt64, _ raw: UInt32) {
    let slot = Int(UInt32(truncatingIfNeeded: token))
    guard slot < slots.count, slots[slot].generation == UInt32(token >> 32), let handler = slots[slot].handler else {
      return
    }
    // EPOLLERR 8, EPOLLHUP 0x10.
    handler(raw & 0x18 != 0 ? [.read, .write] : Readiness(rawValue: raw & 5))
  }

  private func runWakeEnd() {
    while !wakeEnd.isEmpty {
      let observers = wakeEnd
      wakeEnd.removeAll(keepingCapacity: true)
      for observer in observers { observer.wakeEnded() }
    }
  }

  private func waitMs(_ maximumNs: Int64) -> Int32 {
    if stopping { return 0 }
    var wait = maximumNs
    if let due = timers.nextDueNs { wait = min(wait, max(0, due - Clock.monotonicNs())) }
    // Rounded up: a wake a little early would only spin.
    return wait == .max ? -1 : Int32(clamping: (min(wait, .max - 999_999) + 999_999) / 1_000_000)
  }
}

enum Limits {
  /// epoll hands over no more in one wake; the rest comes with the next.
  static let eventsPerWake = 256
}
