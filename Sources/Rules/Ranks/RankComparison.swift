internal import FleetModel

/// A rank among those that it is compared with.
struct RankPeer {
  /// Which of the hosts at hand, and which of its runs with ranks.
  let host: Int
  let run: Int
  let track: RankTrack
}

/// By how much a rank is behind the others.
struct RankDeviation: Equatable {
  /// Among the peers.
  let peer: Int
  /// How many it was compared with.
  let others: Int
  /// Its own step time, as it prints it, by the others'; 1 where there is none, or none that says anything.
  var figureFactor = 1.0
  /// How long ago the others were where it is.
  var behindNs: Int64 = 0
  var stepsBehind: Int64 = 0
  /// Its time for its last steps by the others' time for the same; NaN: what is known of the others does not reach so far back.
  var paceFactor = 1.0
  /// It makes no steps: since when, by the collector's clock; 0: it makes some.
  var quietSinceNs: Int64 = 0

  /// Whether it is one that a condition asks for.
  func exceeds(_ factor: Double, behindNs limitNs: Int64) -> Bool {
    figureFactor > factor || behindNs > limitNs && (quietSinceNs > 0 || !(paceFactor <= factor))
  }

  /// For the choice of the worst.
  var weight: Double { max(figureFactor, quietSinceNs > 0 ? .infinity : paceFactor.isNaN ? 1 : paceFactor) }
}

/// Compares the ranks of one run with each other. No clock, no I/O.
///
/// - Where they log at other moments is no difference: a rank is judged at its own last row, by when the others were at its step.
/// - A rank is behind the others only where two thirds of them are within a quarter of its distance of each other: programs that only lie side by
///   side, and stages of a pipeline, are not.
struct RankComparison {
  let peers: [RankPeer]
  private let nowNs: Int64
  /// Of the peers, those that make steps.
  private let active: [Int]
  /// Where the middle one of those is.
  private let frontStep: Int64
  private let frontNs: Int64

  /// - Parameter peers: ranks whose way is known (`RankTrack.isWarm`).
  /// - Returns: nil where there are too few of them.
  init?(_ peers: [RankPeer], nowNs: Int64) {
    (self.peers, self.nowNs) = (peers, nowNs)
    active = peers.indices.filter { !peers[$0].track.isQuiet(nowNs) }
    guard peers.count >= RankLimits.ranksMin, active.count >= RankLimits.ranksMin - 1 else { return nil }
    let tracks = active.map { peers[$0].track.latest }
    frontStep = Self.middle(tracks.map(\.step))
    frontNs = Self.middle(tracks.map(\.timeNs))
  }

  /// Of those that deviate most, by how much.
  func deviations() -> [RankDeviation] {
    candidates().compactMap { peer in
      let others = others(of: peer)
      guard others.count >= RankLimits.ranksMin - 1 else { return nil }
      var found = RankDeviation(peer: peer, others: others.count)
      found.figureFactor = figureFactor(peer, others)
      measureWay(&found, others)
      return found
    }
  }

  /// Ranks that are where the others are, of those of which that is not known yet.
  func level() -> [Int] {
    active.filter { peer in
      guard peers[peer].track.levelChecks < RankLimits.levelChecks else { return false }
      // A few others say as much as all.
      let others = others(of: peer)
      guard others.count >= RankLimits.ranksMin - 1 else { return false }
      let step = max(1, others.count / 16)
      let few = stride(from: 0, to: others.count, by: step).map { others[$0] }
      let track = peers[peer].track
      let reached = Self.middle(few.map { peers[$0].track.reached(track.latest.step) })
      if reached == .min { return false }
      if reached != .max { return isLevel(track.latest.timeNs, reached) }
      // It is ahead by a row or two: it was where they are now.
      let fewLatest = few.map { peers[$0].track.latest }
      return isLevel(track.reached(Self.middle(fewLatest.map(\.step))), Self.middle(fewLatest.map(\.timeNs)))
    }
  }

  private func isLevel(_ a: Int64, _ b: Int64) -> Bool {
    a != .min && a != .max && a.subtractingClamped(b).magnitude <= RankLimits.levelNs.magnitude
  }

  /// Those that are furthest behind, and those whose steps take longest.
  private func candidates() -> [Int] {
    let behind = peers.indices.filter { peers[$0].track.latest.step < frontStep }
      .sorted { (peers[$0].track.latest.step, $0) < (peers[$1].track.latest.step, $1) }
    let slow = active.compactMap { peer in slowness(peer).map { (peer, $0) } }
      .sorted { ($1.1, $0.0) < ($0.1, $1.0) }.map(\.0)
    return Set(behind.prefix(RankLimits.candidatesMax) + slow.prefix(RankLimits.candidatesMax)).sorted()
  }

