import Answers
import FleetModel
import Testing

@testable import Commands

@Suite struct TableLayoutTests {
  /// Paths and runs of one place begin alike.
  @Test func namesAreCutInTheirMiddle() {
    let paths = ["one", "two"].map { "/srv/train/experiments/2026/\($0)/train.log" }
    let cut = paths.map { TableLayout.cut($0, to: 24) }
    #expect(Set(cut).count == 2)
    for text in cut {
      #expect(PlainText.columns(text) == 24)
      #expect(text.hasPrefix("/srv") && text.hasSuffix("/train.log") && text.contains("…"))
    }
  }

  @Test func sentencesAreCutAtTheirEnd() {
    #expect(TableLayout.cut("the disk of this host is full", to: 12) == "the disk of…")
  }

  private static func widths(_ columns: [TableLayout.Column], _ width: Int) -> [Int: Int] {
    let layout = TableLayout(columns, width: width)
    return Dictionary(uniqueKeysWithValues: zip(layout.places, layout.widths))
  }

  /// Wherever they stand: the last column may be the one that is read first.
  @Test func whatMattersLeastIsLeftOutFirstAndCutFirst() {
    let columns = [
      TableLayout.Column(natural: 4, isText: false, rank: 0), .init(natural: 30, isText: true, kept: 12, rank: 2),
      .init(natural: 20, isText: false, rank: 3), .init(natural: 60, isText: true, kept: 16, rank: 1),
    ]
    #expect(Self.widths(columns, 200) == [0: 4, 1: 30, 2: 20, 3: 60])
    #expect(Self.widths(columns, 110) == [0: 4, 1: 20, 2: 20, 3: 60])
    #expect(Self.widths(columns, 70) == [0: 4, 1: 12, 2: 20, 3: 28])
    #expect(Self.widths(columns, 57) == [0: 4, 1: 12, 3: 37])
    #expect(Self.widths(columns, 35) == [0: 4, 3: 29])
    #expect(Self.widths(columns, 3) == [0: 4])
  }

  @Test func ofOneRankTheWidestIsCutAndTheLastIsLeftOut() {
    let columns = [10, 40, 30].map { TableLayout.Column(natural: $0, isText: true) }
    #expect(Self.widths(columns, 60) == [0: 10, 1: 23, 2: 23])
    #expect(Self.widths(columns, 25) == [0: 10, 1: 13])
  }

  @Test func linesKeepTheBlanksThatTheyBeginWith() {
    #expect(TableLayout.wrapped("    loss = step(model)", to: 80) == ["    loss = step(model)"])
    #expect(TableLayout.wrapped("  File one two three", to: 12) == ["  File one", "  two three"])
    #expect(TableLayout.wrapped(String(repeating: " ", count: 30) + "deep", to: 20) == ["          deep"])
    #expect(TableLayout.wrapped("a  b", to: 20) == ["a  b"])
    #expect(TableLayout.wrapped("", to: 20) == [""])
  }

  @Test(arguments: [0, 1, 2, 3, 10]) func nothingIsWiderThanAsked(width: Int) {
    for text in ["abcdefghijklmnop", "漢字漢字漢字漢字", "a b c d e f g h i", "e\u{301}e\u{301}e\u{301}/x"] {
      #expect(PlainText.columns(TableLayout.cut(text, to: width)) <= max(1, width))
    }
  }
}
