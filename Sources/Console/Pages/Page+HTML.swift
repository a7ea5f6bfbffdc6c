internal import Answers
internal import FleetModel
internal import Store

/// A page with its frame: who is logged in, where else to go, and what the answer cannot speak for.
struct PageFrame {
  let page: Page
  let caller: Caller?
  let formToken: String
  let nowNs: Int64

  static let places: [(path: String, name: String)] = [
    ("/", "Fleet"), ("/runs", "Runs"), ("/incidents", "Incidents"),
  ]

  var html: [UInt8] {
    var html = HTMLWriter()
    html.raw("<!doctype html>")
    html.open("html", [("lang", "en")])
    html.open("head")
    html.raw("<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
    html.element("title", [], "\(page.title) · Signalbox")
    html.open("link", [("rel", "stylesheet"), ("href", StyleSheet.path)])
    html.close("head")
    html.open("body")
    writeHead(&html)
    html.open("main")
    html.element("h1", [], page.title)
    for block in page.blocks { write(block, &html) }
    html.close("main")
    writeFoot(&html)
    html.raw("</body></html>\n")
    return html.bytes
  }

  private func writeHead(_ html: inout HTMLWriter) {
    html.open("header")
    html.open("nav", [("aria-label", "Pages")])
    if caller != nil {
      for (path, name) in Self.places { html.element("a", [("href", path)], name) }
    } else {
      html.element("span", [], "Signalbox")
    }
    html.close("nav")
    if let caller {
      html.element("span", [("class", "who")], "\(caller.name) (\(caller.role.rawValue))")
      if caller.kind == .session { write(Page.Form(path: "/logout", button: "Log out"), &html) }
    }
    html.close("header")
  }

  private func writeFoot(_ html: inout HTMLWriter) {
    html.open("footer")
    html.element("span", [], "Times are UTC; as of \(Timestamp.text(nowNs, digits: 0)).")
    if let command = page.command {
      html.element("span", [], " The same in a terminal: ")
      html.element("code", [], command)
    }
    html.close("footer")
  }

  private func write(_ block: Page.Block, _ html: inout HTMLWriter) {
    switch block {
    case .heading(let text): html.element("h2", [], text)
    case .text(let text): html.element("p", [], text)
    case .notice(let text): html.element("p", [("class", "notice"), ("role", "status")], text)
    case .table(_, let answer, let link, let empty): write(answer, link, empty, &html)
    case .items(let items, let isNumbered):
      if isNumbered { html.open("ol") } else { html.open("ul") }
      for item in items { html.element("li", [], item) }
      if isNumbered { html.close("ol") } else { html.close("ul") }
    case .quoted(let texts):
      for text in texts {
        html.open("pre")
        // A line break of the text is one on the page, unlike other control characters.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() {
          if number > 0 { html.raw("\n") }
          html.text(String(Substring(line)))
        }
        html.close("pre")
      }
    case .form(let form): write(form, &html)
    }
  }

  private func write(_ form: Page.Form, _ html: inout HTMLWriter) {
    html.open("form", [("method", "post"), ("action", form.path)])
    if !formToken.isEmpty {
      html.open("input", [("type", "hidden"), ("name", FormToken.field), ("value", formToken)])
    }
    for input in form.inputs {
      html.open("label")
      html.text(input.label)
      html.raw(" ")
      html.open(
        "input",
        [
          ("name", input.name), ("type", input.isSecret ? "password" : "text"), ("autocomplete", "off"),
          ("required", ""),
        ])
      html.close("label")
    }
    html.element("button", form.isMain ? [("class", "main")] : [], form.button)
    html.close("form")
  }

  private func write(_ answer: Answer, _ link: Page.Link?, _ empty: String, _ html: inout HTMLWriter) {
    guard !answer.rows.isEmpty else { return html.element("p", [("class", "quiet")], empty) }
    let shown = answer.columns.indices.filter { answer.columns[$0].title != nil }
    let renderer = Renderer(format: .table, nowNs: nowNs)
    html.raw("<div class=\"wide\"><table><thead><tr>")
    for column in shown { html.element("th", [("scope", "col")], Self.heading(answer.columns[column])) }
    html.raw("</tr></thead><tbody>")
    for row in answer.rows {
      html.open("tr")
      for column in shown {
        let name = answer.columns[column].name
        let classes = Self.classes(name, row[column])
        if classes.isEmpty { html.open("td") } else { html.open("td", [("class", classes)]) }
        let text = renderer.shortText(row[column], answer.columns[column].unit)
        if let link, link.column == name, let path = Self.path(link, row[column]) {
          html.element("a", [("href", path)], text)
        } else {
          html.text(text)
        }
        html.close("td")
      }
      html.close("tr")
    }
    html.raw("</tbody></table></div>")
  }

  private static func heading(_ column: Answer.Column) -> String {
    let words = (column.title ?? "").lowercased()
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  private static func path(_ link: Page.Link, _ cell: Cell) -> String? {
    switch cell {
    case .text(let text): link.path + PercentEncoding.pathPart(text)
    case .integer(let number): link.path + String(number)
    default: nil
    }
  }

  /// A state has a colour beside its word; a figure stands at the right.
  private static func classes(_ name: String, _ cell: Cell) -> String {
    switch cell {
    case .text(let word) where name == "state" || name == "severity":
      stateClasses.contains(word) ? "s-\(word)" : ""
    case .integer, .real: "n"
    default: ""
    }
  }

  private static let stateClasses: Set<String> = [
    "live", "late", "silent", "waiting", "revoked", "open", "acked", "muted", "resolved", "P0", "P1", "P2", "P3", "P4",
    "running", "completed", "failed",
  ]
}

/// RFC 3986, section 2.
enum PercentEncoding {
  private static let digits = Array("0123456789ABCDEF".utf8)

  /// One part of a path: also its slashes are encoded.
  static func pathPart(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      let isPlain =
        byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") || byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
        || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") || "-._~".utf8.contains(byte)
      if isPlain {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
