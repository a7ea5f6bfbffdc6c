internal import Files
package import FleetModel

/// Patterns by which owners declare what their programs print: `--metrics-match 'step (?<step>\d+) .* loss (?<loss>\S+)'`, or `metrics:` of a
/// profile in `signalbox.yaml`.
///
/// Each capture that is a number is a metric of its name; `step` is the row's step, without one it is 0. The first pattern that gives a
/// number counts, the host's own before those of profiles.
package struct MatchedMetrics: Sendable {
  /// Each pattern is tried on each line of each log.
  package static let patternsMax = MetricPattern.patternsPerHost
  /// Beyond this a line is prose or data.
  private static let lineBytesMax = 4096

  private struct Declared: Sendable, Equatable {
    var pattern: CapturePattern
    /// Of logs; nil: all.
    var file: GlobPattern?
  }

  private let declared: [Declared]
  private var matcher = CapturePattern.Matcher()
  /// Looks for the texts that the matches must hold, all at once: nearly all lines have none. nil: one of the patterns has no such text.
  private let sieve: WordSieve?
  private var places: [UInt32] = []

  package init(_ patterns: [CapturePattern] = []) { self.init(patterns.map { Declared(pattern: $0) }) }

  /// - Parameter profiles: of the collector's settings. One that this agent does not understand is left out.
  package init(_ patterns: [CapturePattern], profiles: [MetricPattern]) {
    let others = profiles.prefix(Self.patternsMax).compactMap { profile in
      (try? MetricPattern.pattern(profile.match)).map { pattern in
        Declared(pattern: pattern, file: profile.file.isEmpty ? nil : GlobPattern(profile.file))
      }
    }
    self.init(patterns.map { Declared(pattern: $0) } + others)
  }

  private init(_ declared: [Declared]) {
    self.declared = declared
    let texts = declared.map(\.pattern.literals)
    sieve = texts.contains(where: \.isEmpty) ? nil : WordSieve(texts.flatMap { $0 })
  }

  var isEmpty: Bool { declared.isEmpty }

  /// Those that are meant for a file of this path.
  func of(_ path: String) -> MatchedMetrics {
    if declared.allSatisfy({ $0.file == nil }) { return self }
    return MatchedMetrics(declared.filter { $0.file.map { $0.matches(path) } ?? true })
  }

  func isSame(as other: MatchedMetrics) -> Bool { declared == other.declared }

  /// - Throws: one sentence that says what to do.
  package static func pattern(_ text: String) throws(LinePatternError) -> CapturePattern {
    try MetricPattern.pattern(text)
  }

  /// - Returns: the row's step; nil where no pattern gives a number.
  mutating func read(_ bytes: Span<UInt8>, _ line: Range<Int>, into figures: inout RowFigures) -> Int64? {
    guard line.count <= Self.lineBytesMax, mayMatch(bytes, line) else { return nil }
    for one in declared {
      guard let captures = one.pattern.match(bytes, line, &matcher) else { continue }
      var step: Int64 = 0
      for (name, range) in zip(one.pattern.names, captures) {
        guard let range, let value = DecimalNumber.parseLogged(bytes, range) else { continue }
        if name == MetricPattern.stepName { step = Int64(exactly: value) ?? 0 } else { figures.add(name, value) }
      }
      if !figures.metrics.isEmpty { return step }
    }
    return nil
  }

  private mutating func mayMatch(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Bool {
    guard let sieve else { return true }
    return !sieve.find(in: bytes.extracting(line), &places) || !places.isEmpty
  }
}
