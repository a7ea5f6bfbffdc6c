internal import Answers
internal import FleetModel
internal import Store

/// The page of log lines: how many there are over the time and of what level, by whom, and then the lines or their templates.
struct LogsView {
  /// Parameters of the search as they were given.
  let address: Address
  let buckets: LogBuckets
  /// Rows of `LogQueries.counts`.
  let counts: Answer
  /// Rows of `RunQueries.overlapping`.
  let runs: Answer
  /// Rows of `LogQueries.templates`; nil on the view of lines.
  var templates: Answer?
  /// The newest first; nil on the view of templates.
  var lines: Answer?

  static let path = "/logs"

  var blocks: [Page.Block] {
    var blocks: [Page.Block] = [.charts([histogram])]
    blocks += facet("host", "HOST", without: "without_host") + facet("file", "FILE", without: "without_file")
    blocks += runFacet
    blocks += [
      .choices("Level:", levels), .choices("Only the level:", singleLevels), .choices("Show:", views),
    ]
    blocks += exclusions
    if let templates {
      blocks += [.heading("Templates"), .text(news), Self.table(of: templates, name: "templates", address)]
    }
    if let lines { blocks += [.heading("Lines"), table(ofLines: lines)] }
    return blocks
  }

  private var views: [Page.Choice] {
    [
      .init("lines", address.with("view", nil).text, isChosen: templates == nil),
      .init("templates", address.with("view", "templates").text, isChosen: templates != nil),
    ]
  }

  // MARK: Histogram

  private static let styles: [(word: String?, style: Int, name: String)] = [
    ("ERROR", 4, "ERROR"), ("WARN", 3, "WARN"), ("INFO", 2, "INFO"), ("DEBUG", 1, "DEBUG"), (nil, 0, "no level"),
  ]

  private func rows(_ facet: String) -> [[Cell]] { counts.rows.filter { $0.first == .text(facet) } }

  private static func amount(_ cell: Cell) -> Double { cell.double ?? 0 }

  var total: Int64 {
    rows("level").reduce(0) { sum, row in
      if case .integer(let lines) = row[4] { sum.addingClamped(lines) } else { sum }
    }
  }

  private var histogram: Chart {
    let byTime = Dictionary(grouping: rows("histogram")) { $0[1] }
    let bars = byTime.compactMap { time, rows -> Chart.Bar? in
      guard let from = time.double else { return nil }
      let parts = Self.styles.map { level in
        (
          style: level.style,
          amount: rows.filter { $0[2] == (level.word.map(Cell.text) ?? .null) }.map { Self.amount($0[4]) }.reduce(0, +)
        )
      }
      return Chart.Bar(from: from, to: from + Double(buckets.widthNs) * 0.92, parts: parts)
    }.sorted { $0.from < $1.from }
    let levels = rows("level")
    let words = Self.styles.compactMap { level -> (style: Int, name: String)? in
      guard let row = levels.first(where: { $0[2] == (level.word.map(Cell.text) ?? .null) }) else { return nil }
      return (level.style, "\(Int64(Self.amount(row[4]))) \(level.name)")
    }
    let highest = bars.map { $0.parts.map(\.amount).reduce(0, +) }.max() ?? 0
    var chart = Chart(
      "\(total) line\(total == 1 ? "" : "s")", [],
      sentence: total == 0
        ? "none matches in this time"
        : words.map(\.name).joined(separator: ", ")
          + "; at most \(Int64(highest)) in \(TimeSpan.text(buckets.widthNs))",
      axis: .time, from: Double(buckets.sinceNs), to: Double(buckets.untilNs), bottom: 0)
    chart.bars = bars
    chart.barNames = words
    chart.top = max(1, highest)
    return chart
  }

  // MARK: Facets

  private func facet(_ name: String, _ title: String, without: String) -> [Page.Block] {
    let rows = rows(name)
    // One that has the same value everywhere chooses nothing.
    guard rows.count > 1 else { return [] }
    let answer = Answer(
      columns: [
        .init(name, title), .init("lines", "LINES"), .init("only", "ONLY", forPeopleOnly: true),
        .init("without", "WITHOUT", forPeopleOnly: true), .init("only_path", forPeopleOnly: true),
        .init("without_path", forPeopleOnly: true),
      ],
      rows: rows.map { row in
        guard case .text(let value) = row[3] else { return [row[3], row[4], .null, .null, .null, .null] }
        return [
          row[3], row[4], .text("only"), .text("without"), .text(address.with(name, value).text),
          .text(address.with(without, value).text),
        ]
      })
    return [
      .table(
        name: "\(name)s", answer,
        links: [
          .init(column: "only", path: "", key: "only_path", isWhole: true),
          .init(column: "without", path: "", key: "without_path", isWhole: true),
        ], empty: "")
    ]
  }

  private func chosen(_ name: String) -> String? { address.values.first { $0.name == name }?.value }

  private var levels: [Page.Choice] {
    let (chosen, all) = (chosen("level"), address.with("only_level", nil))
    return [.init("all", all.with("level", nil).text, isChosen: chosen == nil && self.chosen("only_level") == nil)]
      + LevelName.allCases.reversed().map {
        .init("\($0.rawValue) and above", all.with("level", $0.rawValue).text, isChosen: chosen == $0.rawValue)
      }
  }

  private var singleLevels: [Page.Choice] {
    let chosen = chosen("only_level")
    return LevelName.allCases.reversed().map {
      .init(
        $0.rawValue, address.with("level", nil).with("only_level", $0.rawValue).text, isChosen: chosen == $0.rawValue)
    }
  }

