extension FleetReader {
  /// What of storing and paging needs a person, a sentence each; none where that cannot be found out.
  /// - Parameter nowNs: ns since 1970.
  package func problems(nowNs: Int64) -> [String] {
    var sentences: [String] = []
    if let waiting = try? commitsWithoutStandby(), waiting > 0 {
      sentences.append(
        "\(waiting) commits wait for a synchronous standby, and none answers: nothing new is stored until one is back")
    }
    if let problems = try? pagingProblems(nowNs: nowNs) { sentences += problems.sentences }
    return sentences
  }
}
