internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Store
internal import TLS

extension Gate {
  func write(_ reply: Reply, _ route: Route, _ question: Question, _ type: MediaType) async throws -> Response {
    switch reply {
    case .document(let bytes, let contentType):
      var response = Self.response(.ok, bytes, contentType)
      if StaticFile.isNamedByContent(route.path) {
        response.headers[.cacheControl] = "public, max-age=31536000, immutable"
      }
      return response
    case .message(let status, let bytes):
      return Self.response(.init(code: status), bytes, MediaType.json.rawValue)
    case .stream(let body, let type): return Self.stream(body, type)
    case .redirect(let path, let cookies):
      var response = Self.redirect(path)
      response.headers[values: .setCookie] = cookies
      return response
    case .page(var page):
      // What has just been changed. The signature is this session's: a link of somebody else puts no words here.
      if let done = question.done { page.blocks.insert(.done(done), at: 0) }
      return try await write(page, question, type)
    case .change(let sentence, let answer, let back):
      guard question.isForm else {
        let bytes = try await writer(question).change(sentence, answer, as: type)
        return Self.response(.ok, bytes, (type == .rows ? type : .json).contentType)
      }
      // A page that is loaded again changes nothing again.
      let done = FormToken.sign(sentence, with: question.formToken)
      return Self.redirect("\(back)?done=\(PercentEncoding.pathPart(sentence))&by=\(done)")
    case .rows(let answer): return try await write(answer, question, type)
    case .list(let answer, let isCut, let next, let asOfNs):
      let writer = try await writer(question, asOfNs)
      let write = { writer.list(answer, isCut: isCut, next: next, as: type) }
      // An answer that is shared is written once as well.
      let isShared = asOfNs != .max && question.caller != nil
      let values = question.values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
      let key = "\(route.path) \(values) \(type.rawValue) \(asOfNs) \(writer.presence.asOfNs)"
      let bytes = isShared ? context.fleet.shared.bytes(key, write) : write()
      return Self.response(.ok, bytes, type.contentType)
    case .one(let answer, let missing):
      if answer.rows.isEmpty { throw Problem(.notFound, missing) }
      return Self.response(.ok, try await writer(question).one(answer, as: type), type.contentType)
    }
  }

  private func write(_ page: Page, _ question: Question, _ type: MediaType) async throws -> Response {
    switch type {
    case .html:
      return Self.response(
        .ok,
        PageFrame(
          page: page, caller: question.caller, formToken: question.formToken, nowNs: question.nowNs,
          hasChartLibrary: context.charts.isThere
        ).html,
        type.contentType)
    case .markdown: return Self.response(.ok, Array(Markdown.text(page, nowNs: question.nowNs).utf8), type.contentType)
    default: return Self.response(.ok, try await writer(question).tables(of: page), type.contentType)
    }
  }

  /// With what the answer cannot speak for.
  private func writer(_ question: Question, _ asOfNs: Int64 = .max) async throws -> AnswerWriter {
    // Names of hosts are for those who have logged in.
    guard question.caller != nil else {
      return AnswerWriter(nowNs: question.nowNs, presence: Presence(Answer(columns: []), asOfNs: question.nowNs))
    }
    var presence = try await context.fleet.presence()
    presence.asOfNs = min(presence.asOfNs, asOfNs)
    return AnswerWriter(nowNs: question.nowNs, presence: presence)
  }

  func refuse(
    _ problem: Problem, _ route: Route, _ request: Request, _ known: (caller: Caller, token: AccessToken)?,
    _ nowNs: Int64, _ typed: [String: String] = [:]
  ) -> Response {
    let isPage: Bool = if case .page = route.shape { true } else { Self.isForm(request) }
    return refuse(
      problem, request, isPage: isPage, toLogin: route.method == .get && route.role != nil, known: known,
      again: known == nil || Self.isOfAnother(problem) ? [] : Self.again(route, request, typed), nowNs)
  }

  /// A form that another site may have filled in is not offered again.
  private static func isOfAnother(_ problem: Problem) -> Bool { [.forbidden, .unauthorized].contains(problem.status) }