  /// Its ranks' host may be what is slow: where enough others are elsewhere, those of its own host are left out.
  private func others(of peer: Int) -> [Int] {
    let elsewhere = active.filter { peers[$0].host != peers[peer].host }
    return elsewhere.count >= RankLimits.ranksMin - 1 ? elsewhere : active.filter { $0 != peer }
  }

  // MARK: what it prints of its steps

  /// Time of a step, in whatever unit; nil where it prints none.
  private func slowness(_ peer: Int) -> Double? {
    let figure = peers[peer].track.figure
    guard let median = figure.median else { return nil }
    return figure.isRate ? 1 / median : median
  }

  private func figureFactor(_ peer: Int, _ others: [Int]) -> Double {
    let name = peers[peer].track.figure.name
    guard !peers[peer].track.isQuiet(nowNs), let own = slowness(peer) else { return 1 }
    let values = others.filter { peers[$0].track.figure.name == name }.compactMap(slowness)
    guard values.count >= RankLimits.ranksMin - 1 else { return 1 }
    let usual = Self.middle(values)
    let factor = own / usual
    guard factor.isFinite, factor > 1 else { return 1 }
    let near = values.count { abs($0 / usual - 1) <= min((factor - 1) / 4, Self.spreadMax) }
    return isMost(near, of: values.count) ? factor : 1
  }

  // MARK: its steps

  private func measureWay(_ found: inout RankDeviation, _ others: [Int]) {
    let track = peers[found.peer].track
    guard track.levelChecks >= RankLimits.levelChecks else { return }
    let isQuiet = track.isQuiet(nowNs)
    let front = others.map { peers[$0].track.latest }
    let stepsBehind = Self.middle(front.map(\.step)).subtractingClamped(track.latest.step)
    guard stepsBehind >= max(1, track.stride).multipliedClamped(by: 3) else { return }
    let atNs = isQuiet ? Self.middle(front.map(\.timeNs)) : track.latest.timeNs
    let times = others.map { reached(track.latest.step, $0) }
    let usualNs = Self.middle(times)
    guard usualNs != .max else { return }
    let behindNs = atNs.subtractingClamped(usualNs)
    guard behindNs > 0 else { return }
    guard areLevel(others, withinNs: max(RankLimits.levelNs, behindNs / 4)) else { return }
    found.behindNs = behindNs
    found.stepsBehind = stepsBehind
    if isQuiet { found.quietSinceNs = track.arrivedNs } else { found.paceFactor = pace(track, others, usualNs) }
  }

  /// Whether two thirds of them reached at one time the step that two thirds of them have reached.
  private func areLevel(_ others: [Int], withinNs: Int64) -> Bool {
    let steps = others.map { peers[$0].track.latest.step }.sorted()
    let times = others.map { peers[$0].track.reached(steps[steps.count / 3]) }.filter { $0 != .min && $0 != .max }
    guard !times.isEmpty else { return false }
    let usualNs = Self.middle(times)
    return isMost(times.count { $0.subtractingClamped(usualNs).magnitude <= withinNs.magnitude }, of: others.count)
  }

  /// No earlier than what is known of the other's way: it may have been there before, so that the distance is not overstated.
  private func reached(_ step: Int64, _ other: Int) -> Int64 {
    let track = peers[other].track
    let atNs = track.reached(step)
    return atNs == .min ? track.points.first?.timeNs ?? .max : atNs
  }

  /// Over its last minutes: its time from one step to another by the others'.
  private func pace(_ track: RankTrack, _ others: [Int], _ usualNs: Int64) -> Double {
    let fromNs = track.latest.timeNs.subtractingClamped(Self.paceNs)
    guard let start = track.points.last(where: { $0.timeNs <= fromNs }) else { return 1 }
    let began = others.map { peers[$0].track.reached(start.step) }
    let beganNs = Self.middle(began)
    guard beganNs != .min else { return .nan }
    let usual = usualNs.subtractingClamped(beganNs)
    guard beganNs != .max, usual > 0 else { return 1 }
    return Double(track.latest.timeNs.subtractingClamped(start.timeNs)) / Double(usual)
  }

  /// Long beside the error of what lies between two points.
  private static let paceNs: Int64 = 240_000_000_000

  /// Ranks whose step times are further apart are not alike, whatever one of them does.
  private static let spreadMax = 0.25

  private func isMost(_ count: Int, of all: Int) -> Bool { count * 3 >= all * 2 }

  /// The upper one of two in the middle.
  private static func middle<Value: Comparable>(_ values: [Value]) -> Value { values.sorted()[values.count / 2] }
}
