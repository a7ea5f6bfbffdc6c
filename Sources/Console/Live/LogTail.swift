internal import Answers
internal import Files
internal import FleetModel
internal import HTTPTypes
internal import NIOCore
internal import Store
internal import Synchronization

/// Lines of one search as they arrive, asked of the database once a second for all who follow it, and encoded once.
actor LogTail {
  enum Limits {
    /// Of one question; what is beyond is counted and not shown: no one reads more, and a browser must lay it out.
    static let linesShown = 200
    /// Rows of one answer, with those of the overlap. Where an answer is full, more lines are left out than can be counted.
    static let rowsRead = 2_000
    /// Kept for viewers that read slowly.
    static let batches = 30
    static let messageScalars = 4_000
    static let periodNs: Int64 = 800_000_000
    static let overlapNs: Int64 = 5_000_000_000
    /// Where the newest line is looked for when the first viewer comes.
    static let pastNs: Int64 = 3_600_000_000_000
  }

  /// New lines of one question.
  struct Batch: Sendable {
    /// Counts up by one.
    let number: Int
    let lines: Int
    let event: ByteBuffer
    let records: ByteBuffer
  }

  /// How the search does.
  struct State: Sendable {
    /// The newest line that matches, of the last hour.
    var newest: (ns: Int64, host: String)?
    var linesASecond = 0
    /// Lines that matched and were not shown, since the first viewer came.
    var leftOut = 0
    /// There were more than could be counted.
    var isAtLeast = false
  }

  struct News: Sendable {
    let batches: [Batch]
    /// There were batches that are not kept any more.
    let missed: Bool
    /// Of the newest batch; 0 before the first.
    let last: Int
    let state: State
  }

  private let filter: LogFilter
  private let database: DatabasePool
  /// From a moment before its first viewer came: a commit may become visible later than what was committed after it.
  private var following = LogFollowing(startNs: Clock.wallNs().subtractingClamped(Limits.overlapNs))
  private var batches: [Batch] = []
  private var next = 1
  private var state = State()
  private var running: Task<Void, any Error>?
  private var askedNs: Int64?

  init(_ filter: LogFilter, _ database: DatabasePool) {
    self.filter = filter
    self.database = database
  }

  /// What came behind a batch. - Parameter number: of the last one that this viewer has; nil: only what comes from now on.
  /// - Throws: `Problem`.
  func news(after number: Int?) async throws -> News {
    try await refresh()
    let fresh = number.map { number in batches.filter { $0.number > number } } ?? []
    let missed = number.map { number in number + 1 < (batches.first?.number ?? next) } ?? false
    return News(batches: fresh, missed: missed, last: next - 1, state: state)
  }

  private func refresh() async throws {
    if let running { return try await running.value }
    let nowNs = Clock.monotonicNs()
    if let askedNs, nowNs - askedNs < Limits.periodNs { return }
    let elapsedNs = askedNs.map { nowNs - $0 } ?? 1_000_000_000
    askedNs = nowNs
    // Not a child of whoever asks first: others wait for the same answer.
    let task = Task { try await ask(elapsedNs) }
    running = task
    defer { running = nil }
    try await task.value
  }

  private func ask(_ elapsedNs: Int64) async throws {
    if state.newest == nil {
      var past = filter
      past.sinceNs = Clock.wallNs() - Limits.pastNs
      note(try await database.lines(past, limit: 1))
    }
    let question = following.question(filter, nowNs: Clock.wallNs())
    let answer = try await database.lines(question, limit: Limits.rowsRead).without(["flags"])
    let news = following.news(answer)
    following.finish()
    note(news)
    let left = max(0, news.rows.count - Limits.linesShown)
    state.linesASecond = Int(Double(news.rows.count) / max(0.1, Double(elapsedNs) / 1e9) + 0.5)
    state.leftOut += left
    if left > 0, answer.rows.count == Limits.rowsRead { state.isAtLeast = true }
    guard !news.rows.isEmpty else { return }
    var shown = news
    shown.rows = news.rows.suffix(Limits.linesShown).map(Self.short)
    batches.append(Self.batch(shown, number: next, leftOut: left))
    next += 1
    if batches.count > Limits.batches { batches.removeFirst() }
  }

  private func note(_ lines: Answer) {
    for row in lines.rows {
      guard case .time(let ns) = row[0], case .text(let host) = row[2], ns >= state.newest?.ns ?? .min else { continue }
      state.newest = (ns, host)
    }
  }

  /// The message, the last text of a line, is cut: one line must not fill the page.
  private static func short(_ row: [Cell]) -> [Cell] {
    row.map { cell in
      if case .text(let text) = cell { .text(PlainText.cut(text, scalarsMax: Limits.messageScalars)) } else { cell }
    }
  }

  /// - Parameter lines: the oldest first.
  static func batch(_ lines: Answer, number: Int, leftOut: Int) -> Batch {
    let records = Renderer(format: .ndjson, nowNs: 0).bytes(lines)
    let items = records.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    let event = LiveFrame.event(
      "lines", [("items", .list(items.map(JSON.document))), ("left_out", .number(Int64(leftOut)))])
    let tail = leftOut > 0 ? JSON.object([("left_out", .number(Int64(leftOut)))]).bytes : []
    return Batch(number: number, lines: lines.rows.count, event: event, records: ByteBuffer(bytes: records + tail))
  }
}

/// The searches that are followed now.
final class LogTails: Sendable {
  /// Each asks the database once a second.
  static let searchesMax = 32
  static let tooMany = Problem(
    .tooManyRequests,
    "\(searchesMax) different searches are followed already: follow one that others follow, or try again later")

  private let database: DatabasePool
  private let state = Mutex<[LogFilter: (tail: LogTail, viewers: Int)]>([:])

  init(_ database: DatabasePool) { self.database = database }

  /// Searches that are followed, and by how many viewers.
  var figures: (searches: Int, viewers: Int) {
    state.withLock { ($0.count, $0.values.reduce(0) { $0 + $1.viewers }) }
  }

  /// - Throws: `Problem` 429 where a further search cannot be followed.
  func requireRoom(for filter: LogFilter) throws(Problem) {
    if !state.withLock({ $0[filter] != nil || $0.count < Self.searchesMax }) { throw Self.tooMany }
  }

  /// - Returns: nil where there is no room; else it is closed by `close`.
  func open(_ filter: LogFilter) -> LogTail? {
    state.withLock { tails in
      if let known = tails[filter] {
        tails[filter]?.viewers += 1
        return known.tail
      }
      guard tails.count < Self.searchesMax else { return nil }
      let tail = LogTail(filter, database)
      tails[filter] = (tail, 1)
      return tail
    }
  }

  func close(_ filter: LogFilter) {
    state.withLock { tails in
      guard let viewers = tails[filter]?.viewers else { return }
      if viewers > 1 { tails[filter]?.viewers = viewers - 1 } else { tails[filter] = nil }
    }
  }
}
