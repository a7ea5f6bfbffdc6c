internal import EventLoop
internal import Files
internal import Postgres
internal import Synchronization

/// Ctrl-C while a question is asked: the statement ends on the server, then the program with `code`, as a shell reports a program that
/// the signal has ended. A console notices by itself that its client has gone.
enum Interrupts {
  /// 128 + SIGINT.
  static let code: Int32 = 130
  /// For requests that a server does not take.
  private static let patienceNs: Int64 = 2_000_000_000

  private struct State {
    var isArmed = false
    var isInterrupted = false
    /// Of the questions that this process has asked; those that have ended are left alone.
    var cancellers: [QueryCanceller] = []
  }

  private static let state = Mutex(State())

  static var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

  /// - Parameter canceller: of a connection that will be asked something; nil where there is nothing to cancel.
  static func arm(_ canceller: QueryCanceller? = nil) {
    let isFirst = state.withLock { state in
      state.cancellers += [canceller].compactMap(\.self)
      defer { state.isArmed = true }
      return !state.isArmed
    }
    guard isFirst else { return }
    do throws(LoopError) {
      // Blocks the signal for this thread and those that it starts; the waiting thread reads it.
      _ = try SignalSource([.interrupt])
      _ = try LoopThread("interrupts") { try? wait() }
    } catch {
      // Without a thread or a descriptor more, the question itself is going to fail.
    }
  }

  private static func wait() throws(LoopError) {
    let loop = try EventLoop()
    try SignalSource([.interrupt]).attach(to: loop) { _ in
      let (isAgain, cancellers) = state.withLock { state in
        defer { state.isInterrupted = true }
        return (state.isInterrupted, state.cancellers)
      }
      if isAgain { Process.exit(code) }
      _ = loop.after(patienceNs) { Process.exit(code) }
      let thread = try? LoopThread("cancel") {
        for canceller in cancellers { canceller.cancel() }
        Process.exit(code)
      }
      if thread == nil { Process.exit(code) }
    }
    try loop.run()
  }
}
