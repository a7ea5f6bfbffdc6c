internal import CLinux
internal import Files

/// A pidfd(2) on a process of anyone: tells of its end when it happens, and since Linux 6.15 how it ended, without privileges and
/// without being its parent.
package final class ProcessHandle {
  /// What the kernel says of the end.
  package enum End: Sendable, Equatable {
    /// It runs, or has ended and waits for its parent: Linux says how it ended once it was reaped.
    case notYet
    /// wait(2) status.
    case status(Int32)
    /// This kernel does not say.
    case unknown
  }

  private enum State {
    case idle
    /// Until it ends.
    case running(EventLoop, Watch)
    /// It has ended; `watch` is there until it is reaped.
    case ended(EventLoop, Watch?, TimerID)
  }

  private let descriptor: Descriptor
  private var state = State.idle

  /// - Returns: nil where there is no such process, no descriptor is free, or the kernel has no pidfd_open(2) (before 5.3).
  package init?(pid: UInt32) {
    guard let number = Int32(exactly: pid), number > 0 else { return nil }
    let raw = sbx_pidfd_open(number)
    guard raw >= 0 else { return nil }
    descriptor = Descriptor(adopting: raw, path: "pidfd of \(pid)")
  }

  deinit { stop() }

  package var end: End {
    var status: Int32 = 0
    // `status` lives for the call.
    return switch unsafe sbx_pidfd_exit(descriptor.raw, &status) {
    case 1: .status(status)
    case 0: .notYet
    default: .unknown
    }
  }

  /// Whether the loop watches it: `watch`'s handler is still to be called.
  package var isWatched: Bool { if case .idle = state { false } else { true } }

  /// Calls `handler` when the process has ended, when it was reaped, and once more `patienceNs` after its end, with true; not again
  /// after it has returned true, or after `stop`.
  package func watch(
    on loop: EventLoop, patienceNs: Int64, _ handler: @escaping (_ isLast: Bool) -> Bool
  ) throws(LoopError) {
    let watch = try loop.watch(descriptor.raw, .read) { [weak self] readiness in
      // A hang-up counts as both: it was reaped.
      self?.changed(isReaped: readiness.contains(.write), patienceNs, handler)
    }
    state = .running(loop, watch)
  }

  package func stop() {
    switch state {
    case .idle: break
    case .running(let loop, let watch): loop.unwatch(watch)
    case .ended(let loop, let watch, let timer):
      if let watch { loop.unwatch(watch) }
      loop.cancel(timer)
    }
    state = .idle
  }

  private func changed(isReaped: Bool, _ patienceNs: Int64, _ handler: @escaping (Bool) -> Bool) {
    switch state {
    case .idle, .ended(_, nil, _): return
    case .running(let loop, let watch):
      let timer = loop.after(patienceNs) { [weak self] in
        self?.stop()
        _ = handler(true)
      }
      state = .ended(loop, watch, timer)
      // A zombie stays readable; a hang-up comes without being asked for.
      loop.change(watch, [])
    case .ended: break
    }
    if isReaped, case .ended(let loop, let watch?, let timer) = state {
      loop.unwatch(watch)
      state = .ended(loop, nil, timer)
    }
    if handler(false) { stop() }
  }
}
