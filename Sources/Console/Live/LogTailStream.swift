internal import Answers
internal import Files
internal import FleetModel
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import NIOCore
internal import ServiceLifecycle
internal import Store

/// One viewer's stream of the lines of a search: as server-sent events, or as NDJSON for scripts.
///
/// It is a viewer of the fleet as well (`LiveHub`): that gives it the beat of a frame each 0.9 s, the limits of streams, and the ends of sessions.
struct LogTailStream: Sendable {
  let context: ConsoleContext
  let caller: Caller
  let database: DatabasePool
  /// Without times: what arrives has its own.
  let filter: LogFilter
  /// Lines that arrived since then come first; nil: only those that arrive from now on.
  let fromNs: Int64?
  /// It ends after so many looks for new lines; nil: with its session.
  let frames: Int?
  /// NDJSON, else server-sent events.
  let isForScripts: Bool
  /// Calls what it is given once the client has gone.
  let whenGone: @Sendable (@escaping @Sendable () -> Void) -> Void

  /// Of the first answer, to join the stream to what a page shows.
  private static let joinedMax = 200

  /// Goes on until the viewer leaves, its session ends, or the server stops.
  var body: ResponseBody {
    ResponseBody { [self] writer in
      if !isForScripts { try await writer.write(ByteBuffer(string: "retry: 3000\n\n")) }
      var rows = 0
      var why = "as many frames as were asked for"
      if let id = context.live.join(caller) {
        defer { context.live.leave(id) }
        if let tail = context.tails.open(filter) {
          defer { context.tails.close(filter) }
          whenGone { context.live.end(id, .gone) }
          let end = try await withGracefulShutdownHandler {
            try await write(tail, id, &rows, &writer)
          } onGracefulShutdown: {
            context.live.end(id, .stopping)
          }
          if end == .gone { return try await writer.finish(nil) }
          why = end?.rawValue ?? why
        } else {
          why = LogTails.tooMany.detail
        }
      } else {
        why = LiveHub.tooMany.detail
      }
      try await writer.write(last(why, rows))
      try await writer.finish(nil)
    }
  }

  /// A stream without it was cut off.
  private func last(_ why: String, _ rows: Int) -> ByteBuffer {
    let fields: [(String, JSON)] = [("reason", .text(why)), ("rows", .number(Int64(rows)))]
    return isForScripts
      ? ByteBuffer(bytes: JSON.object([("end", .boolean(true))] + fields).bytes) : LiveFrame.event("end", fields)
  }

  /// - Returns: why it ends; nil: as many frames as were asked for.
  @concurrent private func write(
    _ tail: LogTail, _ id: Int, _ rows: inout Int, _ writer: inout any ResponseBodyWriter
  ) async throws -> LiveHub.End? {
    var number: Int?
    var left = frames ?? .max
    while left > 0 {
      switch await context.live.next(id) {
      case .whole, .changes:
        do {
          let isFirst = number == nil
          let news = try await tail.news(after: number)
          if isFirst, let past = try await joined() { rows += try await write([past], &writer) }
          number = news.last
          rows += try await write(news.batches, &writer)
          try await writer.write(try await state(news))
        } catch let problem as Problem {
          try await writer.write(note(problem.detail))
        }
        left -= 1
      case .away: try await writer.write(note(Problem.databaseAway.detail))
      case .comment: try await writer.write(isForScripts ? ByteBuffer(string: "\n") : LiveFrame.comment)
      case .end(let why): return why
      }
    }
    return nil
  }

  @concurrent private func write(_ batches: [LogTail.Batch], _ writer: inout any ResponseBodyWriter) async throws -> Int
  {
    for batch in batches { try await writer.write(isForScripts ? batch.records : batch.event) }
    return batches.reduce(0) { $0 + $1.lines }
  }

  /// What arrived between the page that a viewer has and the beginning of the stream.
  private func joined() async throws -> LogTail.Batch? {
    guard let fromNs else { return nil }
    var past = filter
    past.receivedAfterNs = fromNs.subtractingClamped(LogTail.Limits.overlapNs)
    past.sinceNs = fromNs.subtractingClamped(LogTail.Limits.pastNs)
    let lines = try await database.lines(past, limit: Self.joinedMax).without(["flags"])
    return lines.rows.isEmpty ? nil : LogTail.batch(lines, number: 0, leftOut: 0)
  }

  // MARK: Why it is quiet

  private func state(_ news: LogTail.News) async throws -> ByteBuffer {
    let presence = try await context.fleet.presence(of: filter.hosts.isEmpty ? nil : filter.hosts)
    let words = Self.words(news.state, behind: presence.late + presence.silent, nowNs: Clock.wallNs())
    let missed = news.missed ? "; this viewer reads too slowly, and lines were left out" : ""
    return note(words + missed, leftOut: news.state.leftOut, rate: news.state.linesASecond)
  }

  /// - Parameter behind: hosts whose newest report is late.
  static func words(_ state: LogTail.State, behind: [String], nowNs: Int64) -> String {
    var parts: [String] = []
    if state.linesASecond > 0 {
      parts.append("\(state.linesASecond) line\(state.linesASecond == 1 ? "" : "s") a second")
    } else if let newest = state.newest {
      let age = TimeSpan.age(max(0, nowNs.subtractingClamped(newest.ns)))
      parts.append("quiet: newest line \(age) ago from \(newest.host)")
    } else {
      parts.append("quiet: no line of the last hour matches")
    }
    if state.leftOut > 0 {
      parts.append(
        "\(state.isAtLeast ? "at least " : "")\(state.leftOut) lines were left out: more came than are shown")
    }
    if !behind.isEmpty {
      let named = behind.prefix(3).joined(separator: ", ") + (behind.count > 3 ? ", …" : "")
      parts.append("behind: \(behind.count) host\(behind.count == 1 ? "" : "s") (\(named))")
    }
    return parts.joined(separator: "; ")
  }

  private func note(_ words: String, leftOut: Int = 0, rate: Int = 0) -> ByteBuffer {
    let fields: [(String, JSON)] = [
      ("state", .text(words)), ("lines_a_second", .number(Int64(rate))), ("left_out_total", .number(Int64(leftOut))),
    ]
    return isForScripts ? ByteBuffer(bytes: JSON.object(fields).bytes) : LiveFrame.event("state", fields)
  }
}
