internal import CLibPQ

/// Stops what a connection is doing, from any thread: libpq opens a connection of its own for it.
@safe package final class QueryCanceller: @unchecked Sendable {
  private let handle: OpaquePointer?

  fileprivate init(_ handle: OpaquePointer?) { unsafe self.handle = handle }

  deinit { unsafe PQfreeCancel(handle) }

  /// Blocks until the server has taken the request; the statement then ends with SQLSTATE 57014. What has ended already is left alone.
  package func cancel() {
    // The text of an error would say that the server does not answer, which the connection itself will say.
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
      _ = unsafe PQcancel(handle, text.baseAddress, 256)
    }
  }
}

extension Connection {
  /// Outlives the connection without harm.
  package var canceller: QueryCanceller { unsafe QueryCanceller(PQgetCancel(handle)) }
}
