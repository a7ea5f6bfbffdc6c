internal import Answers
internal import EventLoop
internal import Postgres
internal import Store
internal import Synchronization

/// Threads that ask the database, each with a connection of its own. libpq blocks, and the server's own threads must not.
final class DatabasePool: Sendable {
  /// What one thread holds: a session that can only read, and one for changes, each made when it is first needed.
  struct Connections {
    let url: DatabaseURL
    /// Of a login that only reads; nil: the one that the collector has made.
    let login: DatabaseURL?
    /// For one question.
    let timeoutMs: Int
    var reader: FleetReader?
    var store: Store?
    /// Of the client that is asked for now.
    var abandonment: Abandonment?

    init(_ url: DatabaseURL, login: DatabaseURL?, timeoutMs: Int) {
      (self.url, self.login, self.timeoutMs) = (url, login, timeoutMs)
    }
  }

  /// Calls what it is given once the client has gone.
  typealias WhenGone = @Sendable (@escaping @Sendable () -> Void) -> Void

  private let workers: [Worker<Connections>]
  /// For requests that a statement end.
  private let cancelling: Worker<Void>
  private let whenGone: WhenGone?

  /// Questions that may wait for one thread; beyond, the console says that it is busy.
  private static let waitingMax = 64

  /// For which a question waits for a thread.
  private let patience: Duration

  /// Most questions are answered before: a connection keeps what waits for its end, and so of none of these.
  private static let watchedAfter = Duration.milliseconds(100)

  /// - Parameters:
  ///   - patience: for which a question waits for a thread.
  ///   - timeoutMs: for one question; the client gives up 5 s later. Who opens a page in the night waits no longer.
  init(
    _ url: DatabaseURL, login: DatabaseURL?, threads: Int, patience: Duration = .seconds(5), timeoutMs: Int = 15_000
  ) throws(LoopError) {
    self.patience = patience
    var workers: [Worker<Connections>] = []
    for number in 1...threads {
      workers.append(
        try Worker("database-\(number)", limit: Self.waitingMax) {
          Connections(url, login: login, timeoutMs: timeoutMs)
        })
    }
    self.workers = workers
    cancelling = try Worker("cancelling", limit: Self.waitingMax) {}
    whenGone = nil
  }

  private init(_ pool: DatabasePool, _ whenGone: @escaping WhenGone) {
    (workers, patience, cancelling, self.whenGone) = (pool.workers, pool.patience, pool.cancelling, whenGone)
  }

  /// The same threads, asked for one client: what is read for it ends on the server with it. A change is carried out all the same.
  func asked(by whenGone: @escaping WhenGone) -> DatabasePool { DatabasePool(self, whenGone) }

  func stop() {
    for worker in workers { worker.stop() }
    cancelling.stop()
  }

  /// - Throws: `Problem`.
  func answer(_ query: ReadQuery, _ shown: [Answer.Column] = []) async throws -> Answer {
    try await run { (connections) throws(Problem) in
      try connections.read { (reader) throws(PostgresError) in Answer(try reader.read(query), shown) }
    }
  }

  /// Whoever asks after the console's health is not kept waiting by a database that hangs.
  /// - Throws: `Problem`.
  func requireAnswer(within limit: Duration) async throws {
    _ = try await Deadline.wait(limit) { [self] in try await answer(FleetQueries.alive()) }
  }

  /// Several questions to one connection. - Throws: `Problem`.
  func answers(_ queries: [(ReadQuery, [Answer.Column])]) async throws -> [Answer] {
    try await run { (connections) throws(Problem) in
      try connections.read { (reader) throws(PostgresError) in
        var answers: [Answer] = []
        for (query, shown) in queries { answers.append(Answer(try reader.read(query), shown)) }
        return answers
      }
    }
  }

  /// The newest lines that a filter lets through, the oldest of them first. - Throws: `Problem`.
  func lines(_ filter: LogFilter, limit: Int) async throws -> Answer {
    try await run { (connections) throws(Problem) in
      try connections.read { (reader) throws(PostgresError) in
        Answer(try reader.newestLines(filter, limit: limit), ShownColumns.logs)
      }
    }
  }

  /// Several questions that follow from one another. - Throws: `Problem`.
  func read<Value: Sendable>(
    _ body: @escaping @Sendable (FleetReader) throws(PostgresError) -> Value
  ) async throws -> Value {
    try await run { (connections) throws(Problem) in try connections.read(body) }
  }

