/// What gRPC writes into header fields: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
package enum RPCHeaders {
  /// Of requests and responses: the messages are protobuf, which is what no suffix means.
  package static let contentType = "application/grpc"

  /// application/grpc, application/grpc+proto, application/grpc;charset=…
  package static func isGRPC(contentType: String?) -> Bool {
    guard let rest = contentType?.lowercased(), rest.hasPrefix(Self.contentType) else { return false }
    let next = rest.utf8.dropFirst(Self.contentType.utf8.count).first
    return next == nil || next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
  }

  /// Splits "/signalbox.v1.Fleet/Report".
  package static func split(path: String) -> (service: String, method: String)? {
    guard path.utf8.first == UInt8(ascii: "/") else { return nil }
    let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
    return (String(parts[0]), String(parts[1]))
  }

  /// grpc-timeout: at most 8 digits and a unit (H, M, S, m, u, n).
  /// - Returns: ns, at most a year; `nil` where it is malformed.
  package static func timeoutNs(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    guard let unit = bytes.last, (2...9).contains(bytes.count) else { return nil }
    var value: Int64 = 0
    for byte in bytes.dropLast() {
      guard (48...57).contains(byte) else { return nil }
      value = value * 10 + Int64(byte - 48)
    }
    let unitNs: Int64
    switch unit {
    case UInt8(ascii: "H"): unitNs = 3_600_000_000_000
    case UInt8(ascii: "M"): unitNs = 60_000_000_000
    case UInt8(ascii: "S"): unitNs = 1_000_000_000
    case UInt8(ascii: "m"): unitNs = 1_000_000
    case UInt8(ascii: "u"): unitNs = 1_000
    case UInt8(ascii: "n"): unitNs = 1
    default: return nil
    }
    let (product, overflow) = value.multipliedReportingOverflow(by: unitNs)
    return overflow ? longestNs : min(product, longestNs)
  }

  private static let longestNs: Int64 = 365 * 86_400 * 1_000_000_000

  /// The other way; rounded up, so that the peer never gives up before the caller.
  package static func timeout(ns: Int64) -> String {
    let units: [(Int64, Character)] = [
      (1, "n"), (1_000, "u"), (1_000_000, "m"), (1_000_000_000, "S"), (60_000_000_000, "M"),
    ]
    for (unitNs, letter) in units {
      let (whole, rest) = max(0, ns).quotientAndRemainder(dividingBy: unitNs)
      let value = whole + (rest > 0 ? 1 : 0)
      if value <= 99_999_999 { return "\(value)\(letter)" }
    }
    return "99999999M"
  }

  /// grpc-message: bytes outside the printable ASCII range, and "%", are written as %XX.
  package static func encode(message: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var out: [UInt8] = []
    for byte in message.utf8.prefix(messageBytesMax) {
      if (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "%") {
        out.append(byte)
      } else {
        out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// A long text would exceed the peer's header limit and so hide the status itself.
  private static let messageBytesMax = 1024

  /// What is not a valid escape stays as it is; broken UTF-8 is repaired.
  package static func decode(message: String) -> String {
    let bytes = Array(message.utf8)
    var out: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
        let high = hex(bytes[index + 1]), let low = hex(bytes[index + 2])
      {
        out.append(high << 4 | low)
        index += 3
      } else {
        out.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func hex(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
