extension CopyBuffer {
  /// Appends text; what PostgreSQL would refuse (NUL, bytes that are no UTF-8) is replaced by U+FFFD.
  ///
  /// Why: one such byte aborts a whole COPY with 22021.
  /// - Returns: true where something was replaced.
  @discardableResult
  package mutating func put(text: Span<UInt8>) -> Bool {
    if TextCheck.isPlain(text) || TextCheck.isValid(text) {
      put(plainText: text)
      return false
    }
    let repaired = TextCheck.repaired(text)
    put(plainText: repaired.span)
    return true
  }

  /// Appends text that `TextCheck` has found to be valid.
  package mutating func put(plainText text: Span<UInt8>) {
    reserve(4 + text.count)
    store(Int32(truncatingIfNeeded: text.count))
    // `reserve` made room for the span's bytes; the two do not overlap.
    unsafe text.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { unsafe (memory + byteCount).copyMemory(from: start, byteCount: bytes.count) }
    }
    byteCount += text.count
  }

  @discardableResult
  package mutating func put(text: String) -> Bool {
    var text = text
    // Contiguous UTF-8 for the closure's length; a Swift string is valid UTF-8 but may hold NUL.
    return text.withUTF8 { bytes in unsafe put(text: bytes.span) }
  }

  /// jsonb, from text that is valid JSON.
  package mutating func put(jsonb text: Span<UInt8>) {
    reserve(5 + text.count)
    store(Int32(truncatingIfNeeded: text.count + 1))
    store(UInt8(1))
    unsafe text.withUnsafeBytes { bytes in
      // As above.
      if let start = bytes.baseAddress { unsafe (memory + byteCount).copyMemory(from: start, byteCount: bytes.count) }
    }
    byteCount += text.count
  }

  /// Where each row starts, and the end of the last: for sending a part, and for looking into a refused row.
  package func rowStarts() -> [Int] {
    var starts: [Int] = []
    starts.reserveCapacity(rowCount + 1)
    var at = 0
    while at < byteCount {
      starts.append(at)
      var fields = Int(bigEndian16(at))
      at += 2
      while fields > 0 {
        let length = Int(bigEndian32(at))
        at += 4 + max(0, length)
        fields -= 1
      }
    }
    starts.append(byteCount)
    return starts
  }

  /// The bytes of `range`, copied.
  package func bytes(_ range: Range<Int>) -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    // Inside the filled part.
    return unsafe [UInt8](UnsafeRawBufferPointer(start: memory + range.lowerBound, count: range.count))
  }

  /// The bytes of one field of the row that starts at `start`; nil for NULL.
  package func field(_ index: Int, ofRowAt start: Int) -> [UInt8]? {
    var at = start + 2
    for _ in 0..<index { at += 4 + max(0, Int(bigEndian32(at))) }
    let length = Int(bigEndian32(at))
    return length < 0 ? nil : bytes(at + 4..<at + 4 + length)
  }

  private func bigEndian16(_ at: Int) -> Int16 {
    precondition(at + 2 <= byteCount)
    return unsafe Int16(bigEndian: memory.loadUnaligned(fromByteOffset: at, as: Int16.self))
  }

  private func bigEndian32(_ at: Int) -> Int32 {
    precondition(at + 4 <= byteCount)
    return unsafe Int32(bigEndian: memory.loadUnaligned(fromByteOffset: at, as: Int32.self))
  }
}

/// What text may go into the database as it is.
package enum TextCheck {
  /// ASCII without NUL; one pass at memory speed, so that a batch is checked once and not line by line.
  package static func isPlain(_ text: Span<UInt8>) -> Bool {
    unsafe text.withUnsafeBytes { bytes in
      // Word reads stay below bytes.count. Without high bits, (word - 1s) has one exactly where a byte was zero; plain
      // integer operations, which the compiler makes vectors of.
      var at = 0
      var seen: UInt64 = 0
      while at &+ 8 <= bytes.count {
        let word = unsafe bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        seen |= word | (word &- 0x0101_0101_0101_0101)
        at &+= 8
      }
      while at < bytes.count {
        let byte = unsafe bytes[at]
        seen |= UInt64(byte) | (byte == 0 ? 0x80 : 0)
        at &+= 1
      }
      return seen & 0x8080_8080_8080_8080 == 0
    }
  }

  /// UTF-8 (RFC 3629) without NUL.
  package static func isValid(_ text: Span<UInt8>) -> Bool {
    for index in text.indices where text[index] == 0 { return false }
    return (try? UTF8Span(validating: text)) != nil
  }

  /// The text with U+FFFD instead of NULs and of bytes that are no UTF-8.
  package static func repaired(_ text: Span<UInt8>) -> [UInt8] {
    let string = unsafe text.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    var repaired: [UInt8] = []
    repaired.reserveCapacity(string.utf8.count + 8)
    for byte in string.utf8 {
      if byte == 0 { repaired += [0xef, 0xbf, 0xbd] } else { repaired.append(byte) }
    }
    return repaired
  }
}
