internal import Files
internal import Glibc

/// poll(2) on one descriptor.
enum Poll {
  enum Outcome {
    case ready(readable: Bool)
    case timedOut
    case failed(String)
  }

  /// - Parameter timeoutMs: 0 = as long as it takes.
  static func wait(_ descriptor: Int32, reading: Bool, writing: Bool, timeoutMs: Int) -> Outcome {
    guard descriptor >= 0 else { return .failed("the connection is closed") }
    let deadline = Clock.monotonicNs() + Int64(timeoutMs) * 1_000_000
    var entry = pollfd(fd: descriptor, events: 0, revents: 0)
    if reading { entry.events |= Int16(POLLIN) }
    if writing { entry.events |= Int16(POLLOUT) }
    while true {
      let left = timeoutMs > 0 ? max(0, (deadline - Clock.monotonicNs() + 999_999) / 1_000_000) : -1
      // One entry, which lives for the call.
      let count = unsafe poll(&entry, 1, Int32(clamping: left))
      if count > 0 { return .ready(readable: entry.revents & ~Int16(POLLOUT) != 0) }
      if count == 0 { return .timedOut }
      if errno != EINTR { return .failed("poll: \(SystemMessage.of(errno))") }
    }
  }
}
