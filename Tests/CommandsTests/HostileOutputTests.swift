import Answers
import Commands
import Foundation
import Testing

/// Text of logs, names of files and columns are untrusted: nothing of it may leave its field, or reach the terminal.
@Suite struct HostileOutputTests {
  static let texts = [
    "\u{1b}[2Jx", "a\u{202e}b", "a\"\u{301}b", "a,\u{338}b", "=\u{338}SUM(A1)", "\u{301}=1+1", "\u{200b}@x", " =1+1",
    "\u{ff1d}1",
    "\t=1", "\r=1", "+1", "-1", "@x", "a\nb", "a\r\nb", "\u{a0}-1", "\"", "\"\u{338}", "',\"", "x\u{2028}y",
    String(repeating: "\u{338}", count: 300),
  ]

  /// RFC 4180, by scalars.
  static func parse(_ csv: String) -> [[String]] {
    var rows: [[String]] = [[]]
    var field = String.UnicodeScalarView()
    var isQuoted = false
    var scalars = Array(csv.unicodeScalars)[...]
    while let scalar = scalars.popFirst() {
      switch scalar {
      case "\"" where isQuoted && scalars.first == "\"":
        scalars.removeFirst()
        field.append("\"")
      case "\"": isQuoted.toggle()
      case "," where !isQuoted, "\n" where !isQuoted:
        rows[rows.count - 1].append(String(field))
        field = String.UnicodeScalarView()
        if scalar == "\n" { rows.append([]) }
      default: field.append(scalar)
      }
    }
    return Array(rows.dropLast())
  }

  @Test(arguments: texts)
  func aFieldIsOneFieldAndNoFormula(_ text: String) throws {
    // As a value and as a column's name, which `query` lets anybody choose.
    let answer = Answer(
      columns: [.init("a", "A"), .init(text, text), .init("c", "C")], rows: [[.integer(1), .text(text), .integer(2)]])
    for width in [nil, 80] as [Int?] {
      for format in OutputFormat.allCases {
        let shown = Renderer(format: format, nowNs: 0, width: width).text(answer)
        let hostile = shown.unicodeScalars.filter {
          $0.value < 0x20 && $0 != "\n" || ($0.value >= 0x7f && $0.value < 0xa0)
        }
        #expect(hostile.isEmpty, "\(format)")
        #expect(!shown.unicodeScalars.contains { [0x202e, 0x2028, 0x200b].contains($0.value) })
        switch format {
        case .csv:
          let rows = Self.parse(shown)
          #expect(rows.map(\.count) == [3, 3], "\(rows)")
          for field in rows.joined() {
            let first = field.unicodeScalars.first { $0 != " " && $0 != "\u{a0}" }
            #expect(
              first.map { !"=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".unicodeScalars.contains($0) } ?? true, "\(field)")
          }
        case .table: #expect(shown.utf8.count { $0 == UInt8(ascii: "\n") } == 2)
        case .json:
          let rows = try JSONSerialization.jsonObject(with: Data(shown.utf8)) as? [[String: Any]]
          #expect(rows?.first?["c"] as? Int == 2)
        case .ndjson: #expect(shown.utf8.count { $0 == UInt8(ascii: "\n") } == 1)
        }
      }
    }
  }
}

/// A row is one line of the terminal.
@Suite struct TableWidthTests {
  static let answer = Answer(
    columns: [
      .init("host", "HOST"), .init("file", "FILE"), .init("steps", "STEPS"), .init("summary", "SUMMARY"),
      .init("seen", "SEEN", .age), .init("last", "LAST"),
    ],
    rows: [
      [
        .text("trainer-0001.example.org"), .text("/srv/" + String(repeating: "deep/", count: 30) + "run.log"),
        .integer(1_234_567_890), .text("世界 " + String(repeating: "wide ", count: 20)), .time(0), .text("rest"),
      ],
      [.text("a"), .null, .integer(2), .text("x"), .null, .text("e\u{301}")],
    ])

  static func columns(_ line: Substring) -> Int {
    line.unicodeScalars.reduce(0) { $0 + ($1.value == 0x301 ? 0 : $1.value > 0x2e80 ? 2 : 1) }
  }

  @Test(arguments: [20, 40, 60, 80, 120, 400])
  func everyLineFits(_ width: Int) {
    let renderer = Renderer(format: .table, nowNs: 5_000_000_000, width: width)
    let lines = renderer.text(Self.answer).split(separator: "\n")
    #expect(lines.count == 3)
    for line in lines { #expect(Self.columns(line) <= width, "\(line)") }
    // What is not shown is said, and a figure is whole or not there.
    let left = renderer.leftOut(Self.answer)
    #expect(left.contains("STEPS") != lines[1].contains("1234567890"))
    #expect(lines[0].hasPrefix("HOST"))
    if width == 400 { #expect(left.isEmpty && !lines.contains { $0.contains("…") }) }
  }

  @Test func wideIsAsWideAsItIs() {
    let text = Renderer(format: .table, nowNs: 0).text(Self.answer)
    #expect(text.contains("/deep/run.log") && !text.contains("…"))
  }

  /// A figure that is not nothing is never shown as nothing.
  @Test(
    arguments: [
      (-0.0016, 2, "-0.0016"), (0.004, 2, "0.0040"), (0.3, 0, "0.30"), (1e-12, 2, "1e-12"), (-1e-300, 3, "-1e-300"),
      (0, 2, "0.00"),
      (0.005, 2, "0.01"), (123.456, 2, "123.46"), (1e300, 0, "1e+300"), (-0.0, 1, "0.0"),
    ] as [(Double, Int, String)])
  func smallFigures(_ number: Double, _ digits: Int, _ text: String) {
    #expect(Quantity.decimal(number, digits: digits) == text)
  }
}
