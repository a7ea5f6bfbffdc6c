package import TLS

/// When the agent asks for its next certificate. Time and randomness are passed in.
///
/// A certificate is renewed at two thirds of its life, earlier or later by up to a tenth of it, so that a fleet that joined in one minute does not
/// renew in one minute. A failed attempt is repeated with growing, random pauses. After its end a certificate is good for a renewal alone, for 30 days.
package struct RenewalStateMachine: Sendable, Equatable {
  package static let graceNs: Int64 = 30 * 86_400 * 1_000_000_000
  /// First and longest pause between attempts; both shrink with the certificate's life, for tests with certificates of seconds.
  package static let pauseFirstNs: Int64 = 60 * 1_000_000_000
  package static let pauseMaxNs: Int64 = 3_600 * 1_000_000_000

  package enum Stop: Sendable, Equatable {
    /// Not in the allow-list: this host must join again.
    case unknown
    /// An operator revoked this host.
    case revoked
    /// The grace is over: this host must join again.
    case graceOver
  }

  package enum Action: Sendable, Equatable {
    /// Nothing to do before this wall-clock time.
    case wait(untilNs: Int64)
    /// Ask now, with a new key.
    case renew
    case stopped(Stop)
  }

  package enum State: Sendable, Equatable {
    case waiting(untilNs: Int64)
    /// One attempt is under way.
    case asking
    case stopped(Stop)
  }

  package private(set) var state: State
  /// Attempts that failed since the last success.
  package private(set) var failures = 0
  private var notBeforeNs: Int64
  private var notAfterNs: Int64

  /// - Parameter random: 0..<1.
  package init(notBeforeNs: Int64, notAfterNs: Int64, random: Double) {
    self.notBeforeNs = notBeforeNs
    self.notAfterNs = notAfterNs
    state = .waiting(untilNs: Self.dueNs(notBeforeNs, notAfterNs, random))
  }

  /// Two thirds of the life, ± a tenth of it.
  static func dueNs(_ notBeforeNs: Int64, _ notAfterNs: Int64, _ random: Double) -> Int64 {
    let lifeNs = life(notBeforeNs, notAfterNs)
    let ratio = 2.0 / 3.0 + (min(max(random, 0), 1) * 2 - 1) / 10
    return sum(notBeforeNs, Int64(Double(lifeNs) * ratio))
  }

  /// To be called when a wait is over, and at any other time.
  package mutating func timePassed(nowNs: Int64) -> Action {
    switch state {
    case .stopped(let why): return .stopped(why)
    case .asking: return .wait(untilNs: Self.sum(nowNs, pauseMaxNs))
    case .waiting(let untilNs):
      // No pause is that long: the clock was set back since, and the attempt is due.
      let wasSetBack = failures > 0 && untilNs > Self.sum(nowNs, pauseFirstNs + pauseMaxNs)
      if nowNs < untilNs, !wasSetBack { return .wait(untilNs: untilNs) }
      guard nowNs < graceEndNs else {
        state = .stopped(.graceOver)
        return .stopped(.graceOver)
      }
      state = .asking
      return .renew
    }
  }

  /// To be called when a connection is ready.
  ///
  /// One whose certificate has ended is closed but for its renewal, so the attempt is made at once: a pause would run out while there is no
  /// connection. The pauses between connections limit the attempts.
  package mutating func connected(nowNs: Int64) -> Action {
    if case .waiting = state, nowNs >= notAfterNs { state = .waiting(untilNs: nowNs) }
    return timePassed(nowNs: nowNs)
  }

  /// The attempt under way had no connection: it stays due, and is no failure.
  package mutating func notConnected(nowNs: Int64) {
    if state == .asking { state = .waiting(untilNs: nowNs) }
  }

  /// The attempt under way gave a new certificate.
  package mutating func renewed(notBeforeNs: Int64, notAfterNs: Int64, random: Double) {
    self = RenewalStateMachine(notBeforeNs: notBeforeNs, notAfterNs: notAfterNs, random: random)
  }

  /// The attempt under way failed.
  ///
  /// - Parameter refusal: why the collector refused, nil where it was not reached or gave no reason.
  /// - Parameter random: 0..<1.
  package mutating func failed(nowNs: Int64, refusal: IdentityRefusal?, random: Double) {
    failures += 1
    switch refusal {
    case .unknown: state = .stopped(.unknown)
    case .revoked: state = .stopped(.revoked)
    case .expired where nowNs >= graceEndNs: state = .stopped(.graceOver)
    case .expired, .clock, nil: state = .waiting(untilNs: Self.sum(nowNs, pauseNs(random)))
    }
  }

  /// Full jitter on a pause that doubles: AWS's "exponential backoff and jitter".
  private func pauseNs(_ random: Double) -> Int64 {
    let doubled = pauseFirstNs << Int64(min(failures - 1, 16))
    let limit = min(max(doubled, pauseFirstNs), pauseMaxNs)
    return pauseFirstNs / 2 + Int64(Double(limit) * min(max(random, 0), 1))
  }

  private var graceEndNs: Int64 { Self.sum(notAfterNs, Self.graceNs) }
  private var lifeNs: Int64 { Self.life(notBeforeNs, notAfterNs) }
  private var pauseFirstNs: Int64 { max(1_000_000, min(Self.pauseFirstNs, lifeNs / 100)) }
  private var pauseMaxNs: Int64 { max(1_000_000, min(Self.pauseMaxNs, lifeNs / 10)) }

  /// At least 1 ns, whatever a certificate holds.
  private static func life(_ notBeforeNs: Int64, _ notAfterNs: Int64) -> Int64 {
    let (difference, overflow) = notAfterNs.subtractingReportingOverflow(notBeforeNs)
    return overflow ? (notAfterNs > notBeforeNs ? .max / 2 : 1) : min(max(1, difference), .max / 2)
  }

  /// Of a time and a length ≥ 0; times end at the last that 64 bits hold.
  private static func sum(_ timeNs: Int64, _ lengthNs: Int64) -> Int64 {
    let (sum, overflow) = timeNs.addingReportingOverflow(lengthNs)
    return overflow ? .max : sum
  }
}
