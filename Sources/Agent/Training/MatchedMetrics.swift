package import FleetModel

/// Patterns by which a host's owner declares what its programs print: `--metrics-match 'step (?<step>\d+) .* loss (?<loss>\S+)'`.
///
/// Each capture that is a number is a metric of its name; `step` is the row's step, without one it is 0. The first pattern that gives a
/// number counts.
package struct MatchedMetrics: Sendable {
  /// Each pattern is tried on each line of each log.
  package static let patternsMax = 16
  /// Beyond this a line is prose or data.
  private static let lineBytesMax = 4096
  private static let stepName = "step"

  private let patterns: [CapturePattern]
  private var matcher = CapturePattern.Matcher()

  package init(_ patterns: [CapturePattern] = []) { self.patterns = patterns }

  var isEmpty: Bool { patterns.isEmpty }

  /// - Throws: one sentence that says what to do.
  package static func pattern(_ text: String) throws(LinePatternError) -> CapturePattern {
    let pattern = try CapturePattern(text)
    guard pattern.names.contains(where: { $0 != stepName }) else {
      throw LinePatternError("names no metric; write (?<loss>\\S+) around the number of the metric loss")
    }
    return pattern
  }

  /// - Returns: the row's step; nil where no pattern gives a number.
  mutating func read(_ bytes: Span<UInt8>, _ line: Range<Int>, into figures: inout RowFigures) -> Int64? {
    guard line.count <= Self.lineBytesMax else { return nil }
    for pattern in patterns {
      guard let captures = pattern.match(bytes, line, &matcher) else { continue }
      var step: Int64 = 0
      for (name, range) in zip(pattern.names, captures) {
        guard let range, let value = DecimalNumber.parseLogged(bytes, range) else { continue }
        if name == Self.stepName { step = Int64(exactly: value) ?? 0 } else { figures.add(name, value) }
      }
      if !figures.metrics.isEmpty { return step }
    }
    return nil
  }
}
