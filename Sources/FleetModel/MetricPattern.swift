/// What an owner declares of the lines that a program prints: whose numbers are rows of a run.
package struct MetricPattern: Sendable, Equatable {
  /// Of one host, each of which is tried on its lines.
  package static let patternsPerHost = 16
  package static let matchBytesMax = 2048
  package static let fileBytesMax = 4096
  /// The capture that is the row's step.
  package static let stepName = "step"

  /// A `CapturePattern`, with a name for each number.
  package var match: String
  /// Glob pattern of the logs that are meant; empty: all that are followed.
  package var file: String

  package init(match: String, file: String = "") { (self.match, self.file) = (match, file) }

  /// - Throws: one sentence that says what to do.
  package static func pattern(_ text: String) throws(LinePatternError) -> CapturePattern {
    guard text.utf8.count <= matchBytesMax else {
      throw LinePatternError("is longer than \(matchBytesMax) bytes")
    }
    let pattern = try CapturePattern(text)
    guard pattern.names.contains(where: { $0 != stepName }) else {
      throw LinePatternError("names no metric; write (?<loss>\\S+) around the number of the metric loss")
    }
    return pattern
  }
}
