internal import RuleFiles

extension Configuration {
  /// Where its rules lie: what it names, else the shipped ones; nil where those are nowhere.
  package var rulePaths: [String]? { rules ?? RuleDirectory.shipped().map { [$0] } }
}
