/// Bytes 0…255, 256 for a line's start and 257 for its end.
package struct SymbolSet: Sendable, Equatable {
  private var low = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
  private var edges: UInt8 = 0

  package static let lineStart = SymbolSet(edges: 1)
  package static let lineEnd = SymbolSet(edges: 2)

  package init() {}
  private init(edges: UInt8) { self.edges = edges }
  package init(_ byte: UInt8) { insert(byte) }
  package init(_ ranges: [ClosedRange<UInt8>]) {
    for range in ranges { for byte in range { insert(byte) } }
  }

  package static func == (left: Self, right: Self) -> Bool {
    left.edges == right.edges && (0..<256).allSatisfy { left.contains($0) == right.contains($0) }
  }

  package mutating func insert(_ byte: UInt8) {
    let bit = UInt64(1) << UInt64(byte & 63)
    switch byte >> 6 {
    case 0: low.0 |= bit
    case 1: low.1 |= bit
    case 2: low.2 |= bit
    default: low.3 |= bit
    }
  }

  package mutating func formUnion(_ other: SymbolSet) {
    low = (low.0 | other.low.0, low.1 | other.low.1, low.2 | other.low.2, low.3 | other.low.3)
  }

  /// All other bytes but the newline.
  package var inverted: SymbolSet {
    var other = SymbolSet()
    for byte in UInt8.min...UInt8.max where byte != UInt8(ascii: "\n") && !contains(Int(byte)) { other.insert(byte) }
    return other
  }

  package func contains(_ symbol: Int) -> Bool {
    guard symbol < 256 else { return edges >> UInt8(symbol - 256) & 1 == 1 }
    let word =
      switch symbol >> 6 {
      case 0: low.0
      case 1: low.1
      case 2: low.2
      default: low.3
      }
    return word >> UInt64(symbol & 63) & 1 == 1
  }

  /// The one byte that it stands for in either case, lower; nil where there are more.
  package var singleByte: UInt8? {
    guard edges == 0 else { return nil }
    var found: UInt8?
    for symbol in 0..<256 where contains(symbol) {
      let byte = ASCII.lower(UInt8(symbol))
      if let found, found != byte { return nil }
      found = byte
    }
    return found
  }
}
