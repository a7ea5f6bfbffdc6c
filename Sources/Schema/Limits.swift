/// What decoding one message may cost. Checked before memory is taken; what a message may hold is in `FleetProtocol`.
package enum Limits {
  /// Memory that the tree of one message may take. An honest frame takes up to 4 times its size, one of empty
  /// sub-messages 156 times.
  package static let arenaBytes = 16 << 20
  /// A small frame may not take the whole arena: at most so many times its size, and `arenaBaseBytes`.
  package static let arenaAmplification = 32
  package static let arenaBaseBytes = 64 << 10
}
