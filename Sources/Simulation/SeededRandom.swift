/// The one source of chance of a run: SplitMix64, so that a seed gives the same run on every machine.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) {
    state = seed
    // Neighbouring seeds would start alike.
    _ = next()
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }

  /// True with a probability of `ratio`.
  mutating func chance(_ ratio: Double) -> Bool {
    Double(next() >> 11) * 0x1p-53 < ratio
  }

  mutating func within(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self) }
  mutating func within(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  /// A generator of its own, so that more draws in one part do not change what another part sees.
  mutating func fork() -> SeededRandom { SeededRandom(seed: next()) }
}
