internal import Answers
internal import Files
internal import FleetModel
internal import Outbound

/// One request to the console: an address of its table of routes.
struct ConsoleCall: Equatable {
  var method = "GET"
  /// With its parameters filled in.
  var path: String
  /// Without those that are nil.
  var query: [(String, String?)] = []
  /// Of the body; without those that are nil.
  var fields: [(String, String?)] = []

  static func get(_ path: String, _ query: [(String, String?)] = []) -> ConsoleCall {
    ConsoleCall(path: path, query: query)
  }

  static func post(_ path: String, _ fields: [(String, String?)] = []) -> ConsoleCall {
    ConsoleCall(method: "POST", path: path, fields: fields)
  }

  /// Path and query.
  var address: String {
    let pairs = query.compactMap { name, value in
      value.map { "\(PercentEncoding.pathPart(name))=\(PercentEncoding.pathPart($0))" }
    }
    return path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
  }

  static func == (left: ConsoleCall, right: ConsoleCall) -> Bool {
    left.method == right.method && left.address == right.address && left.body == right.body
  }

  var body: [UInt8] {
    if method == "GET" { return [] }
    let given = fields.compactMap { name, value in value.map { (name, JSON.text($0)) } }
    return Array(JSON.object(given).written.utf8)
  }
}

/// Asks a console over HTTPS, one request after the other.
final class ConsoleClient {
  /// An answer of the console, with what it says of its own completeness.
  struct Reply {
    var answer: Answer
    /// nil where the console says nothing of it.
    var presence: Presence?
    /// Where the next page begins.
    var next: String?
    /// What was changed.
    var done = ""
  }

  let context: ConsoleContext
  /// For one request.
  var deadlineMs = ConsoleClient.deadlineMs
  private let transfers: Transfers

  /// Memory of this process for one answer.
  private static let answerBytesMax = 256 << 20
  /// The console gives up a question to its database after 20 s.
  static let deadlineMs = 60_000
  private static let rows = "application/vnd.signalbox.rows+json"

  init(_ context: ConsoleContext) throws {
    self.context = context
    do {
      transfers = try Transfers()
    } catch {
      throw CommandFailure(.failed, "\(error)")
    }
  }

  /// - Parameter shown: titles and units of the columns.
  /// - Throws: `CommandFailure`; `.nothingFound` with the console's sentence where it knows nothing of that name.
  func ask(_ call: ConsoleCall, _ shown: [Answer.Column] = []) throws -> Reply {
    let document = try json(call, accept: Self.rows)
    guard let rows = document["answer"], var answer = Answer(rows: rows, shown) else { throw otherVersion(call) }
    let meta = document["meta"]
    answer.isCut = meta?["truncated"]?.flag ?? false
    return Reply(
      answer: answer, presence: meta.flatMap { Presence($0) }, next: document["next"]?.text,
      done: document["done"]?.text ?? "")
  }

  func json(_ call: ConsoleCall, accept: String = "application/json") throws -> JSON {
    guard let document = JSON.read(try bytes(call, accept: accept)) else { throw otherVersion(call) }
    return document
  }

  /// An answer in a form of its own, whole.
  func bytes(_ call: ConsoleCall, accept: String) throws -> [UInt8] {
    let answer = try send(call, accept: accept)
    guard answer.code == 200 else { throw failure(answer, call) }
    if answer.isCut {
      throw CommandFailure(.failed, "the console's answer has more than \(Self.answerBytesMax >> 20) MiB: ask for less")
    }
    return answer.body
  }

  /// - Parameters:
  ///   - content: the body as it is, instead of the call's fields.
  ///   - more: headers.
  func send(
    _ call: ConsoleCall, accept: String, content: [UInt8]? = nil, more: [String] = []
  ) throws -> OutboundAnswer {
    // An address without a name, or with one of dots alone, is another address.
    if let part = call.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().first(where: {
      ["", ".", ".."].contains($0)
    }) {
      throw CommandFailure(.nothingFound, "nothing is called '\(part)'")
    }
    var headers = more + ["Authorization: Bearer \(context.token)", "Accept: \(accept)"]
    if call.method == "POST" { headers.append("Content-Type: application/json") }
    var request = HTTPRequest(
      method: call.method, url: context.url + call.address, headers: headers, body: content ?? call.body)
    request.authorities = context.authorities
    request.answerBytesMax = Self.answerBytesMax
    do throws(OutboundError) {
      try transfers.begin(.http(request), tag: 0, deadlineMs: deadlineMs)
      while true {
        guard let done = transfers.work(waitMs: 1000).first else { continue }
        return try done.result.get()
      }
    } catch {
      throw CommandFailure(.notReachable, unreachable(error))
    }
  }

  /// The authority's own sentence says what is refused; what to do about it depends on the context.
  private func unreachable(_ error: OutboundError) -> String {
    let remedy =
      error.message.contains("no authority that is trusted")
      ? "; signalbox login \(context.url) --ca FILE takes the authority's certificate, ca/root.pem of the collector's state"
      : ""
    return "the console \(context.url) cannot be asked: \(error.message)\(remedy)"
  }

  private func otherVersion(_ call: ConsoleCall) -> CommandFailure {
    CommandFailure(
      .failed, "the console's answer to \(call.path) is not one that this version knows: use the console's version")
  }

  /// A sentence about a parameter of the address names the option that a person wrote.
  private static func withOptions(_ sentence: String, _ call: ConsoleCall) -> String {
    let word = String(sentence.prefix { $0 != " " && $0 != ":" })
    guard call.query.contains(where: { $0.0 == word && $0.1 != nil }) else { return sentence }
    let option = word == "q" ? "text" : word == "actor" ? "by" : word.split(separator: "_").joined(separator: "-")
    return "--" + option + sentence.dropFirst(word.count)
  }

  private func failure(_ answer: OutboundAnswer, _ call: ConsoleCall) -> CommandFailure {
    let problem = JSON.read(answer.body)
    let detail = problem?["detail"]?.text.map { PlainText.cut($0, scalarsMax: 2000) }
    let sentence = detail ?? "it answers with status \(answer.code)"
    switch answer.code {
    case 400: return CommandFailure(.usage, Self.withOptions(sentence, call))
    case 401:
      return CommandFailure(
        .failed,
        "the console refuses the token of context '\(context.name)': \(sentence); signalbox login stores a new one")
    case 404 where detail?.hasPrefix("nothing has this address") == true, 405, 406: return otherVersion(call)
    case 404: return CommandFailure(.nothingFound, sentence)
    case 429, 502, 503: return CommandFailure(.notReachable, "the console \(context.url): \(sentence)")
    default: return CommandFailure(.failed, "the console refuses: \(sentence)")
    }
  }
}