  /// The form that was refused, with what was typed, so that it is corrected and not typed again. Forms before a login have secrets, which
  /// are shown to no one.
  static func again(_ route: Route, _ request: Request, _ typed: [String: String]) -> [Page.Block] {
    guard route.role != nil else { return [] }
    if route.method == .get, case .page = route.shape { return askedAgain(route, request) }
    guard isForm(request), !typed.isEmpty, !route.fields.isEmpty else { return [] }
    let inputs = route.fields.map { field in
      let value = PlainText.cut(typed[field.name] ?? "", scalarsMax: ParameterLimits.bodyBytesMax)
      return Page.Form.Input(
        name: field.name, label: "\(field.name): \(field.summary)", value: value,
        isLong: field.charactersMax > 1_000 || value.contains { $0.isNewline },
        isOptional: field.isOptional || route.anyOf.contains(field.name))
    }
    return [
      .text("What you typed is kept: correct it, and send it again."),
      .form(.init(path: request.uri.path, button: "Send again", inputs: inputs, isMain: true)),
    ]
  }

  /// What an address asked for, as the form that it came from.
  private static func askedAgain(_ route: Route, _ request: Request) -> [Page.Block] {
    let given = (try? FormEncoding.fields(Array((request.uri.query ?? "").utf8))) ?? [:]
    let inputs = route.parameters.compactMap { parameter -> Page.Search.Input? in
      guard parameter.place == .query, let value = given[parameter.name], !value.isEmpty else { return nil }
      var choices: [String] = []
      if case .choice(let words) = parameter.kind, words.contains(value) { choices = words }
      return .init(
        name: parameter.name, label: parameter.name,
        value: PlainText.cut(value, scalarsMax: ParameterLimits.charactersMax), choices: choices)
    }
    guard !inputs.isEmpty else { return [] }
    return [
      .text("What you typed is kept: correct it, and ask again."),
      .search(.init(path: request.uri.path, button: "Ask again", inputs: inputs)),
    ]
  }

  /// People get a page that says what to do, scripts RFC 9457.
  /// - Parameter toLogin: who is not logged in is led there.
  func refuse(
    _ problem: Problem, _ request: Request, isPage: Bool, toLogin: Bool,
    known: (caller: Caller, token: AccessToken)? = nil, again: [Page.Block] = [], _ nowNs: Int64
  ) -> Response {
    let isRead = isPage && MediaType.choose(request.headers[.accept], among: [.html, .json]) == .html
    if isRead, problem == .unauthorized, toLogin {
      return Self.redirect("/login?next=" + PercentEncoding.pathPart(request.uri.string))
    }
    var response =
      isRead
      ? Self.response(
        problem.status,
        PageFrame(
          page: Page(
            title: problem.status.reasonPhrase, blocks: [.notice(problem.detail)] + again + wayOn(known?.caller)),
          caller: known?.caller,
          formToken: known.map(Self.formToken) ?? "", nowNs: nowNs
        ).html, MediaType.html.contentType)
      : Self.response(problem.status, Array((problem.json.written + "\n").utf8), "application/problem+json")
    if !isRead, problem.status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer realm=\"signalbox\"" }
    if problem.status == .tooManyRequests { response.headers[.retryAfter] = "60" }
    if problem.status == .serviceUnavailable { response.headers[.retryAfter] = "5" }
    return response
  }

  /// Who is not logged in is led there.
  private func wayOn(_ caller: Caller?) -> [Page.Block] { caller == nil ? [.links([("Log in", path: "/login")])] : [] }

  /// Empty for tokens, which send no forms.
  static func formToken(_ known: (caller: Caller, token: AccessToken)) -> String {
    known.caller.kind == .session ? FormToken.of(known.token) : ""
  }

  /// A browser shows what comes back.
  static func isForm(_ request: Request) -> Bool {
    request.headers[.contentType]?.lowercased().hasPrefix("application/x-www-form-urlencoded") == true
  }

  private static func redirect(_ path: String) -> Response {
    var response = response(.seeOther, [], "text/plain; charset=utf-8")
    response.headers[.location] = path
    return response
  }

  /// Every response has the headers that keep a page from running anything that is not the console's.
  static func response(_ status: HTTPResponse.Status, _ bytes: [UInt8], _ contentType: String) -> Response {
    var headers = HTTPFields()
    headers[.contentType] = contentType
    headers[.cacheControl] = "no-store"
    headers[.contentSecurityPolicy] = policy
    headers[.xContentTypeOptions] = "nosniff"
    for (name, value) in others { if let name = HTTPField.Name(name) { headers[name] = value } }
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  private static let policy =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

  private static let others = [
    ("Referrer-Policy", "no-referrer"), ("Strict-Transport-Security", "max-age=31536000"),
    ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
  ]
}

extension MediaType {
  var contentType: String {
    [.json, .ndjson, .rows, .events].contains(self) ? rawValue : rawValue + "; charset=utf-8"
  }
}
