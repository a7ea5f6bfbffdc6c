internal import Answers
internal import EventLoop
internal import Files
internal import FleetModel
internal import HTTPTypes
internal import Postgres
internal import Store

/// One statement of a person while it runs: its rows come in pieces, and it ends at once where its client has gone.
final class QueryRun: Sendable {
  /// Rows that have arrived together. The first piece comes even where there are no rows, with the columns' names.
  struct Piece: Sendable {
    let table: ReadTable
    /// More rows than were asked for: the rest was left with the server.
    let isCut: Bool
  }

  private let pieces: AsyncThrowingStream<Piece, any Error>
  private let feed: AsyncThrowingStream<Piece, any Error>.Continuation
  private let abandonment: Abandonment
  /// One message for each piece that the client may still get: a client that reads slowly holds up the server, not the console's memory.
  private let credits: Mailbox<Void>

  /// Pieces that lie ready.
  private static let aheadMax = 4

  /// - Parameter cancelling: a thread for requests that a statement end.
  init(cancelling: Worker<Void>) throws(LoopError) {
    (pieces, feed) = AsyncThrowingStream.makeStream(of: Piece.self, throwing: (any Error).self)
    credits = try Mailbox(limit: Self.aheadMax + 1)
    abandonment = Abandonment(cancelling)
    for _ in 0..<Self.aheadMax { credits.post(()) }
  }

  // MARK: The client's side

  /// For one task at a time.
  /// - Returns: nil at the end. - Throws: `Problem`.
  func next() async throws -> Piece? {
    var iterator = pieces.makeAsyncIterator()
    let piece = try await iterator.next()
    credits.post(())
    return piece
  }

  /// Ends the statement on the server; nothing where it has ended.
  func cancel() {
    abandonment.cancel()
    credits.close()
    feed.finish(throwing: Problem(.serviceUnavailable, "the question was given up"))
  }

  // MARK: The database's side

  var isCancelled: Bool { abandonment.hasGone }

  /// - Returns: false where the client has gone already.
  func begins(_ canceller: QueryCanceller) -> Bool { abandonment.begins(canceller) }

  /// - Returns: false where the client has gone, or did not take what it was given in time.
  func send(_ piece: Piece, untilNs: Int64) -> Bool {
    let leftMs = (untilNs - Clock.wallNs()) / 1_000_000
    guard leftMs > 0, takeCredit(leftMs) else { return false }
    feed.yield(piece)
    return !isCancelled
  }

  private func takeCredit(_ leftMs: Int64) -> Bool {
    let taken = credits.wait(maximumMs: Int32(clamping: leftMs)).count
    // All that lay there were taken: the others go back.
    for _ in 0..<max(0, taken - 1) { credits.post(()) }
    return taken > 0
  }

  func finish(_ problem: Problem? = nil) {
    abandonment.ends()
    if let problem { feed.finish(throwing: problem) } else { feed.finish() }
  }
}