  /// A change, or a question about credentials. - Throws: `Problem`.
  func change<Value: Sendable>(_ body: @escaping @Sendable (Store) throws(StoreError) -> Value) async throws -> Value {
    try await run { (connections) throws(Problem) in try connections.change(body) }
  }

  func run<Value: Sendable>(
    _ work: @escaping @Sendable (inout Connections) throws(Problem) -> Value
  ) async throws -> Value {
    guard let worker = workers.min(by: { $0.load < $1.load }) else { throw Problem.tooBusy }
    let turn = Turn()
    let abandonment = whenGone.map { _ in Abandonment(cancelling) }
    let watch = whenGone.map { whenGone in
      Task {
        guard (try? await Task.sleep(for: Self.watchedAfter)) != nil else { return }
        // Weakly: a connection outlives its statements.
        whenGone { [weak abandonment] in abandonment?.cancel() }
      }
    }
    defer { watch?.cancel() }
    return try await withCheckedThrowingContinuation { continuation in
      // A database that hangs keeps its threads for their whole time limit: who waits behind them is not kept waiting as well.
      let timer = Task {
        // A timer that is cancelled has nothing to decide.
        guard (try? await Task.sleep(for: patience)) != nil else { return }
        if turn.take() { continuation.resume(throwing: Problem.databaseAway) }
      }
      let isTaken = worker.post { connections in
        guard turn.take() else { return }
        timer.cancel()
        connections.abandonment = abandonment
        defer { connections.abandonment = nil }
        do throws(Problem) {
          continuation.resume(returning: try work(&connections))
        } catch {
          continuation.resume(throwing: error)
        }
      }
      if !isTaken, turn.take() {
        timer.cancel()
        continuation.resume(throwing: Problem.tooBusy)
      }
    }
  }

  /// Taken once: by the thread that asks, or by the clock.
  private final class Turn: Sendable {
    private let isTaken = Mutex(false)

    func take() -> Bool {
      isTaken.withLock { isTaken in
        defer { isTaken = true }
        return !isTaken
      }
    }
  }
}

extension DatabasePool.Connections {
  /// A change is small, or stands behind a lock.
  private static var changeOptions: ConnectionOptions {
    var options = Store.writerOptions
    options.statementTimeoutMs = 10_000
    options.lockTimeoutMs = 5_000
    options.answerTimeoutMs = 12_000
    return options
  }

  mutating func read<Value>(
    _ body: (FleetReader) throws(PostgresError) -> Value
  ) throws(Problem) -> Value {
    let began = ContinuousClock.now
    do throws(StoreError) {
      return try readOnce(body)
    } catch  where error.needsNewConnection {
      reader?.close()
      reader = nil
      // A server that was started again has ended the connection: a new one answers. One that hangs does so again.
      if ContinuousClock.now - began > .seconds(2) { throw Problem(error) }
      do throws(StoreError) {
        return try readOnce(body)
      } catch {
        throw Problem(error)
      }
    } catch {
      throw Problem(error)
    }
  }

  private mutating func readOnce<Value>(
    _ body: (FleetReader) throws(PostgresError) -> Value
  ) throws(StoreError) -> Value {
    let reader =
      if let known = reader { known } else {
        try FleetReader(consoleOf: url, login: login, timeoutMs: timeoutMs)
      }
    self.reader = reader
    guard abandonment?.begins(reader.canceller) ?? true else {
      throw .database(PostgresError(sqlState: "57014", message: "the client has gone", doing: "read"))
    }
    defer { abandonment?.ends() }
    do throws(PostgresError) {
      return try body(reader)
    } catch {
      throw .database(error)
    }
  }

  fileprivate mutating func change<Value>(_ body: (Store) throws(StoreError) -> Value) throws(Problem) -> Value {
    do throws(StoreError) {
      return try changeOnce(body)
    } catch {
      if error.needsNewConnection {
        store?.close()
        store = nil
      }
      throw Problem(error)
    }
  }

  private mutating func changeOnce<Value>(
    _ body: (Store) throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    let store =
      if let known = store { known } else { try Store.open(url, migrating: false, options: Self.changeOptions) }
    self.store = store
    return try body(store)
  }
}
