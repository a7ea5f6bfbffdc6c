internal import FleetModel

/// Where the agent begins with files that were there before it: `--from`.
package enum FollowFrom: Sendable, Equatable {
  /// All of it; what is older than the agent is sent as history, which is never paged.
  case start
  /// What comes from now on.
  case end
  /// All of the files that changed within so long before the first start, ns.
  case since(Int64)

  /// For the agent's log, at each start.
  package var sentence: String {
    switch self {
    case .start: "start: what is in files before the first start is sent as history, which is never paged"
    case .end: "end: what is in files before the first start is left out"
    case .since: "an age: files that did not change since are left out"
    }
  }

  /// Whether a file that was last changed at `modifiedNs` is left out.
  func leavesOut(modifiedNs: Int64, firstNs: Int64) -> Bool {
    switch self {
    case .start: false
    case .end: true
    case .since(let ageNs):
      // Longer ago than a time can say leaves nothing out.
      { !$0.overflow && modifiedNs < $0.partialValue }(firstNs.subtractingReportingOverflow(ageNs))
    }
  }
}

/// When the agent of this state directory first followed each pattern: what files held then is history. ns since 1970.
package struct FirstFollowed: Sendable, Equatable {
  package private(set) var times: [String: Int64]

  package init(_ times: [String: Int64] = [:]) { self.times = times }

  /// Notes patterns that are new.
  /// - Returns: whether there were any.
  package mutating func note(_ patterns: [String], nowNs: Int64) -> Bool {
    var isNew = false
    // A control character would break the file's lines; no path that people name has one.
    for pattern in patterns where times[pattern] == nil && !pattern.utf8.contains(where: { $0 < 0x20 }) {
      times[pattern] = nowNs
      isNew = true
    }
    return isNew
  }

  /// The clock was ahead and has been set back by `ns`: a moment that would now lie ahead was so long before it.
  package mutating func setBack(by ns: Int64, nowNs: Int64) {
    times = times.mapValues { $0 > nowNs ? max($0.subtractingClamped(ns), 0) : $0 }
  }

  /// Without moments that are still to come: the clock was set back while no agent ran, and nothing is known of them.
  package func known(nowNs: Int64) -> FirstFollowed { FirstFollowed(times.filter { $0.value <= nowNs }) }

  // MARK: As a file

  /// Patterns of profiles come and go; a file of more is not written by an agent.
  private static let patternsMax = 4096

  /// One line a pattern: the time, a tab, the pattern.
  package init(text: String) {
    times = [:]
    for line in text.split(separator: "\n").prefix(Self.patternsMax) {
      let parts = line.split(separator: "\t", maxSplits: 1)
      if parts.count == 2, let ns = Int64(parts[0]) { times[String(parts[1])] = ns }
    }
  }

  package var text: String {
    times.sorted { $0.key < $1.key }.prefix(Self.patternsMax).map { "\($0.value)\t\($0.key)\n" }.joined()
  }
}
