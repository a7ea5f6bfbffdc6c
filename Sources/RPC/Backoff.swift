/// Exponential back-off with full jitter: each wait is random in [0, ceiling], and the ceiling doubles up to the cap.
///
/// The jitter is drawn after the cap: drawn before it, all that have reached the cap would return together.
package struct Backoff: Sendable {
  package let firstNs: Int64
  package let capNs: Int64
  package private(set) var attempts = 0

  package init(firstNs: Int64 = 1_000_000_000, capNs: Int64 = 60_000_000_000) {
    self.firstNs = max(1, firstNs)
    self.capNs = max(1, capNs)
  }

  /// - Parameter random: evenly spread bits from the caller's generator.
  /// - Returns: how long to wait before the next attempt.
  package mutating func nextNs(random: UInt64) -> Int64 {
    let ceiling = ceilingNs
    attempts += 1
    return Int64(UInt64(ceiling).multipliedFullWidth(by: random).high)
  }

  /// The longest the next wait can be.
  package var ceilingNs: Int64 {
    var ceiling = min(firstNs, capNs)
    for _ in 0..<min(attempts, 62) where ceiling < capNs { ceiling = ceiling > capNs / 2 ? capNs : ceiling * 2 }
    return ceiling
  }

  /// After something proved that the peer takes us: not the connect, the peer's first SETTINGS.
  package mutating func reset() { attempts = 0 }
}
