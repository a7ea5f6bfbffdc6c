internal import FleetModel
internal import TLS

/// Opens and ends the fleet's incident about the end of its issuing authority. No I/O; time is passed in.
///
/// The incident is one of the fleet, not of a collector: several collectors may each find it, and one whose own copy is renewed ends it. A
/// collector whose copy is not renewed therefore repeats it every day.
struct AuthorityWatch: Sendable {
  private enum State: Sendable, Equatable {
    /// A collector that ran here before may have left the incident open.
    case unknown
    case ended
    /// - Parameter repeatedNs: when it was last sent.
    case open(repeatedNs: Int64)
  }

  /// No file's rule, and not ended as one whose rule is gone.
  static let rule = OwnRule.authority
  static let repeatNs: Int64 = 86_400_000_000_000

  private var state = State.unknown

  /// - Parameters:
  ///   - sentence: while the end is near; nil otherwise.
  ///   - endNs: the end of the issuing authority, ns since 1970.
  /// - Returns: what is to be recorded now; nil where nothing is new. `recorded` confirms that it was.
  func change(sentence: String?, steps: [String], endNs: Int64, nowNs: Int64) -> IncidentChange? {
    guard let sentence else {
      if state == .ended { return nil }
      return IncidentChange(
        .cleared, rule: Self.rule, severity: OwnRule.authorityRunbook.severity, entity: "authority", eventNs: nowNs,
        detectedNs: nowNs)
    }
    var eventNs = endNs.subtractingClamped(CertificateAuthority.endsSoonNs)
    if case .open(let repeatedNs) = state {
      // A clock that was set back must not postpone the next one.
      guard nowNs < repeatedNs || nowNs.subtractingClamped(repeatedNs) >= Self.repeatNs else { return nil }
      eventNs = nowNs
    }
    var change = IncidentChange(
      .opened, rule: Self.rule, severity: OwnRule.authorityRunbook.severity, entity: "authority", eventNs: eventNs,
      detectedNs: nowNs
    ).described(by: OwnRule.authorityRunbook)
    change.title = OwnRule.authorityRunbook.title
    change.summary = sentence
    change.steps = steps
    return change
  }

  /// The change of `change` was handed over.
  mutating func recorded(_ change: IncidentChange) {
    state = change.kind == .opened ? .open(repeatedNs: change.detectedNs) : .ended
  }
}
