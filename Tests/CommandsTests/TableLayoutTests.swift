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

  @Test(arguments: [0, 1, 2, 3, 10]) func nothingIsWiderThanAsked(width: Int) {
    for text in ["abcdefghijklmnop", "漢字漢字漢字漢字", "a b c d e f g h i", "e\u{301}e\u{301}e\u{301}/x"] {
      #expect(PlainText.columns(TableLayout.cut(text, to: width)) <= max(1, width))
    }
  }
}
