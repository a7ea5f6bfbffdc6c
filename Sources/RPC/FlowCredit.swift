/// How much of what a stream has received may be given back to the peer as window.
///
/// Bytes of a message that is still arriving are given back as long as nothing delivered is unconsumed: a message may be
/// larger than the window. Once a delivered message waits, everything behind it is held: the window closes, the peer stops.
package struct FlowCredit: Sendable, Equatable {
  private var held = 0
  private var unconsumed = 0

  package init() {}

  /// Bytes whose window has not been given back.
  package var heldBytes: Int { held }
  /// Bytes of delivered messages, prefixes included, that are not consumed.
  package var unconsumedBytes: Int { unconsumed }

  package mutating func received(_ bytes: Int) { held += bytes }
  package mutating func delivered(_ bytes: Int) { unconsumed += bytes }
  /// More than was delivered counts as all of it.
  package mutating func consumed(_ bytes: Int) { unconsumed -= min(max(0, bytes), unconsumed) }

  /// What can be given back now; it counts as given.
  package mutating func take(partialBytes: Int) -> Int {
    let keep = unconsumed == 0 ? 0 : unconsumed + partialBytes
    let credit = max(0, held - keep)
    held -= credit
    return credit
  }

  /// Everything, for a stream that has ended.
  package mutating func takeAll() -> Int {
    let credit = held
    held = 0
    unconsumed = 0
    return credit
  }
}
