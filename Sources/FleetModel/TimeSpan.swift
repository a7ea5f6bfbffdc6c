/// Lengths of time as people write them: `500ms`, `1s`, `10m`, `1h30m`, `30d`, `2w`.
package enum TimeSpan {
  /// Units with their length in ns; longest name first where one begins another.
  private static let units: [(name: String, ns: Int64)] = [
    ("ms", 1_000_000), ("us", 1000), ("ns", 1), ("s", 1_000_000_000), ("m", 60_000_000_000),
    ("h", 3_600_000_000_000), ("d", 86_400_000_000_000), ("w", 604_800_000_000_000),
  ]

  /// A hundred years: a time of this century and such a span add up within 64 bits.
  package static let longestNs: Int64 = 36_525 * 86_400_000_000_000

  /// - Parameter text: one or more of a whole number and a unit, without spaces.
  /// - Returns: ns, greater than zero; nil where the text is none, or longer than `longestNs`.
  package static func parse(_ text: some StringProtocol) -> Int64? {
    var rest = Substring(text)
    var total: Int64 = 0
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      guard let number = Int64(digits) else { return nil }
      rest = rest.dropFirst(digits.count)
      guard let unit = units.first(where: { rest.hasPrefix($0.name) }) else { return nil }
      rest = rest.dropFirst(unit.name.count)
      let (length, isTooLong) = number.multipliedReportingOverflow(by: unit.ns)
      let (sum, isSumTooLong) = total.addingReportingOverflow(length)
      if isTooLong || isSumTooLong { return nil }
      total = sum
    }
    return total > 0 && total <= longestNs ? total : nil
  }

  /// As `text`, in whole seconds from one second on: how long ago something was.
  package static func age(_ ns: Int64) -> String { text(ns < 1_000_000_000 ? ns : ns - ns % 1_000_000_000) }

  /// The two largest units that are not zero: `1h30m`, `45s`, `3d4h`; `0s` for nothing.
  package static func text(_ ns: Int64) -> String {
    var rest = max(0, ns)
    var parts: [String] = []
    for (name, length) in [
      ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
      ("ms", 1_000_000),
    ] as [(String, Int64)] {
      if parts.count == 2 { break }
      let count = rest / length
      rest %= length
      if count > 0 { parts.append("\(count)\(name)") } else if !parts.isEmpty { break }
    }
    return parts.isEmpty ? "0s" : parts.joined()
  }
}
