internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import HummingbirdCore
internal import Store

/// One entry of the table from which follow: the router, who may ask, the OpenAPI document, and the forms of the answer.
struct Route: Sendable {
  /// A part of the path or the query.
  struct Parameter: Sendable {
    enum Place: String, Sendable { case path, query }

    enum Kind: Sendable {
      case text
      case integer(ClosedRange<Int64>)
      /// A decimal number, finite.
      case number
      case choice([String])
      /// An age such as `2h`, or a time of RFC 3339.
      case moment
      /// Text of another program, such as a code, which may be longer than people write.
      case opaque
    }

    let name: String
    let place: Place
    let kind: Kind
    let summary: String
    let example: String
    /// A request without it is refused.
    let isRequired: Bool

    init(
      _ name: String, _ place: Place = .query, _ kind: Kind = .text, _ summary: String, example: String,
      isRequired: Bool = false
    ) {
      self.isRequired = isRequired || place == .path
      self.name = name
      self.place = place
      self.kind = kind
      self.summary = summary
      self.example = example
    }
  }

  /// A field of a JSON body or of a form. All are texts.
  struct Field: Sendable {
    let name: String
    let summary: String
    let charactersMax: Int
    /// One that is needed may not be blank either.
    var isOptional = false
    /// It takes a time such as `2h`.
    var isAge = false
  }

  /// What a script gets; also what the OpenAPI document says of the answer.
  enum Shape: Sendable {
    /// `items`, `next` and `meta`.
    case list
    /// One object, with `meta` beside it.
    case one
    /// What was changed, in a sentence, with the object as it is now.
    case change
    /// As a list, without an end that is known before.
    case rows
    /// For people; scripts that ask for JSON get the tables of the page.
    case page
    /// Server-sent events, or NDJSON for scripts, without an end.
    case stream
    /// Anything else, with its content type.
    case document(String)
  }

  let method: HTTPRequest.Method
  /// With `{name}` for parameters.
  let path: String
  /// nil: without a login.
  let role: Role?
  let summary: String
  var parameters: [Parameter] = []
  /// A form of a page sends its empty fields too: they count as not given.
  var allowsEmpty = false
  /// Parameters of the query that this table does not know belong to what is asked, or another program has added them:
  /// `Question.others`.
  var takesOthers = false
  var fields: [Field] = []
  /// Of these optional fields at least one is needed.
  var anyOf: [String] = []
  /// Of a body that the handler gets as it came, because its sender signs it; 0: the body holds fields.
  var rawBytesMax = 0
  let shape: Shape
  let handler: @Sendable (Question) async throws -> Reply

  /// Unique, for the OpenAPI document: `get_hosts_host`.
  var operationID: String {
    let parts = path.split(separator: "/").map { $0.filter { $0.isLetter || $0.isNumber || $0 == "_" } }
    let place = path.hasPrefix("/api/v1/") ? Array(parts.dropFirst(2)) : ["page"] + parts
    return ([method.rawValue.lowercased()] + place).joined(separator: "_")
  }
}

/// A request, after its caller and parameters have been checked.
struct Question: Sendable {
  /// nil only where the route needs no login.
  let caller: Caller?
  let nowNs: Int64
  let database: DatabasePool
  let console: ConsoleContext
  /// Of path and query, by name.
  let values: [String: String]
  /// Further ones of the query, by name.
  var others: [String: String] = [:]
  /// Of the body, by name.
  let fields: [String: String]
  /// nil where the route takes fields.
  var raw: RawRequest?
  /// Headers with cookies; the session's own is in none of the answers.
  var cookies: [String] = []
  /// What this session has just changed, as a page says it.
  var done: String?
  /// Sent by a form of a page, not by a script.
  let isForm: Bool
  /// Of a browser's session; empty for tokens.
  let formToken: String
  /// The answer is written while it arrives: NDJSON and CSV.
  var isStreamed = false
  /// Calls what it is given once the client has gone.
  var whenGone: @Sendable (@escaping @Sendable () -> Void) -> Void = { _ in }

  subscript(_ name: String) -> String? { values[name] }

  /// The same caller asks for something else.
  func with(_ values: [String: String]) -> Question {
    Question(
      caller: caller, nowNs: nowNs, database: database, console: console, values: values, fields: [:], isForm: false,
      formToken: "")
  }

  func integer(_ name: String) -> Int64? { values[name].flatMap { Int64($0) } }

  /// Of the body; nil where it is not there, or blank as an empty input of a form is.
  func given(_ field: String) -> String? { fields[field].flatMap { $0.isEmpty ? nil : $0 } }

  /// Of a part of an axis: `from` and `to`. - Throws: `Problem` 400 where only one of them is given, or they are not in order.
  func range() throws -> CurveRange? {
    let ends = ["from", "to"].map { values[$0].flatMap(Double.init) }
    if ends == [nil, nil] { return nil }
    guard let from = ends[0], let to = ends[1] else { throw Self.halfRange }
    guard let range = CurveRange(from: from, to: to) else { throw Self.emptyRange }
    return range
  }

  /// The same in whole steps.
  func steps() throws -> ClosedRange<Int64>? {
    let ends = ["from", "to"].map(integer)
    if ends == [nil, nil] { return nil }
    guard let from = ends[0], let to = ends[1] else { throw Self.halfRange }
    guard from < to else { throw Self.emptyRange }
    return from...to
  }

  private static let halfRange = Problem(.badRequest, "give from and to, or neither")
  private static let emptyRange = Problem(.badRequest, "from must be less than to")

  /// ns since 1970 of a `moment`.
  func moment(_ name: String) -> Int64? { values[name].flatMap { Self.moment($0, nowNs) } }

  static func moment(_ text: String, _ nowNs: Int64) -> Int64? {
    TimeSpan.parse(text).map { nowNs.subtractingClamped($0) } ?? Timestamp.parse(text)
  }

  /// For timelines and the audit.
  var actor: String { caller?.name ?? "" }
}

extension StringProtocol {
  /// A clause as the console says it: with a capital and a full stop.
  var asSentence: String { prefix(1).uppercased() + dropFirst() + "." }
}

/// What a handler answers; written in the form that was asked for.
enum Reply: Sendable {
  /// - Parameter isCut: there is more than the limit let through.
  /// - Parameters:
  ///   - next: the cursor of the page after it.
  ///   - asOfNs: when it was asked, where that was before this request, ns since 1970.
  case list(Answer, isCut: Bool = false, next: String? = nil, asOfNs: Int64 = .max)
  /// No row: nothing has that name.
  case one(Answer, missing: String)
  /// - Parameter back: where a browser goes to see it.
  case change(String, Answer, back: String)
  case page(Page)
  /// Of a person's statement, while it runs.
  case rows(QueryAnswer)
  case document([UInt8], contentType: String)
  /// JSON with a status of its own; empty: none.
  case message(Int, [UInt8])
  /// Written while there is something to write.
  case stream(ResponseBody, MediaType)
  /// - Parameter cookies: that are set or cleared; the browser keeps its others.
  case redirect(String, cookies: [String])
}
