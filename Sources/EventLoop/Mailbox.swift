internal import CLinux
internal import Files
internal import Synchronization

/// Stops a loop from any thread.
package final class LoopHandle: Sendable {
  private let wake: Wake

  init() throws(LoopError) { wake = try Wake() }

  var descriptor: Int32 { wake.descriptor }
  func clear() { wake.clear() }
  package func stop() { wake.signal() }
}

/// An eventfd(2).
struct Wake: ~Copyable, Sendable {
  private let file: Descriptor

  init() throws(LoopError) {
    let raw = sbx_eventfd()
    if raw < 0 { throw .last("create a wake-up") }
    file = Descriptor(adopting: raw, path: "eventfd")
  }

  var descriptor: Int32 { file.raw }
  func signal() { _ = sbx_eventfd_signal(file.raw) }
  func clear() { _ = sbx_eventfd_clear(file.raw) }
}

/// A bounded queue between threads: many senders, one receiver, one wake for all that lies in it.
///
/// A full or closed box refuses, and returns that; it never blocks a sender and never drops silently.
package final class Mailbox<Message: Sendable>: Sendable {
  private struct State {
    var messages: [Message] = []
    var isClosed = false
    var refused: UInt64 = 0
  }

  private let state: Mutex<State>
  private let wake: Wake
  package let limit: Int

  package init(limit: Int) throws(LoopError) {
    self.limit = limit
    wake = try Wake()
    state = Mutex(State())
  }

  /// - Returns: false where the box is full or closed; the message is then the sender's to keep.
  @discardableResult
  package func post(_ message: Message) -> Bool {
    let (accepted, mustWake) = state.withLock { state in
      if state.isClosed || state.messages.count >= limit {
        state.refused += 1
        return (false, false)
      }
      state.messages.append(message)
      return (true, state.messages.count == 1)
    }
    if mustWake { wake.signal() }
    return accepted
  }

  /// All messages, oldest first; empty where there is none.
  package func take() -> [Message] {
    wake.clear()
    return state.withLock { state in
      let all = state.messages
      state.messages = []
      return all
    }
  }

  /// For a thread without a loop: waits until there is a message, the box is closed, or the time is over.
  package func wait(maximumMs: Int32) -> [Message] {
    _ = sbx_poll_read(wake.descriptor, maximumMs)
    return take()
  }

  /// Nothing more goes in; what lies in it can still be taken.
  package func close() {
    state.withLock { $0.isClosed = true }
    wake.signal()
  }

  package var isClosed: Bool { state.withLock { $0.isClosed } }
  package var count: Int { state.withLock { $0.messages.count } }
  /// Messages that found the box full or closed.
  package var refused: UInt64 { state.withLock { $0.refused } }

  var descriptor: Int32 { wake.descriptor }
  /// Readable while there is a message: for a thread that waits for other descriptors as well.
  package var readableDescriptor: Int32 { wake.descriptor }
}

extension EventLoop {
  /// Hands over all messages that lie in the box, once per wake. The box must outlive the watch.
  @discardableResult
  package func receive<Message: Sendable>(
    from mailbox: Mailbox<Message>, _ body: @escaping ([Message]) -> Void
  ) throws(LoopError) -> Watch {
    try watch(mailbox.descriptor, .read) { _ in
      let messages = mailbox.take()
      if !messages.isEmpty { body(messages) }
    }
  }
}
