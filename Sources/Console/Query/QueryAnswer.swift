internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import SQLGuard
internal import Store

/// A statement whose first rows have come: what could refuse it has not.
struct QueryAnswer: Sendable {
  let statement: GuardedStatement
  let run: QueryRun
  let first: QueryRun.Piece
  /// So many rows were asked for, so that an answer which ends there is what was wanted.
  let isLimited: Bool

  /// What the statement asked about, as its text says.
  var meaning: JSON {
    .object([
      ("views", .texts(statement.views)), ("hosts", statement.hosts.map(JSON.texts) ?? .null),
      ("since", .optional(statement.sinceNs.map { Timestamp.text($0) })), ("unbounded", .texts(statement.unbounded)),
    ])
  }

  /// The whole answer, for forms that are not written while it arrives.
  func collect() async throws -> (answer: Answer, isCut: Bool) {
    var table = first.table
    var isCut = first.isCut
    while let piece = try await run.next() {
      table.rows += piece.table.rows
      isCut = isCut || piece.isCut
    }
    return (Self.answer(table), isCut)
  }

  static func answer(_ table: ReadTable) -> Answer {
    Answer(
      table,
      table.columns.map { name in
        var column = Answer.Column(name, name)
        column.isAlwaysShown = true
        return column
      })
  }
}

extension Gate {
  func write(_ answer: QueryAnswer, _ question: Question, _ type: MediaType) async throws -> Response {
    let presence = try await context.fleet.presence(of: answer.statement.hosts)
    let writer = AnswerWriter(nowNs: question.nowNs, presence: presence, meaning: answer.meaning)
    guard question.isStreamed else {
      let (rows, isCut) = try await answer.collect()
      return Self.response(.ok, writer.list(rows, isCut: isCut, as: type), type.contentType)
    }
    var response = Self.response(.ok, [], type.contentType)
    response.body = ResponseBody { @concurrent body in
      // An error ends the stream in its middle, so that it cannot be taken for a short answer.
      do {
        if type == .csv {
          try await Self.stream(csv: answer, &body)
        } else {
          try await Self.stream(answer, writer, &body)
        }
      } catch {
        answer.run.cancel()
        throw error
      }
      try await body.finish(nil)
    }
    return response
  }

  @concurrent private static func stream(
    _ answer: QueryAnswer, _ writer: AnswerWriter, _ body: inout some ResponseBodyWriter
  ) async throws {
    var piece: QueryRun.Piece? = answer.first
    var (rows, isCut) = (0, false)
    while let next = piece {
      let bytes = Renderer(format: .ndjson, nowNs: 0).bytes(QueryAnswer.answer(next.table))
      if !bytes.isEmpty { try await body.write(ByteBuffer(bytes: bytes)) }
      rows += next.table.rows.count
      isCut = isCut || next.isCut
      piece = try await answer.run.next()
    }
    try await body.write(ByteBuffer(bytes: writer.end(rows: rows, isCut: isCut)))
  }

  /// The names of the columns once. A table has no place for a last record: the end of the stream is its end.
  @concurrent private static func stream(csv answer: QueryAnswer, _ body: inout some ResponseBodyWriter) async throws {
    var head = answer.first.table
    head.rows = []
    let names = Renderer(format: .csv, nowNs: 0).bytes(QueryAnswer.answer(head))
    try await body.write(ByteBuffer(bytes: names))
    var piece: QueryRun.Piece? = answer.first
    while let next = piece {
      let bytes = Renderer(format: .csv, nowNs: 0).bytes(QueryAnswer.answer(next.table)).dropFirst(names.count)
      if !bytes.isEmpty { try await body.write(ByteBuffer(bytes: bytes)) }
      if next.isCut, !answer.isLimited { throw Problem(.contentTooLarge, "the answer has too many rows") }
      piece = try await answer.run.next()
    }
  }
}
