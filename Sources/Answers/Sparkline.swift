/// Figures over time as one line of characters, for a terminal. Pure.
package enum Sparkline {
  private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
  /// For terminals whose characters are not UTF-8.
  private static let signs: [Character] = ["_", ".", ":", "-", "=", "+", "*", "#"]

  /// - Parameters:
  ///   - values: in the order of time; nil, or not finite: nothing was reported, which stays blank.
  ///   - width: characters, 1 or more; more values than that are averaged, fewer are a character each.
  ///   - isUnicode: whether the terminal shows blocks.
  /// - Returns: from the lowest value to the highest; a line in the middle where all are the same.
  package static func text(_ values: [Double?], width: Int, isUnicode: Bool) -> String {
    let steps = isUnicode ? blocks : signs
    let known = means(values, width: max(1, width))
    let finite = known.compactMap(\.self)
    guard let low = finite.min(), let high = finite.max() else { return String(repeating: " ", count: known.count) }
    return String(
      known.map { value in
        guard let value else { return " " }
        guard high > low else { return steps[steps.count / 2] }
        // Halves, because the whole range of doubles is none.
        let share = (value / 2 - low / 2) / (high / 2 - low / 2)
        return steps[min(steps.count - 1, max(0, Int(share * Double(steps.count))))]
      })
  }

  private static func means(_ values: [Double?], width: Int) -> [Double?] {
    let values = values.map { value in value.flatMap { $0.isFinite ? $0 : nil } }
    guard values.count > width else { return values }
    return (0..<width).map { place in
      let part = values[(place * values.count / width)..<((place + 1) * values.count / width)].compactMap(\.self)
      return part.isEmpty ? nil : part.reduce(0) { $0 + $1 / Double(part.count) }
    }
  }
}
