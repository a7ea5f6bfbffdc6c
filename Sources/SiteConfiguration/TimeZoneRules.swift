internal import Files
internal import FleetModel

/// The contents of a time zone's file. Source: RFC 8536 (TZif), version 2 and later.
package struct TimeZoneRules: Sendable, Equatable {
  package let name: String
  /// UTC seconds from which an offset holds, ascending.
  private let transitions: [Int64]
  /// Seconds east of UTC for each transition.
  private let offsets: [Int64]
  private let firstOffset: Int64

  package static let utc = TimeZoneRules(name: "UTC", transitions: [], offsets: [], firstOffset: 0)

  private init(name: String, transitions: [Int64], offsets: [Int64], firstOffset: Int64) {
    self.name = name
    self.transitions = transitions
    self.offsets = offsets
    self.firstOffset = firstOffset
  }

  /// - Parameter name: such as `Europe/Berlin`.
  /// - Returns: nil where this machine knows no such zone.
  package init?(named name: String, directory: String = "/usr/share/zoneinfo") {
    let isName =
      !name.isEmpty && !name.hasPrefix("/") && !name.contains("..")
      && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    if isName, let bytes = try? HostFiles.read("\(directory)/\(name)", limitBytes: 256 << 10),
      let rules = TimeZoneRules(name: name, tzif: bytes)
    {
      self = rules
    } else if name == "UTC" {
      self = .utc
    } else {
      return nil
    }
  }

  /// - Parameter tzif: the file's bytes. Files that leave the years ahead to their last line are refused unless nothing
  ///   changes there.
  package init?(name: String, tzif bytes: [UInt8]) {
    guard bytes.count > 44, bytes.starts(with: Array("TZif".utf8)), bytes[4] >= UInt8(ascii: "2"),
      let first = Header(bytes, at: 0)
    else { return nil }
    let start = 44 + first.length(timeBytes: 4)
    guard let header = Header(bytes, at: start), header.types > 0 else { return nil }
    let data = start + 44
    let end = data + header.length(timeBytes: 8)
    guard end <= bytes.count else { return nil }
    let indices = data + header.times * 8
    let types = indices + header.times
    let offsets = (0..<header.types).map { Int64(Int32(truncatingIfNeeded: bytes.bigEndian(types + $0 * 6, 4))) }
    let chosen = (0..<header.times).map { Int(bytes[indices + $0]) }
    guard chosen.allSatisfy({ $0 < offsets.count }) else { return nil }
    let transitions = (0..<header.times).map { bytes.bigEndian(data + $0 * 8, 8) }
    let footer = String(decoding: bytes[end...], as: UTF8.self)
    if footer.contains(","), (transitions.last ?? 0) < Self.lastYearSeconds { return nil }
    self.init(name: name, transitions: transitions, offsets: chosen.map { offsets[$0] }, firstOffset: offsets[0])
  }

  /// 2036-01-01.
  private static let lastYearSeconds: Int64 = 2_082_758_400

  /// Seconds east of UTC.
  package func offset(atSeconds seconds: Int64) -> Int64 {
    var (low, high) = (0, transitions.count)
    while low < high {
      let middle = (low + high) / 2
      if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? firstOffset : offsets[low - 1]
  }

  /// - Returns: seconds since 1970 as if local time were UTC.
  package func localSeconds(atNs ns: Int64) -> Int64 {
    let seconds = LocalTime.floorDivide(ns, 1_000_000_000)
    return seconds + offset(atSeconds: seconds)
  }

  /// A local time that there is twice is the first one; one that there is not is moved by the gap.
  package func utcNs(localSeconds local: Int64) -> Int64 {
    let early = local - offset(atSeconds: local - 86_400)
    let late = local - offset(atSeconds: local + 86_400)
    let utc = early + offset(atSeconds: early) == local ? early : late + offset(atSeconds: late) == local ? late : early
    return utc.multipliedClamped(by: 1_000_000_000)
  }

  private struct Header {
    let utcFlags: Int, standardFlags: Int, leaps: Int, times: Int, types: Int, characters: Int

    init?(_ bytes: [UInt8], at start: Int) {
      guard start + 44 <= bytes.count, bytes[start...].starts(with: Array("TZif".utf8)) else { return nil }
      let counts = (0..<6).map { Int(bytes.bigEndian(start + 20 + $0 * 4, 4)) }
      guard counts.allSatisfy({ (0...100_000).contains($0) }) else { return nil }
      (utcFlags, standardFlags, leaps) = (counts[0], counts[1], counts[2])
      (times, types, characters) = (counts[3], counts[4], counts[5])
    }

    func length(timeBytes: Int) -> Int {
      times * timeBytes + times + types * 6 + characters + leaps * (timeBytes + 4) + standardFlags + utcFlags
    }
  }
}

extension [UInt8] {
  fileprivate func bigEndian(_ start: Int, _ count: Int) -> Int64 {
    var value: UInt64 = 0
    for byte in self[start..<start + count] { value = value << 8 | UInt64(byte) }
    return Int64(bitPattern: value)
  }
}
