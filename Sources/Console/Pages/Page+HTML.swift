internal import Answers
internal import FleetModel
internal import Store

/// A page with its frame: who is logged in, where else to go, and what the answer cannot speak for.
struct PageFrame {
  let page: Page
  let caller: Caller?
  let formToken: String
  let nowNs: Int64
  var hasChartLibrary = false

  static let places: [(path: String, name: String)] = [
    ("/", "Fleet"), ("/runs", "Runs"), ("/models", "Models"), ("/serving", "Serving"), ("/logs", "Logs"),
    ("/incidents", "Incidents"), ("/oncall", "On call"), ("/silences", "Silences"), ("/query", "Query"),
  ]

  var html: [UInt8] {
    var html = HTMLWriter()
    html.raw("<!doctype html>")
    html.open("html", [("lang", "en")])
    html.open("head")
    html.raw("<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
    html.element("title", [], "\(page.title) · Signalbox")
    html.open("link", [("rel", "stylesheet"), ("href", StyleSheet.path)])
    html.raw("<link rel=\"icon\" href=\"/icon.svg\">")
    let isDrawn = hasChartLibrary && page.hasCharts
    if isDrawn { html.open("link", [("rel", "stylesheet"), ("href", ChartLibrary.File.style.path)]) }
    var scripts = [Script.common.path]
    if page.live != nil { scripts.append(Script.fleet.path) }
    if page.tail != nil { scripts.append(Script.tail.path) }
    if page.hasParallel { scripts.append(Script.parallel.path) }
    if isDrawn { scripts += [ChartLibrary.File.script.path, Script.charts.path] }
    for path in scripts { html.element("script", [("src", path), ("defer", "")], "") }
    html.close("head")
    html.open("body")
    writeHead(&html)
    if let live = page.live {
      html.open("main", [("data-live", live)])
    } else if let tail = page.tail {
      html.open("main", [("data-tail", tail)])
    } else {
      html.open("main")
    }
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
      if caller?.role == .admin { html.element("a", [("href", "/admin")], "Admin") }
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
    html.text("Times are UTC; as of ")
    let now = Timestamp.text(nowNs, digits: 0)
    html.element("time", [("id", "as-of"), ("datetime", now)], now)
    html.raw(". ")
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
    case .done(let text): html.element("p", [("class", "done"), ("role", "status")], text)
    case .table(let name, let answer, let links, let empty): write(answer, name, links, empty, &html)
    case .items(let items, let isNumbered):
      if isNumbered { html.open("ol") } else { html.open("ul") }
      for item in items { html.element("li", [], item) }
      if isNumbered { html.close("ol") } else { html.close("ul") }
    case .quoted(let texts):
      for text in texts {
        html.open("pre")
        html.lines(text)
        html.close("pre")
      }
    case .form(let form): write(form, &html)
    case .search(let search): write(search, &html)
    case .stack(let charts):
      for chart in charts { chart.write(&html) }
    case .links(let links):
      html.open("p", [("class", "links")])
      for (name, path) in links { html.element("a", [("href", PercentEncoding.path(path))], name) }
      html.close("p")
    case .charts(let charts):
      html.open("div", [("class", "charts")])
      for chart in charts { chart.write(&html) }
      html.close("div")
    case .map(let map): map.write(&html)
    case .parallel(let chart): chart.write(&html)
    case .choices(let label, let choices):
      html.open("p", [("class", "choices")])
      html.text(label)
      for choice in choices {
        html.raw(" ")
        html.element(
          "a", [("href", choice.path)] + (choice.isChosen ? [("aria-current", "true")] : []), choice.name)
      }
      html.close("p")
    }
  }

  private func write(_ search: Page.Search, _ html: inout HTMLWriter) {
    html.open("form", [("method", "get"), ("action", search.path), ("role", "search")])
    for input in search.inputs {
      if input.isHidden {
        html.open("input", [("type", "hidden"), ("name", input.name), ("value", input.value)])
        continue
      }
      html.open("label")
      html.text(input.label)
      html.raw(" ")
      if input.choices.isEmpty {
        html.open("input", [("name", input.name), ("value", input.value), ("autocomplete", "off")])
      } else {
        html.open("select", [("name", input.name)])
        for choice in input.choices {
          var attributes: [(StaticString, String)] = [("value", choice)]
          if choice == input.value { attributes.append(("selected", "")) }
          html.element("option", attributes, choice)
        }
        html.close("select")
      }
      html.close("label")
    }
    html.element("button", [("class", "main")], search.button)
    html.close("form")
  }

  private func write(_ form: Page.Form, _ html: inout HTMLWriter) {
    html.open("form", [("method", "post"), ("action", form.path)])
    if !formToken.isEmpty {
      html.open("input", [("type", "hidden"), ("name", FormToken.field), ("value", FormToken.masked(formToken))])
    }
    for input in form.inputs {
      if input.isHidden {
        html.open("input", [("type", "hidden"), ("name", input.name), ("value", input.value)])
        continue
      }
      html.open("label")
      html.text(input.label)
      html.raw(" ")
      if input.isLong {
        html.open("textarea", [("name", input.name), ("rows", "8"), ("spellcheck", "false"), ("required", "")])
        // The parser drops a line break that follows the tag.
        html.raw("\n")
        html.edited(input.value)
        html.close("textarea")
        html.close("label")
        continue
      }
      var attributes: [(StaticString, String)] = [
        ("name", input.name), ("value", input.value), ("type", input.isSecret ? "password" : "text"),
        ("autocomplete", "off"),
      ]
      if !input.isOptional { attributes.append(("required", "")) }
      html.open("input", attributes)
      html.close("label")
    }
    html.element("button", form.isMain ? [("class", "main")] : [], form.button)
    html.close("form")
  }

