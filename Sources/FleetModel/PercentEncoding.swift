/// Text within an address. Source: RFC 3986, section 2.
package enum PercentEncoding {
  /// One part of a path, or a name or value of a query: also slashes are encoded.
  package static func pathPart(_ text: String) -> String { encoded(text) { isUnreserved($0) } }

  /// A path with its query: what may not stand in an address, such as a line break, is encoded.
  package static func path(_ text: String) -> String {
    encoded(text) { isUnreserved($0) || delimiters.contains($0) }
  }

  private static let delimiters = Set("/?=&%:,@+*!$'();".utf8)

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"):
      true
    default: false
    }
  }

  private static func encoded(_ text: String, _ isPlain: (UInt8) -> Bool) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if isPlain(byte) {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static let digits = Array("0123456789ABCDEF".utf8)
}
