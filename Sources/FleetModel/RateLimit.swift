/// How often a peer may do something: one each `intervalNs` on average, `burst` of them at once.
package struct RateLimit: Sendable, Equatable {
  /// ns, at least 1.
  package let intervalNs: Int64
  package let burst: Int64

  package init(perSecond: Double, burst: Int64) {
    intervalNs = max(1, Int64(1e9 / perSecond))
    self.burst = burst
  }

  package init(perDay: Int64, burst: Int64) {
    intervalNs = max(1, 86_400_000_000_000 / perDay)
    self.burst = burst
  }
}

extension RateLimit {
  /// How long it takes until a whole burst is given back, ns; at most a quarter of what 64 bits hold.
  package var spanNs: Int64 {
    let (wholeNs, overflow) = intervalNs.multipliedReportingOverflow(by: burst)
    return overflow ? .max / 4 : min(wholeNs, .max / 4)
  }
}

/// What one subject has used of a limit. One number: the time at which all of it is given back.
///
/// Source: ITU-T I.371, generic cell rate algorithm. Every sum is checked or bounded, because counts come from peers.
package struct RateMeter: Sendable, Equatable {
  package private(set) var freeAtNs: Int64 = .min

  package init() {}

  /// Takes over what another meter of the same subject has used, such as one before a restart.
  /// - Parameter freeAtNs: its own; never gives anything back.
  package mutating func adopt(freeAtNs other: Int64) { freeAtNs = max(freeAtNs, other) }

  /// How much is in use, in ns of the limit's interval; 0 or more.
  package static func usedNs(freeAtNs: Int64, nowNs: Int64) -> Int64 {
    max(0, freeAtNs.subtractingClamped(max(0, nowNs)))
  }

  /// - Parameter nowNs: any clock, the same in all calls; one that is set back gives nothing back until it has caught up.
  /// - Returns: how many of `count` are within the limit; these count as used.
  package mutating func take(_ count: Int, of limit: RateLimit, nowNs: Int64) -> Int {
    let spanNs = limit.spanNs
    // Clocks of more than 146 years are none.
    let nowNs = min(max(nowNs, 0), .max / 2)
    let startNs = min(max(freeAtNs, nowNs), nowNs + spanNs)
    let room = (spanNs - (startNs - nowNs)) / limit.intervalNs
    let taken = min(max(0, Int64(count)), room)
    freeAtNs = startNs + taken * limit.intervalNs
    return Int(taken)
  }

  /// When one more is within the limit; `nowNs` or earlier: now.
  package func nextNs(_ limit: RateLimit) -> Int64 {
    let (wholeNs, overflow) = limit.intervalNs.multipliedReportingOverflow(by: limit.burst - 1)
    return overflow || freeAtNs == .min ? .min : freeAtNs - wholeNs
  }

  /// Nothing of the limit is in use: it can be forgotten.
  package func isIdle(nowNs: Int64) -> Bool { freeAtNs <= nowNs }
}

/// Meters of many subjects under one limit. Those that are idle are forgotten, so that peers cannot fill the memory.
package struct RateMeters<Subject: Hashable & Sendable>: Sendable {
  private var meters: [Subject: RateMeter] = [:]
  package let limit: RateLimit
  private let subjectsMax: Int
  private var pruneAt: Int

  /// - Parameter subjectsMax: beyond so many that are in use at once, further ones get nothing.
  package init(_ limit: RateLimit, subjectsMax: Int) {
    self.limit = limit
    self.subjectsMax = subjectsMax
    pruneAt = min(1024, subjectsMax)
  }

  package var count: Int { meters.count }

  /// - Returns: whether one more is within the limit; it then counts as used.
  package mutating func take(_ subject: Subject, nowNs: Int64) -> Bool {
    var meter = meters[subject] ?? RateMeter()
    if meters[subject] == nil, !makeRoom(nowNs) { return false }
    let isWithin = meter.take(1, of: limit, nowNs: nowNs) == 1
    meters[subject] = meter
    return isWithin
  }

  /// When one more of this subject is within the limit.
  package func nextNs(_ subject: Subject) -> Int64 { meters[subject]?.nextNs(limit) ?? .min }

  private mutating func makeRoom(_ nowNs: Int64) -> Bool {
    guard meters.count >= pruneAt else { return true }
    meters = meters.filter { !$0.value.isIdle(nowNs: nowNs) }
    // A table that is mostly in use is not searched again for each new subject.
    pruneAt = min(subjectsMax, max(1024, meters.count * 2))
    return meters.count < subjectsMax
  }
}
