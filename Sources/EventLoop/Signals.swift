internal import CLinux
internal import Files
internal import Glibc

/// Signals that a program handles in its loop instead of in a handler.
package enum Signal: Int32, Sendable, CaseIterable {
  case hangup = 1
  case interrupt = 2
  case terminate = 15
}

/// signalfd(2). Make it before the first thread starts: threads inherit that the signals are blocked.
package final class SignalSource {
  private let file: Descriptor

  package init(_ signals: [Signal]) throws(LoopError) {
    let numbers = signals.map(\.rawValue)
    // The array lives for the call.
    let raw = unsafe sbx_signalfd(numbers, Int32(numbers.count))
    if raw < 0 { throw .last("receive signals") }
    file = Descriptor(adopting: raw, path: "signalfd")
  }

  /// Calls `handler` for each signal, on the loop.
  package func attach(to loop: EventLoop, _ handler: @escaping (Signal) -> Void) throws(LoopError) {
    try loop.watch(file.raw, .read) { [self] _ in
      while case let number = sbx_signalfd_next(file.raw), number != 0 {
        if let signal = Signal(rawValue: number) { handler(signal) }
      }
    }
  }
}
