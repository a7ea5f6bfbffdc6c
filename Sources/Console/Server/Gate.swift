internal import Answers
internal import Files
internal import Foundation
internal import FleetModel
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import Store
internal import TLS

/// What handlers share beside the database.
struct ConsoleContext: Sendable {
  let login: Login
  let refusals: Refusals
  let queries: QueryPool
  let fleet: FleetFeed
  let live: LiveHub
  let charts: ChartLibrary
  let tails: LogTails
  let limits: ConnectionLimits
  let slack: SlackFigures
  /// nil: no identity provider is configured.
  var oidc: OIDCLogin?
}

enum ParameterLimits {
  static let charactersMax = 1024
  /// Codes of some identity providers have two thousand.
  static let opaqueMax = 4096
  static let bodyBytesMax = 64 << 10
}

/// Who sent a request.
struct Client: Sendable {
  /// Of the client, or of the proxy before it; empty where it is not known.
  let address: String
  /// Completes when it has gone.
  let gone: EventLoopFuture<Void>
}

/// The one way from a request to its answer: who asks, whether the role allows it, what the parameters are, and in which form the answer
/// goes back.
struct Gate: Sendable {
  let database: DatabasePool
  let context: ConsoleContext
  let logger: Logger

  func respond(
    _ route: Route, _ request: Request, _ parameters: [String: String], _ client: Client
  ) async -> Response {
    let nowNs = Clock.wallNs()
    var known: (caller: Caller, token: AccessToken)?
    var typed: [String: String] = [:]
    do {
      known = try await login(request, nowNs, isRequired: route.role != nil)
      return try await answer(route, request, parameters, known, client, nowNs, &typed)
    } catch let problem as Problem {
      // Only a credential that is not valid counts; a request without one is sent to the login.
      guard problem.status == .unauthorized, problem != .unauthorized else {
        return refuse(problem, route, request, known, nowNs, typed)
      }
      let answer = await context.refusals.record(problem, of: route.secretName, from: client.address, nowNs: nowNs)
      return refuse(answer, route, request, known, nowNs)
    } catch {
      logger.error("a request failed", metadata: ["route": "\(route.path)", "error": "\(type(of: error))"])
      return refuse(
        Problem(.internalServerError, "this request failed; the console's log says where"), route, request, known, nowNs
      )
    }
  }

  private func answer(
    _ route: Route, _ request: Request, _ parameters: [String: String], _ known: (caller: Caller, token: AccessToken)?,
    _ client: Client, _ nowNs: Int64, _ typed: inout [String: String]
  ) async throws -> Response {
    let type = try mediaType(route, request)
    try require(route, known?.caller, request)
    if route.method != .get { try requireOwnPage(request) }
    let (values, others) = try Self.values(route, request, parameters, nowNs)
    let raw = try await raw(route, request)
    let (fields, isForm) = try await self.fields(route, request, &typed)
    let formToken = known.map(Self.formToken) ?? ""
    if route.method != .get, !formToken.isEmpty { try requireForm(request, fields, formToken) }
    let done = values["done"].flatMap { text in
      values["by"].flatMap { given in
        Digest.equal(Array(given.utf8), Array(FormToken.sign(text, with: formToken).utf8)) && !formToken.isEmpty
          ? text : nil
      }
    }
    let whenGone: DatabasePool.WhenGone = { gone in client.gone.whenComplete { _ in gone() } }
    let question = Question(
      caller: known?.caller, nowNs: nowNs, database: database.asked(by: whenGone), console: context, values: values,
      others: others,
      fields: fields, raw: raw, cookies: route.role == nil ? request.headers[values: .cookie] : [],
      done: done, isForm: isForm, formToken: formToken, isStreamed: type == .ndjson || type == .csv,
      whenGone: whenGone)
    return try await write(route.handler(question), route, question, type)
  }

  /// A document has one form, whatever is accepted.
  private func mediaType(_ route: Route, _ request: Request) throws -> MediaType {
    if case .document = route.shape { return .json }
    return try MediaType.choose(request.headers[.accept], among: route.forms).orThrow(
      Problem(.notAcceptable, "this answer comes as \(route.forms.map(\.rawValue).joined(separator: ", "))"))
  }

  func login(_ request: Request, _ nowNs: Int64, isRequired: Bool) async throws -> (
    caller: Caller, token: AccessToken
  )? {
    guard isRequired else { return nil }
    return try await context.login.caller(
      authorization: request.headers[.authorization], cookies: request.headers[values: .cookie], nowNs: nowNs)
  }

  private func require(_ route: Route, _ caller: Caller?, _ request: Request) throws {
    guard let role = route.role else { return }
    guard let caller else { throw Problem.unauthorized }
    guard caller.role >= role else {
      throw Problem(
        .forbidden,
        "this takes the role \(role.rawValue), and \(caller.name) has \(caller.role.rawValue): ask an admin for a token with it"
      )
    }
  }

