internal import HTTPTypes
internal import Files
internal import Synchronization

/// An answer that many may share for a moment: one question at a time, whoever asks meanwhile gets its answer too, and the last one stays for when
/// the database is away.
actor Kept<Value: Sendable> {
  struct Reading: Sendable {
    let value: Value
    /// CLOCK_REALTIME, ns since 1970, when the question was asked: it says nothing of what came after.
    let asOfNs: Int64
  }

  private let ask: @Sendable () async throws -> Value
  private var last: (reading: Reading, askedNs: Int64)?
  private var running: Task<Reading, any Error>?

  init(_ ask: @escaping @Sendable () async throws -> Value) { self.ask = ask }

  /// - Parameter maxAgeNs: an answer to a question that was asked longer ago is not given. From half of it on, the next one is asked for while
  ///   the present one is still given, so that who asks often never waits.
  /// - Throws: what the question throws.
  func read(maxAgeNs: Int64) async throws -> Reading {
    if let last {
      let ageNs = Clock.monotonicNs() - last.askedNs
      if ageNs > maxAgeNs / 2, running == nil { begin() }
      if ageNs <= maxAgeNs { return last.reading }
    }
    return try await (running ?? begin()).value
  }

  /// The last answer, however old; nil before the first.
  var latest: Reading? { last?.reading }

  @discardableResult private func begin() -> Task<Reading, any Error> {
    let (askedNs, asOfNs) = (Clock.monotonicNs(), Clock.wallNs())
    // Not a child of whoever asks first: others wait for the same answer.
    let task = Task {
      do {
        let reading = Reading(value: try await ask(), asOfNs: asOfNs)
        finish(reading, askedNs)
        return reading
      } catch {
        finish(nil, askedNs)
        throw error
      }
    }
    running = task
    return task
  }

  private func finish(_ reading: Reading?, _ askedNs: Int64) {
    if let reading { last = (reading, askedNs) }
    running = nil
  }
}

/// Waits for an answer, and no longer than that: a question to a database that hangs cannot be taken back.
enum Deadline {
  /// - Throws: what `work` throws; `Problem.databaseAway` after `limit`, while `work` goes on.
  static func wait<Value: Sendable>(
    _ limit: Duration, for work: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let (outcomes, outcome) = AsyncStream.makeStream(of: Result<Value, any Error>.self)
    Task {
      do { outcome.yield(.success(try await work())) } catch { outcome.yield(.failure(error)) }
    }
    let timer = Task {
      try? await Task.sleep(for: limit)
      outcome.yield(.failure(Problem.databaseAway))
    }
    defer { timer.cancel() }
    guard let first = await outcomes.first(where: { _ in true }) else { throw CancellationError() }
    return try first.get()
  }
}
