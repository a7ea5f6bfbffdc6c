import Files
import Testing

@Suite struct LineScanTests {
  /// The same by one look at each byte: what scan.h says.
  private static func findings(_ bytes: [UInt8], _ finding: LineScan.Finding) -> [Int] {
    func byte(_ at: Int) -> UInt8 { bytes.indices.contains(at) ? bytes[at] : 0 }
    func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
    func isToken(_ at: Int) -> Bool {
      isLetter(byte(at)) || (0x30...0x39).contains(byte(at)) || byte(at) == 0x5f || byte(at) == 0x2d
    }
    func isPair(_ at: Int, _ first: UInt8, _ second: UInt8) -> Bool {
      byte(at) | 0x20 == first && byte(at + 1) | 0x20 == second
    }
    return bytes.indices.filter { at in
      let next = byte(at + 1)
      switch finding {
      case .newline: return bytes[at] == 10
      case .odd: return bytes[at] == 0 || bytes[at] == 13 || bytes[at] == 0x1b || bytes[at] >= 0x80
      case .separator: return bytes[at] == 0x3d || bytes[at] == 0x3a && next != 0x2f
      case .shape:
        let isRun = (at - 15...at).allSatisfy(isToken) && !isToken(at - 16)
        let isOption = bytes[at] == 0x2d && isLetter(next) && (byte(at - 1) == 0x20 || byte(at - 1) == 0x2d)
        let isSign = bytes[at] == 0x40 || bytes[at] == 0x25 && next == 0x33 || bytes[at] == 0xef && next == 0xbc
        return isRun || isOption || isSign || isPair(at, 0x73, 0x77) || isPair(at, 0x62, 0x79) || isPair(at, 0x61, 0x75)
          || isPair(at, 0x71, 0x75)
      }
    }
  }

  private static func found(_ scan: LineScan, _ finding: LineScan.Finding, _ range: Range<Int>) -> [Int] {
    var (at, all) = (range.lowerBound, [Int]())
    while let next = scan.first(finding, in: at..<range.upperBound) {
      all.append(next)
      at = next + 1
    }
    return all
  }

  @Test(arguments: [0, 1, 15, 16, 31, 32, 63, 64, 65, 66, 127, 128, 129, 130, 1000])
  func everyLengthIsScannedAsByteByByte(count: Int) {
    var random = SeededBytes(state: UInt64(count) + 1)
    // Few different bytes, so that pairs and runs are common, and now and then any byte.
    let alphabet = Array("aZ09_-swSWbyBYuUqQ%3@=:/\n\r \u{1b}：".utf8)
    var scan = LineScan()
    for _ in 0..<50 {
      let bytes = (0..<count).map { _ in
        let value = random.next()
        return value & 31 == 0 ? UInt8(truncatingIfNeeded: value >> 8) : alphabet[Int(value >> 8) % alphabet.count]
      }
      scan.scan(bytes.span)
      for finding in [LineScan.Finding.newline, .odd, .separator, .shape] {
        #expect(Self.found(scan, finding, 0..<count) == Self.findings(bytes, finding), "\(finding) of \(bytes)")
        let part = count / 3..<count - count / 4
        #expect(Self.found(scan, finding, part) == Self.findings(bytes, finding).filter(part.contains))
      }
    }
  }
}

/// xorshift64: the same bytes in each run.
private struct SeededBytes {
  var state: UInt64

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_F491_4F6C_DD1D >> 3
  }
}
