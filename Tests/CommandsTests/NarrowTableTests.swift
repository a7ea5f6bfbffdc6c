import Answers
import FleetModel
import Testing

@testable import Commands

/// Names as fleets have them, on a terminal of 80 columns and on a phone of 40.
@Suite struct NarrowTableTests {
  struct Listing: Sendable {
    var columns: [Answer.Column]
    /// How wide the texts are, by column; the others are figures.
    var texts: [String: Int]
    /// Headings that are there, with how much of the text is.
    var at80: [String: Int]
    var at40: [String: Int]
  }

  static let listings = [
    Listing(
      columns: ShownColumns.incidents,
      texts: [
        "severity": 2, "state": 8, "rule": 16, "host": 31, "summary": 120, "entity": 80, "acked_by": 9, "muted_by": 40,
      ],
      at80: ["ID": 3, "SEV": 3, "STATE": 8, "RULE": 12, "HOST": 12, "OPENED": 9, "SUMMARY": 20],
      at40: ["ID": 3, "SEV": 3, "HOST": 12, "SUMMARY": 16]),
    Listing(
      columns: ShownColumns.runs, texts: ["host": 31, "run": 44, "state": 9, "framework": 17],
      at80: ["RUN": 24, "STATE": 9, "HOST": 12, "UPDATED": 9], at40: ["RUN": 24, "STATE": 9]),
    Listing(
      columns: ShownColumns.episodes, texts: ["host": 31, "run": 44, "status": 12],
      at80: ["RUN": 20, "EPISODE": 7, "STATUS": 10, "REWARD": 6, "HOST": 12], at40: ["RUN": 20, "EPISODE": 7]),
    Listing(
      columns: HostsCommand.shown, texts: ["host": 31, "state": 7, "os_name": 30, "agent_version": 6],
      at80: ["HOST": 16, "STATE": 7, "SEEN": 9, "GPUS": 4], at40: ["HOST": 16, "STATE": 7, "SEEN": 9]),
  ]

  @Test(arguments: listings.indices) func whatPeopleNeedFirstIsThere(_ index: Int) {
    let listing = Self.listings[index]
    let nowNs: Int64 = 1_760_000_000_000_000_000
    let row = listing.columns.map { column -> Cell in
      if let width = listing.texts[column.name] { return .text(String(repeating: "x", count: width)) }
      return column.unit == .age || column.name.contains("expires") ? .time(nowNs - 871_000_000_000) : .integer(123)
    }
    let answer = Answer(columns: listing.columns, rows: [row])
    for (width, wanted) in [(80, listing.at80), (40, listing.at40)] {
      let renderer = Renderer(format: .table, nowNs: nowNs, width: width)
      let lines = renderer.text(answer).split(separator: "\n").map(String.init)
      #expect(lines.count == 2 && lines.allSatisfy { $0.count <= width }, "\(lines)")
      let left = renderer.leftOut(answer)
      let cells = Self.cells(lines)
      #expect(Set(cells.keys).isDisjoint(with: left) && cells.count + left.count == listing.columns.count)
      for title in wanted.keys { #expect(cells[title] != nil, "\(title) at \(width): \(lines)") }
      for (name, natural) in listing.texts {
        let title = listing.columns.first { $0.name == name }?.title ?? ""
        guard let least = wanted[title] else { continue }
        #expect(cells[title] ?? 0 >= min(natural, least), "\(title) at \(width): \(lines)")
      }
    }
  }

  /// How wide the cell below each heading is; headings of two words are those of the column list.
  private static func cells(_ lines: [String]) -> [String: Int] {
    let titles = lines[0].split(separator: "  ", omittingEmptySubsequences: true)
      .map { $0.drop { $0 == " " } }.filter { !$0.isEmpty }.map(String.init)
    let values = lines[1].replacing(" ago", with: "-ago").replacing(" B", with: "-B").split(separator: " ").map(\.count)
    return Dictionary(zip(titles, values)) { first, _ in first }
  }

  /// How long ago something was is no stopwatch.
  @Test func agesAreWholeSeconds() {
    #expect(TimeSpan.age(4_058_000_000) == "4s" && TimeSpan.age(58_000_000) == "58ms")
    #expect(TimeSpan.age(871_400_000_000) == "14m31s" && TimeSpan.age(-5) == "0s")
  }

  /// A traceback is read by its indentation, which Go and Java write with tabs.
  @Test func evidenceKeepsItsIndentation() {
    let incident = Answer(
      columns: ShownColumns.incidents, rows: [ShownColumns.incidents.map { _ in Cell.text("x") }])
    let traceback = "ERROR failed\nTraceback:\n  File \"a.py\", line 1\n    main()\n\tat com.example.Main\n"
    let texts = Answer(
      columns: [.init("kind"), .init("text")],
      rows: [[.text("evidence"), .text(traceback)], [.text("step"), .text("Look.\n  closely")]])
    for width in [nil, 80] {
      let lines = IncidentPage(IncidentDetails(incident, texts, nowNs: 0), width: width).text.split(separator: "\n")
      for part in [
        "  ERROR failed", "    Traceback:", "      File \"a.py\", line 1", "        main()",
        "        at com.example.Main", "  1. Look.", "      closely",
      ] { #expect(lines.contains(Substring(part)), "\(part): \(lines)") }
    }
    // Narrow, each line stays within it.
    let narrow = IncidentPage(IncidentDetails(incident, texts, nowNs: 0), width: 22).text.split(separator: "\n")
    #expect(narrow.allSatisfy { $0.count <= 22 }, "\(narrow)")
  }
}
