internal import Answers
internal import FleetModel

/// Forms in which an answer can be asked for.
enum MediaType: String, CaseIterable, Sendable {
  case json = "application/json"
  case ndjson = "application/x-ndjson"
  case csv = "text/csv"
  case markdown = "text/markdown"
  case html = "text/html"
  /// What the command line asks for: the same answer with the kinds of its values.
  case rows = "application/vnd.signalbox.rows+json"
  /// Server-sent events, of a stream.
  case events = "text/event-stream"

  /// - Parameters:
  ///   - accept: the header of the request. - known: what the route can answer, the usual form first.
  /// - Returns: nil where none of them is accepted. Source: RFC 9110, section 12.5.1; of equal weight the first of the header.
  static func choose(_ accept: String?, among known: [MediaType]) -> MediaType? {
    guard let accept, !accept.isEmpty else { return known.first }
    var best: (type: MediaType, weight: Double)?
    for range in accept.split(separator: ",").prefix(32) {
      let parts = range.split(separator: ";").map { $0.trimmingBlanks().lowercased() }
      let weight = parts.dropFirst().compactMap { $0.hasPrefix("q=") ? Double($0.dropFirst(2)) : nil }.first ?? 1
      guard let name = parts.first, weight > 0, weight > best?.weight ?? 0 else { continue }
      let match = known.first { type in
        name == "*/*" || name == type.rawValue || name == type.rawValue.prefix { $0 != "/" } + "/*"
      }
      if let match { best = (match, weight) }
    }
    return best?.type
  }
}

extension Substring {
  func trimmingBlanks() -> String {
    var text = self
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}

/// Writes a list or an object in the form that was asked for, with what it cannot speak for.
struct AnswerWriter {
  let nowNs: Int64
  let presence: Presence
  /// Of a person's statement: what it asked about.
  var meaning: JSON?

  func list(_ answer: Answer, isCut: Bool, next: String? = nil, as type: MediaType) -> [UInt8] {
    let meta = meta(isCut: isCut)
    switch type {
    case .rows:
      return JSON.object([("answer", answer.rowsJSON), ("next", .optional(next)), ("meta", meta)]).bytes
    case .json, .html, .events:
      let items = Renderer(format: .json, nowNs: nowNs).bytes(answer)
      return Array("{\"items\":".utf8) + Self.withoutNewline(items)
        + Array(",\"next\":\(JSON.optional(next).written),\"meta\":\(meta.written)}\n".utf8)
    case .ndjson:
      return Renderer(format: .ndjson, nowNs: nowNs).bytes(answer)
        + end(rows: answer.rows.count, isCut: isCut, next: next)
    case .csv: return Renderer(format: .csv, nowNs: nowNs).bytes(answer)
    case .markdown:
      return Array((Markdown.table(answer, nowNs) + "\n\n" + sentence + "\n").utf8)
    }
  }

  /// A statement may mean no host, or only names that no host has.
  private var sentence: String {
    meaning != nil && presence.asked == 0 ? "No host that has joined is asked about." : presence.sentence
  }

  private func meta(isCut: Bool) -> JSON {
    guard case .object(let fields) = presence.json(isCut: isCut), let meaning else {
      return presence.json(isCut: isCut)
    }
    return .object(fields + [("question", meaning)])
  }

  /// The last record of NDJSON, without which the answer is not whole.
  func end(rows: Int, isCut: Bool, next: String? = nil) -> [UInt8] {
    let end = JSON.object(
      [("end", .boolean(true)), ("rows", .number(Int64(rows)))] + (next.map { [("next", .text($0))] } ?? [])
        + [("meta", meta(isCut: isCut))])
    return Array((end.written + "\n").utf8)
  }

  /// - Parameter answer: with one row.
  func one(_ answer: Answer, as type: MediaType) -> [UInt8] {
    guard type == .json || type == .html else { return list(answer, isCut: false, as: type) }
    return Array("{\"item\":".utf8) + Self.object(answer)
      + Array(",\"meta\":\(presence.json(isCut: false).written)}\n".utf8)
  }

  func change(_ sentence: String, _ answer: Answer, as type: MediaType) -> [UInt8] {
    if type == .rows { return JSON.object([("done", .text(sentence)), ("answer", answer.rowsJSON)]).bytes }
    return Array("{\"done\":\(JSONText.quoted(sentence)),\"item\":".utf8) + Self.object(answer) + Array("}\n".utf8)
  }

  /// The tables of a page by name.
  func tables(of page: Page) -> [UInt8] {
    var bytes = Array("{\"title\":\(JSONText.quoted(page.title))".utf8)
    for case .table(let name, let answer, _, _) in page.blocks {
      bytes += Array(",\(JSONText.quoted(name)):".utf8)
      bytes += Self.withoutNewline(Renderer(format: .json, nowNs: nowNs).bytes(answer))
    }
    return bytes + Array(",\"meta\":\(presence.json(isCut: false).written)}\n".utf8)
  }

  private static func object(_ answer: Answer) -> [UInt8] {
    var first = answer
    first.rows = Array(answer.rows.prefix(1))
    let line = Renderer(format: .ndjson, nowNs: 0).bytes(first)
    return line.isEmpty ? Array("null".utf8) : withoutNewline(line)
  }

  private static func withoutNewline(_ bytes: [UInt8]) -> [UInt8] { bytes.last == 10 ? bytes.dropLast() : bytes }
}

extension JSON {
  /// One line.
  var bytes: [UInt8] { Array((written + "\n").utf8) }
}
