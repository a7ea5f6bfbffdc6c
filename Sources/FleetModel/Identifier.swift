/// A random 128-bit identifier whose type fixes what it names, so that a host's can never stand for a file's.
///
/// Bytes are kept big-endian in two words; the text is 32 lower-case hex digits in the 8-4-4-4-12 form of RFC 9562.
package struct Identifier<Subject>: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// - Parameter bytes: exactly 16 bytes; nil otherwise.
  package init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for (index, byte) in bytes.enumerated() {
      if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
    }
    self.init(high: high, low: low)
  }

  /// - Parameter text: 32 hex digits, dashes anywhere are ignored; nil otherwise.
  package init?(text: String) {
    var nibbles: [UInt8] = []
    nibbles.reserveCapacity(32)
    for byte in text.utf8 where byte != UInt8(ascii: "-") {
      guard let value = Hex.value(byte), nibbles.count < 32 else { return nil }
      nibbles.append(value)
    }
    guard nibbles.count == 32 else { return nil }
    self.init(bytes: (0..<16).map { nibbles[$0 * 2] << 4 | nibbles[$0 * 2 + 1] })
  }

  /// 16 bytes, big-endian.
  package var bytes: [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * UInt64($0))) }
      + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * UInt64($0))) }
  }

  package var description: String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
      if index == 4 || index == 6 || index == 8 || index == 10 { text.append("-") }
      text.append(Hex.text(byte))
    }
    return text
  }

  package static func < (left: Self, right: Self) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}

/// Hexadecimal digits of bytes.
package enum Hex {
  /// - Returns: 0…15, or nil where `digit` is no hex digit.
  package static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// - Returns: nil where `text` is not pairs of hex digits.
  package static func bytes(_ text: String) -> [UInt8]? {
    let nibbles = text.utf8.compactMap { value($0) }
    guard nibbles.count == text.utf8.count, nibbles.count % 2 == 0 else { return nil }
    return (0..<nibbles.count / 2).map { nibbles[$0 * 2] << 4 | nibbles[$0 * 2 + 1] }
  }

  package static func text(_ bytes: [UInt8]) -> String { bytes.map { text($0) }.joined() }

  /// Two lower-case digits.
  package static func text(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return byte < 16 ? "0" + digits : digits
  }
}

package enum HostSubject {}
package enum SpoolSubject {}
package enum FileSubject {}
package enum BootSubject {}
package enum InstanceSubject {}
package enum MachineSubject {}
package enum CollectorSubject {}

/// A host of the fleet, chosen by the collector at enrolment; the certificate carries it.
package typealias HostID = Identifier<HostSubject>
/// One spool directory's life; made with the spool, so that sequences of a wiped spool are never confused.
package typealias SpoolID = Identifier<SpoolSubject>
/// One generation of one followed file, chosen by the agent when it first sees it.
package typealias FileKey = Identifier<FileSubject>
/// The kernel's boot id.
package typealias BootID = Identifier<BootSubject>
/// One start of an agent process.
package typealias InstanceID = Identifier<InstanceSubject>
/// SHA-256 of the machine id, cut to 128 bits.
package typealias MachineIDHash = Identifier<MachineSubject>
/// One collector's state directory, random, made at its first start.
package typealias CollectorID = Identifier<CollectorSubject>
