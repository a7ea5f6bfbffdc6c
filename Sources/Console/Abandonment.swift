internal import Postgres
internal import Synchronization

/// Ends the statement that runs for a client once the client has gone.
final class Abandonment: Sendable {
  private struct State {
    var hasGone = false
    /// While a statement runs.
    var canceller: QueryCanceller?
  }

  private let state = Mutex(State())

  /// - Returns: false where no one waits for the answer any more.
  func begins(_ canceller: QueryCanceller) -> Bool {
    state.withLock { state in
      if !state.hasGone { state.canceller = canceller }
      return !state.hasGone
    }
  }

  /// Waits for a request that is under way: a later one would end another client's statement on the same connection.
  func ends() { state.withLock { $0.canceller = nil } }

  /// Blocks until the server has taken the request.
  func cancel() {
    state.withLock { state in
      state.hasGone = true
      state.canceller?.cancel()
      state.canceller = nil
    }
  }
}
