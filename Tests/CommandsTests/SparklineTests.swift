import Answers
import Testing

@testable import Commands

/// Curves in a terminal, and what a terminal shows.
@Suite struct SparklineTests {
  @Test func valuesAreDrawnFromTheLowestToTheHighest() {
    #expect(Sparkline.text([0, 1, 2, 3, 4, 5, 6, 7], width: 8, isUnicode: true) == "▁▂▃▄▅▆▇█")
    #expect(Sparkline.text([0, 1, 2, 3, 4, 5, 6, 7], width: 8, isUnicode: false) == "_.:-=+*#")
    #expect(Sparkline.text([7, nil, .nan, 0], width: 8, isUnicode: true) == "█  ▁")
    #expect(Sparkline.text([3, 3], width: 8, isUnicode: true) == "▅▅")
    #expect(Sparkline.text([], width: 8, isUnicode: true).isEmpty)
    #expect(Sparkline.text([nil, .infinity], width: 8, isUnicode: true) == "  ")
    #expect(Sparkline.text([-1e308, 1e308, -.greatestFiniteMagnitude], width: 0, isUnicode: true).count == 1)
  }

  /// More values than characters are averaged, and a part without values stays blank.
  @Test func manyValuesAreFolded() {
    let values = (0..<100).map { $0 < 50 ? Double?.none : Double($0) }
    let text = Sparkline.text(values, width: 10, isUnicode: true)
    #expect(text == "     ▁▃▅▇█", "\(text)")
    #expect(Sparkline.text(Array(repeating: 1, count: 7), width: 3, isUnicode: false).count == 3)
  }

  @Test func theLocaleSaysWhatATerminalShows() {
    func isUnicode(_ environment: [String: String]) -> Bool { Terminal.isUnicode { environment[$0] } }
    #expect(isUnicode(["LANG": "en_US.UTF-8"]) && isUnicode(["LC_ALL": "C.utf8", "LANG": "C"]))
    #expect(!isUnicode([:]) && !isUnicode(["LANG": "C"]) && !isUnicode(["LC_ALL": "C", "LANG": "en_US.UTF-8"]))
    #expect(!isUnicode(["LC_CTYPE": "POSIX", "LANG": "en_US.UTF-8"]) && isUnicode(["LC_ALL": "", "LANG": "x.UTF-8"]))
  }

  @Test func colourIsForTerminalsThatTakeIt() {
    func isColoured(_ isTerminal: Bool, _ environment: [String: String]) -> Bool {
      Terminal.isColoured(isTerminal: isTerminal) { environment[$0] }
    }
    #expect(isColoured(true, [:]) && isColoured(true, ["NO_COLOR": ""]) && isColoured(true, ["TERM": "xterm"]))
    #expect(!isColoured(false, [:]) && !isColoured(true, ["NO_COLOR": "1"]) && !isColoured(true, ["TERM": "dumb"]))
    var answer = Answer(columns: [.init("state", "STATE"), .init("host", "HOST")])
    answer.rows = [[.text("silent"), .text("live")], [.text("live"), .text("a")]]
    let plain = Renderer(format: .table, nowNs: 0).text(answer)
    let coloured = Renderer(format: .table, nowNs: 0, isColoured: true).text(answer)
    #expect(
      coloured.contains("\u{1b}[31msilent\u{1b}[0m  live\n") && coloured.contains("\u{1b}[32mlive\u{1b}[0m    a\n"))
    #expect(coloured.replacing(/\u{1b}\[\d+m/, with: "") == plain && !plain.contains("\u{1b}"))
    #expect(!Renderer(format: .csv, nowNs: 0, isColoured: true).text(answer).contains("\u{1b}"))
  }

  /// Lists within one row become tables, whatever a console sends.
  @Test func listsWithinARowAreTables() {
    let list = Cell.json(#"[{"a":1,"b":"x"},{"a":2.5,"c":[1]},7]"#)
    let answer = Answer(list: list, [.init("a", "A"), .init("b", "B")])
    #expect(answer.rows == [[.integer(1), .text("x")], [.real(2.5), .null], [.null, .null]])
    #expect(Answer(listOfAny: list, []).columns.map(\.name) == ["a", "b"])
    for odd in [nil, .null, .json("{"), .json("{}"), .text("[]")] as [Cell?] {
      #expect(Answer(list: odd, [.init("a")]).rows.isEmpty && Answer.texts(list: odd).isEmpty)
    }
  }
}
