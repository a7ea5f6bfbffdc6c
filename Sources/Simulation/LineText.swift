internal import FleetModel

/// A line as its writer wrote it; hashed once, because it is looked up many times.
struct LineText: Hashable {
  let bytes: [UInt8]
  private let hash: UInt64

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    hash = ContentHash.of(bytes.span)
  }

  static func == (one: LineText, other: LineText) -> Bool { one.hash == other.hash && one.bytes == other.bytes }

  func hash(into hasher: inout Hasher) { hasher.combine(hash) }

  var text: String { String(decoding: bytes, as: UTF8.self) }
}
