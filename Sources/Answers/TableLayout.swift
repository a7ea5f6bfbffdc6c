internal import FleetModel

/// Which columns of a table are shown, and how wide, so that each row is one line of the terminal. Pure.
///
/// Text gives way first, down to what its column keeps; a figure is never cut, because what is left of it would be another figure. Where
/// that is not enough, columns go by their rank.
package struct TableLayout: Equatable {
  package static let gap = 2

  package struct Column: Equatable {
    /// Its widest cell or heading.
    package var natural: Int
    package var isText: Bool
    /// Of a text that is cut.
    package var kept = 10
    /// The highest goes first, of one rank the last.
    package var rank = Int.max

    package init(natural: Int, isText: Bool, kept: Int = 10, rank: Int = .max) {
      self.natural = natural
      self.isText = isText
      self.kept = kept
      self.rank = rank
    }

    fileprivate var least: Int { isText ? min(natural, kept) : natural }
  }

  /// Indexes of the columns that are shown, in their order.
  package private(set) var places: [Int]
  /// Of each of them.
  package private(set) var widths: [Int]

  /// - Parameter width: of a line, in columns of the terminal; nil shows everything.
  package init(_ columns: [Column], width: Int?) {
    places = Array(columns.indices)
    widths = columns.map(\.natural)
    guard let width else { return }
    while places.count > 1, Self.total(places.map { columns[$0].least }) > width,
      let last = places.max(by: { (columns[$0].rank, $0) < (columns[$1].rank, $1) })
    {
      places.removeAll { $0 == last }
    }
    let shown = places.map { columns[$0] }
    widths = shown.map(\.natural)
    // What matters least gives way first, of one rank the widest; alone, also a figure's heading is left as it is.
    var excess = Self.total(widths) - width
    while excess > 0 {
      let texts = shown.indices.filter { widths[$0] > shown[$0].least && shown[$0].isText }
      guard let rank = texts.map({ shown[$0].rank }).max() else { break }
      let open = texts.filter { shown[$0].rank == rank }
      guard let widest = open.max(by: { widths[$0] < widths[$1] }) else { break }
      // Down to the next one in one step; of several that are as wide, each by one.
      let next = open.filter { $0 != widest }.map { widths[$0] }.max() ?? 0
      let cut = max(1, min(excess, widths[widest] - max(next, shown[widest].least)))
      widths[widest] -= cut
      excess -= cut
    }
  }

  private static func total(_ widths: [Int]) -> Int { widths.reduce(0, +) + gap * max(0, widths.count - 1) }

  /// At most `width` columns of a terminal. `…` stands for what was cut: the end of a sentence, and the middle of a name, because paths and
  /// runs of one directory differ in their ends.
  package static func cut(_ text: String, to width: Int) -> String {
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

  /// Text in lines of at most `width` columns, broken at blanks where there are some. The blanks that it begins with, by which tracebacks
  /// and configurations show what belongs to what, stand before each line, as long as they leave half of it.
  package static func wrapped(_ text: String, to width: Int) -> [String] {
    let indent = String(text.prefix { $0 == " " }.prefix(width / 2))
    let body = String(text.drop { $0 == " " })
    return filled(body, to: width - indent.utf8.count).map { indent + $0 }
  }

  private static func filled(_ text: String, to width: Int) -> [String] {
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
