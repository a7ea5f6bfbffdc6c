internal import FleetModel

/// Which columns of a table are shown, and how wide, so that each row is one line of the terminal. Pure.
///
/// Text gives way first, down to `textMin`; a figure is never cut, because what is left of it would be another figure. Where that is not
/// enough the last columns go: they stand there because they matter least.
struct TableLayout: Equatable {
  /// Of a column that gives way: enough to distinguish two names.
  static let textMin = 10
  static let gap = 2

  struct Column: Equatable {
    /// Its widest cell or heading.
    var natural: Int
    var isText: Bool

    fileprivate var least: Int { isText ? min(natural, TableLayout.textMin) : natural }
  }

  /// Of the columns that are shown, the first ones.
  private(set) var widths: [Int]

  /// - Parameter width: of a line, in columns of the terminal; nil shows everything.
  init(_ columns: [Column], width: Int?) {
    widths = columns.map(\.natural)
    guard let width else { return }
    var shown = columns
    while shown.count > 1, Self.total(shown.map(\.least)) > width { shown.removeLast() }
    widths = shown.map(\.natural)
    // The widest text gives way until all fit; alone, also a figure's heading is left as it is.
    var excess = Self.total(widths) - width
    while excess > 0 {
      let open = shown.indices.filter { widths[$0] > shown[$0].least && shown[$0].isText }
      guard let widest = open.max(by: { widths[$0] < widths[$1] }) else { break }
      // Down to the next one in one step.
      let next = open.map { widths[$0] }.filter { $0 < widths[widest] }.max() ?? 0
      let cut = min(excess, widths[widest] - max(next, shown[widest].least), max(1, widths[widest]))
      widths[widest] -= max(1, cut)
      excess -= max(1, cut)
    }
  }

  private static func total(_ widths: [Int]) -> Int { widths.reduce(0, +) + gap * max(0, widths.count - 1) }

  /// At most `width` columns of a terminal. `…` stands for what was cut: the end of a sentence, and the middle of a name, because paths and
  /// runs of one place differ in their ends.
  static func cut(_ text: String, to width: Int) -> String {
    guard PlainText.columns(text) > width else { return text }
    let room = max(0, width - 1)
    let tail = text.unicodeScalars.contains(" ") ? 0 : room * 2 / 3
    let head = prefix(text.unicodeScalars, room - tail)
    let end = prefix(text.unicodeScalars.reversed(), tail)
    return String(head) + "…" + String(String.UnicodeScalarView(end.reversed()))
  }

  /// As many scalars as fit into so many columns.
  private static func prefix(_ scalars: some Sequence<Unicode.Scalar>, _ width: Int) -> String.UnicodeScalarView {
    var kept = String.UnicodeScalarView()
    var count = 0
    for scalar in scalars {
      count += PlainText.columns(scalar)
      if count > width { break }
      kept.append(scalar)
    }
    return kept
  }

  /// Text in lines of at most `width` columns, broken at blanks where there are some.
  static func wrapped(_ text: String, to width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      var word = String(word)
      let joined = line.isEmpty ? word : line + " " + word
      if PlainText.columns(joined) <= width {
        line = joined
        continue
      }
      if !line.isEmpty { lines.append(line) }
      // A word longer than a line, such as a path, is broken anywhere.
      while PlainText.columns(word) > width {
        var part = String.UnicodeScalarView()
        var count = 0
        for scalar in word.unicodeScalars {
          count += PlainText.columns(scalar)
          if count > width, !part.isEmpty { break }
          part.append(scalar)
        }
        lines.append(String(part))
        word = String(word.unicodeScalars.dropFirst(part.count))
      }
      line = word
    }
    lines.append(line)
    return lines
  }
}