  /// A page of another site may not log a browser in either: what its owner then does would be another's. Source: Fetch Metadata,
  /// w3c.github.io/webappsec-fetch-metadata. Scripts send neither header.
  private func requireOwnPage(_ request: Request) throws {
    let site = HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] }
    let isOther =
      if let site { !["same-origin", "none"].contains(site) } else if let origin = request.headers[.origin] {
        origin != "https://\(request.head.authority ?? "")"
      } else { false }
    if isOther { throw Problem(.forbidden, "this comes from a page of another site: open the console's own page") }
  }

  /// A form of another site cannot know the token, a script of one cannot set the header.
  private func requireForm(_ request: Request, _ fields: [String: String], _ formToken: String) throws {
    let given = fields[FormToken.field] ?? HTTPField.Name("X-Form-Token").flatMap { request.headers[$0] } ?? ""
    guard FormToken.isMask(given, of: formToken) else {
      throw Problem(.forbidden, "this form is older than your login, or comes from another page: open the page again")
    }
  }

  // MARK: Parameters

  /// With what a page is opened after a change.
  private static let changed = ["done", "by"].map {
    Route.Parameter($0, .query, .text, "What was changed.", example: "-")
  }

  static func values(
    _ route: Route, _ request: Request, _ path: [String: String], _ nowNs: Int64
  ) throws -> (known: [String: String], others: [String: String]) {
    var values: [String: String] = [:]
    var others: [String: String] = [:]
    for parameter in route.parameters where parameter.place == .path {
      guard let text = (path[parameter.name] ?? "").removingPercentEncoding else {
        throw Problem(.badRequest, "\(parameter.name) in the address is no UTF-8 behind its percent signs")
      }
      values[parameter.name] = try checked(text, parameter, nowNs)
    }
    var known = route.parameters.filter { $0.place == .query }
    if case .page = route.shape { known += Self.changed }
    for (name, value) in try FormEncoding.pairs(Array((request.uri.query ?? "").utf8), "the address") {
      guard let parameter = known.first(where: { $0.name == name }) else {
        if route.takesOthers {
          try add(name, value, to: &others, route)
          continue
        }
        let names = route.parameters.filter { $0.place == .query }.map(\.name).joined(separator: ", ")
        throw Problem(
          .badRequest,
          "no parameter is called '\(PlainText.cut(name, scalarsMax: 64))'; "
            + (names.isEmpty ? "this address takes none" : "there are: \(names)"))
      }
      if route.allowsEmpty, value.isEmpty { continue }
      guard values[parameter.name] == nil else { throw Problem(.badRequest, "\(parameter.name) is given twice") }
      values[parameter.name] = try checked(value, parameter, nowNs)
    }
    if let missing = known.first(where: { $0.isRequired && values[$0.name] == nil }) {
      throw Problem(.badRequest, "\(missing.name) is needed, such as \(missing.example): \(missing.summary)")
    }
    return (values, others)
  }

  private static let othersMax = 20

  private static func add(
    _ name: String, _ value: String, to others: inout [String: String], _ route: Route
  ) throws {
    let shown = PlainText.cut(name, scalarsMax: 64)
    if route.allowsEmpty, value.isEmpty { return }
    guard others[name] == nil else { throw Problem(.badRequest, "\(shown) is given twice") }
    guard others.count < othersMax else { throw Problem(.badRequest, "an address has \(othersMax) parameters at most") }
    let parameter = Route.Parameter(shown, .query, .text, "A value.", example: "a text")
    others[name] = try checked(value, parameter, 0)
  }

  static func checked(_ text: String, _ parameter: Route.Parameter, _ nowNs: Int64) throws -> String {
    let problem = { (what: String) in
      Problem(.badRequest, "\(parameter.name) takes \(what), such as \(parameter.example)")
    }
    switch parameter.kind {
    case .text:
      guard !text.isEmpty, text.unicodeScalars.count <= ParameterLimits.charactersMax, !text.utf8.contains(0) else {
        throw problem("1 to \(ParameterLimits.charactersMax) characters other than U+0000")
      }
    case .opaque:
      guard !text.isEmpty, text.utf8.count <= ParameterLimits.opaqueMax, text.utf8.allSatisfy({ $0 >= 0x20 }) else {
        throw problem("1 to \(ParameterLimits.opaqueMax) characters")
      }
    case .integer(let range):
      guard let number = Int64(text), range.contains(number) else {
        throw problem("\(range.lowerBound) to \(range.upperBound)")
      }
    case .number:
      guard Double(text)?.isFinite == true else { throw problem("a number") }
    case .choice(let words):
      guard words.contains(text) else { throw problem(words.joined(separator: ", ")) }
    case .moment:
      guard Question.moment(text, nowNs) != nil else { throw problem("an age or a time of RFC 3339") }
    }
    return text
  }

  /// - Parameter typed: what a form of a page sent, also where it is then refused.
  private func fields(
    _ route: Route, _ request: Request, _ typed: inout [String: String]
  ) async throws -> (fields: [String: String], isForm: Bool) {
    guard route.method == .post, route.rawBytesMax == 0 else { return ([:], false) }
    var request = request
    let buffer: ByteBuffer
    do {
      buffer = try await request.collectBody(upTo: ParameterLimits.bodyBytesMax)
    } catch {
      throw Problem(.contentTooLarge, "a request's body has at most \(ParameterLimits.bodyBytesMax >> 10) KiB")
    }
    let isForm = Self.isForm(request)
    let fields = isForm ? try FormEncoding.fields(Array(buffer.readableBytesView)) : try Self.json(buffer)
    if isForm { typed = fields }
    for name in fields.keys where name != FormToken.field && !route.fields.contains(where: { $0.name == name }) {
      throw Problem(.badRequest, "no field is called '\(PlainText.cut(name, scalarsMax: 64))'")
    }
    for field in route.fields {
      let text = fields[field.name] ?? ""
      let isBlank = !text.unicodeScalars.contains { !$0.properties.isWhitespace }
      // A form sends its empty inputs too. In a script it is a variable that is not set: a silence must not become wider by it.
      if isBlank, field.isOptional, isForm || fields[field.name] == nil { continue }
      guard !isBlank, !text.utf8.contains(0), text.unicodeScalars.count <= field.charactersMax else {
        throw Problem(.badRequest, "\(field.name) takes 1 to \(field.charactersMax) characters: \(field.summary)")
      }
    }
    if !route.anyOf.isEmpty, route.anyOf.allSatisfy({ (fields[$0] ?? "").isEmpty }) {
      throw Problem(.badRequest, "give at least one of \(route.anyOf.joined(separator: ", "))")
    }
    return (fields, isForm)
  }

  /// An object whose values are texts; an empty body is an empty one.
  private static func json(_ buffer: ByteBuffer) throws -> [String: String] {
    guard buffer.readableBytes > 0 else { return [:] }
    guard case .object(let members)? = JSON.read(Array(buffer.readableBytesView)) else { throw noFields }
    var fields: [String: String] = [:]
    for (name, value) in members {
      guard case .text(let text) = value else { throw noFields }
      guard fields.updateValue(text, forKey: name) == nil else {
        throw Problem(.badRequest, "\(PlainText.visible(PlainText.cut(name, scalarsMax: 64))) is given twice")
      }
    }
    return fields
  }

  private static let noFields = Problem(
    .badRequest, "the body takes a JSON object whose values are texts, with Content-Type: application/json")
}