  private func write(
    _ answer: Answer, _ name: String, _ links: [Page.Link], _ empty: String, _ html: inout HTMLWriter
  ) {
    guard !answer.rows.isEmpty else { return html.element("p", [("class", "quiet")], empty) }
    let shown = Self.shown(answer)
    let headings = shown.map { Self.heading(answer.columns[$0]) }
    // What is wider than the page is moved by its keys as well.
    html.open("div", [("class", "wide"), ("role", "region"), ("tabindex", "0"), ("aria-label", "Table: \(name)")])
    html.raw("<table><thead><tr>")
    for heading in headings { html.element("th", [("scope", "col")], heading) }
    html.raw("</tr></thead><tbody>")
    let seen = answer.columns.firstIndex { $0.name == "last_seen" }
    for row in answer.rows {
      // The last figures of a host that reports no more are not those of now.
      let age = seen.flatMap { column in Self.staleness(row[column], page.agesNs(nowNs)) }
      html.open("tr", age == nil ? [] : [("class", "old")])
      for (column, heading) in zip(shown, headings) {
        let link = links.first { $0.column == answer.columns[column].name }
        let key = link.flatMap { link in answer.columns.firstIndex { $0.name == link.key ?? link.column } }
        let path = link.flatMap { link in key.flatMap { Self.path(link, row[$0]) } }
        write(row[column], answer.columns[column], heading, path, age, &html)
      }
      html.close("tr")
    }
    html.raw("</tbody></table></div>")
  }

  /// What matters most comes first; a column in which nothing stands is left out.
  private static func shown(_ answer: Answer) -> [Int] {
    answer.columns.indices.filter { column in
      answer.columns[column].title != nil
        && (answer.columns[column].isAlwaysShown
          || answer.rows.contains { $0[column] != .null && $0[column] != .text("") })
    }.sorted { (answer.columns[$0].rank, $0) < (answer.columns[$1].rank, $1) }
  }

  private func write(
    _ cell: Cell, _ column: Answer.Column, _ heading: String, _ path: String?, _ age: String?,
    _ html: inout HTMLWriter
  ) {
    let text =
      cell == .null ? "" : Renderer(format: .table, nowNs: page.agesNs(nowNs)).shortText(cell, column.unit)
    let classes = Self.classes(column.name, cell, isLong: text.utf8.count > Self.longBytes)
    // On a phone each row is a block, and each cell carries its heading.
    var attributes: [(StaticString, String)] = [("data-h", heading)]
    if !classes.isEmpty { attributes.append(("class", classes)) }
    html.open("td", attributes)
    if let path {
      html.element("a", [("href", path)], text)
    } else if case .text(let whole) = cell, classes == "long" {
      html.lines(PlainText.cut(whole, scalarsMax: Self.cellScalarsMax))
    } else if case .time(let ns) = cell {
      html.element("time", [("datetime", Timestamp.text(ns, digits: 0))], text)
    } else {
      html.text(text)
      if let age, case .real = cell {
        html.raw(" ")
        html.element("small", [], age)
      }
    }
    html.close("td")
  }

  /// Three reports of an agent that samples every 5 s.
  private static let staleNs: Int64 = 15_000_000_000

  /// "4 m old"; nil where it is current.
  private static func staleness(_ seen: Cell, _ nowNs: Int64) -> String? {
    guard case .time(let ns) = seen, nowNs.subtractingClamped(ns) > staleNs else { return nil }
    return "\(TimeSpan.age(nowNs.subtractingClamped(ns))) old"
  }

  /// What one cell shows of a text: one line must not fill the page.
  private static let cellScalarsMax = 4_000

  /// Longer texts are broken into lines.
  private static let longBytes = 28

  private static func heading(_ column: Answer.Column) -> String {
    let title = column.title ?? ""
    // Abbreviations stay as they are.
    if ["ID", "CPU", "GPU", "PID"].contains(title) { return title }
    return title.prefix(1) + title.dropFirst().lowercased()
  }

  private static func path(_ link: Page.Link, _ cell: Cell) -> String? {
    switch cell {
    case .text(let text):
      link.isWhole
        ? (text.hasPrefix("/") ? PercentEncoding.path(text) : nil) : link.path + PercentEncoding.pathPart(text)
    case .integer(let number): link.path + String(number)
    default: nil
    }
  }

  /// A state has a colour beside its word; a figure stands at the right.
  private static func classes(_ name: String, _ cell: Cell, isLong: Bool) -> String {
    switch cell {
    case .text(let word) where ["state", "severity", "level"].contains(name):
      stateClasses.contains(word) ? "s-\(word)" : ""
    case .integer, .real: "n"
    default: isLong ? "long" : ""
    }
  }

  private static let stateClasses: Set<String> = [
    "live", "late", "silent", "waiting", "revoked", "open", "acked", "muted", "resolved", "P0", "P1", "P2", "P3", "P4",
    "running", "completed", "failed", "ERROR", "WARN",
  ]
}
