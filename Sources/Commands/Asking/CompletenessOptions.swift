internal import Answers
internal import ArgumentParser

/// Of commands whose answer is made of what hosts report.
struct CompletenessOptions: ParsableArguments {
  @Flag(name: .customLong("allow-missing"), help: "Ends with 0 also where hosts are missing from the answer.")
  var allowMissing = false

  /// Prints an answer, then ends with 5 where hosts that were asked about are late, silent, or have never reported: what is not there may
  /// be with them.
  /// - Parameters:
  ///   - source: asked for only after printing.
  ///   - hosts: names and patterns of those that were asked about; none for all.
  ///   - printing: may end with `.nothingFound`, which a missing host makes doubtful.
  func check(_ source: @autoclosure () throws -> FleetSource, _ hosts: [String?], printing: () throws -> Void) throws {
    var nothing: CommandFailure?
    do {
      try printing()
    } catch let failure as CommandFailure where failure.code == .nothingFound && !failure.isAboutHost {
      nothing = failure
    }
    let missing = allowMissing ? [] : try source().missingHosts(of: hosts.compactMap { $0 })
    guard !missing.isEmpty else {
      if let nothing { throw nothing }
      return
    }
    let start = nothing.map { $0.message + "; " } ?? ""
    throw CommandFailure(
      .hostsMissing,
      start + "hosts are missing from this answer: " + missing.joined(separator: "; ")
        + "; with --allow-missing that is no failure")
  }
}