  /// What "new" stands for, and that it is not known of all.
  private var news: String {
    let length = TimeSpan.text(buckets.untilNs.subtractingClamped(buckets.sinceNs))
    let known = "New: this search finds no line of it in the \(length) before."
    let place = templates?.columns.firstIndex { $0.name == "new" }
    let isUnknown = templates?.rows.contains { row in
      if let place, case .text = row[0] { row[place] == .null } else { false }
    }
    return isUnknown == true
      ? known + " Of some it is not known: lines of their level do not reach back so far." : known
  }

  /// Lines do not name their run: of one are those of its host in its time.
  private var runFacet: [Page.Block] {
    guard !runs.rows.isEmpty, !address.values.contains(where: { $0.name == "run" }) else { return [] }
    var answer = runs
    answer.columns += [.init("only", "ONLY", forPeopleOnly: true), .init("only_path", forPeopleOnly: true)]
    answer.rows = runs.rows.map { row in
      let number = if case .integer(let number) = row[0] { String(number) } else { "" }
      return row + [.text("only"), .text(address.with("run", number).with("host", nil).text)]
    }
    return [
      .table(
        name: "runs", answer,
        links: [
          .init(column: "run", path: "/runs/", key: "id"),
          .init(column: "only", path: "", key: "only_path", isWhole: true),
        ], empty: "")
    ]
  }

  static let runColumns: [Answer.Column] = [
    .init("id"), .init("run", "RUN"), .init("host", "HOST"), .init("lines", "LINES OF ITS HOST MEANWHILE"),
  ]

  /// What the search leaves out, each with the link that takes it back.
  private var exclusions: [Page.Block] {
    let words = ["without_host", "without_file", "without", "template", "without_template", "file", "regex", "run"]
    let links = address.values.filter { words.contains($0.name) }.map { name, value in
      Page.Choice("✕ \(name.replacing("_", with: " ")): \(value)", address.with(name, nil).text)
    }
    return links.isEmpty ? [] : [.choices("Narrowed by:", links)]
  }

  // MARK: Lines and templates

  static let templateColumns: [Answer.Column] = [
    .init("template", "TEMPLATE", rank: 1), .init("templates"), .init("level", "LEVEL", rank: 2),
    .init("lines", "LINES", rank: 0), .init("hosts", "HOSTS", rank: 3), .init("files"),
    .init("first", "FIRST", rank: 4), .init("last", "LAST", rank: 7), .init("first_host", "FIRST FROM", rank: 5),
    .init("first_file", "IN", rank: 6),
  ]

  /// Of a template, in the list: what tells it from the others stands at its head.
  private static let shownScalarsMax = 160

  /// - Parameter address: of the search, for links that show its lines or leave it out.
  static func table(of templates: Answer, name: String, _ address: Address) -> Page.Block {
    var answer = templates
    // Scripts get the whole of what people get the head of.
    for index in answer.columns.indices where ["template", "first_file"].contains(answer.columns[index].name) {
      answer.columns[index].title = nil
    }
    let new = templates.columns.firstIndex { $0.name == "new" }
    answer.columns += [
      .init("news", "NEW", rank: 2, forPeopleOnly: true), .init("head", "TEMPLATE", rank: 1, forPeopleOnly: true),
      .init("file", "IN", rank: 6, forPeopleOnly: true),
      .init("hide", "LEAVE OUT", rank: 9, forPeopleOnly: true), .init("show_path", forPeopleOnly: true),
      .init("hide_path", forPeopleOnly: true),
    ]
    let lines = address.with("view", nil)
    answer.rows = templates.rows.map { row in
      let file: Cell =
        if case .text(let path) = row[9] { .text(String(path.split(separator: "/").last ?? "")) } else { .null }
      guard case .text(let template) = row[0] else {
        let count = if case .integer(let number) = row[1] { number } else { Int64(0) }
        return row + [.null, .text("(\(count) other templates)"), file, .null, .null, .null]
      }
      let head = PlainText.cut(PlainText.line(template), scalarsMax: shownScalarsMax)
      return row + [
        new.map { row[$0] } == .boolean(true) ? .text("new") : .null, .text(head.isEmpty ? "(empty)" : head), file,
        .text("without"), .text(lines.with("template", template).text),
        .text(address.with("without_template", template).text),
      ]
    }
    return .table(
      name: name, answer,
      links: [
        .init(column: "first_host", path: "/hosts/"),
        .init(column: "head", path: "", key: "show_path", isWhole: true),
        .init(column: "hide", path: "", key: "hide_path", isWhole: true),
      ], empty: "No line matches.")
  }

  private func table(ofLines lines: Answer) -> Page.Block {
    .table(
      name: "lines", Self.withContext(lines),
      links: [
        .init(column: "host", path: "/hosts/"), .init(column: "time", path: "", key: "context_path", isWhole: true),
      ], empty: "No line matches.")
  }

  /// Each line with the address of its surroundings.
  static func withContext(_ lines: Answer) -> Answer {
    let place = Dictionary(lines.columns.enumerated().map { ($1.name, $0) }) { first, _ in first }
    guard let time = place["time"], let host = place["host"], let file = place["file"], let offset = place["offset"]
    else { return lines }
    var answer = lines
    answer.columns.append(.init("context_path", forPeopleOnly: true))
    answer.rows = lines.rows.map { row in
      guard case .time(let ns) = row[time], case .text(let host) = row[host], case .text(let file) = row[file],
        case .integer(let offset) = row[offset]
      else { return row + [.null] }
      let address = Address(
        "/logs/context", [("host", host), ("file", file), ("time", Timestamp.text(ns)), ("offset", String(offset))])
      return row + [.text(address.text)]
    }
    return answer
  }
}