extension Route {
  /// Forms of the answer, the usual one first.
  var forms: [MediaType] {
    switch shape {
    case .list: [.json, .ndjson, .csv, .markdown, .rows]
    case .rows: [.json, .ndjson, .csv, .markdown, .rows]
    case .one: [.json, .ndjson, .csv, .markdown, .rows]
    case .change: [.json, .html, .rows]
    case .page: [.html, .markdown, .json]
    case .stream: [.events, .ndjson]
    case .document: MediaType.allCases
    }
  }
}

extension Optional {
  fileprivate func orThrow(_ problem: Problem) throws -> Wrapped {
    guard let self else { throw problem }
    return self
  }
}

/// The body of a form, and what stands behind the question mark of an address: both are what a browser makes of a form, in which `+` is a
/// blank. Source: url.spec.whatwg.org, application/x-www-form-urlencoded parsing.
enum FormEncoding {
  /// Of a field that is given twice, the last value.
  /// - Throws: `Problem` 400.
  static func fields(_ bytes: [UInt8]) throws -> [String: String] {
    Dictionary(try pairs(bytes, "the form")) { _, last in last }
  }

  /// - Parameter what: of the sentence that refuses it.
  /// - Throws: `Problem` 400 where a name or value is no UTF-8: another text would be searched for.
  static func pairs(_ bytes: [UInt8], _ what: String) throws -> [(String, String)] {
    try bytes.split(separator: UInt8(ascii: "&")).map { pair in
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = decoded(parts[0]), let value = parts.count > 1 ? decoded(parts[1]) : "" else {
        throw Problem(.badRequest, "\(what) is no UTF-8 behind its percent signs")
      }
      return (name, value)
    }
  }

  private static func decoded(_ bytes: ArraySlice<UInt8>) -> String? {
    var text: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
        rest.count >= 2
      {
        text.append(value)
        rest = rest.dropFirst(2)
      } else {
        text.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
      }
    }
    return String(validating: text, as: UTF8.self)
  }
}
