/// Recognises files that hold no text that is read, by their first bytes: they are never lines.
package enum BinaryContent {
  package enum Kind: Sendable {
    /// Read: as text, or by a reader of its own, as TensorBoard's event files and W&B's logs.
    case text
    case binary
    /// UTF-16 or UTF-32: text that is not read, because every offset, redaction and rule means UTF-8.
    case wideText
  }

  /// What is looked at of a file.
  static let headBytes = 8192
  /// Below this the share means little.
  private static let sampleBytesMin = 512
  /// A longer run of NULs is a hole, as copytruncate or a power loss leave it, and says nothing of what stands around it.
  private static let holeBytesMin = 32

  /// - Parameters:
  ///   - head: the file's first bytes, at most `headBytes` of them are looked at.
  ///   - path: some formats have no sign of their own but the names of their files.
  static func kind(_ head: Span<UInt8>, path: String) -> Kind {
    if TrainingFormats.isEventFile(path: path, head) || WandbChunks.isHead(head) { return .text }
    if DatabaseFile.owner(of: path) != nil { return .binary }
    if signatures.contains(where: { $0.matches(head) }) || isFramed(head, path) { return .binary }
    if wideMarks.contains(where: { $0.matches(head) }) { return .wideText }
    guard hasBinaryShare(head) else { return .text }
    return hasWideText(head) ? .wideText : .binary
  }

  /// Byte order marks of UTF-16, with which UTF-32's little-endian one begins, and of UTF-32. Unicode 23.8.
  private static let wideMarks = [
    Signature([0xff, 0xfe]), Signature([0xfe, 0xff]), Signature([0x00, 0x00, 0xfe, 0xff]),
  ]

  /// UTF-16 without its mark: in nearly every pair of bytes one is NUL, always the same one, and the other is of ASCII text.
  private static func hasWideText(_ head: Span<UInt8>) -> Bool {
    var counts = (pairs: 0, big: 0, little: 0)
    for at in stride(from: 0, to: min(head.count, headBytes) - 1, by: 2) {
      let (first, second) = (head[at], head[at + 1])
      counts.pairs += 1
      if first == 0, second != 0, !isOdd(second), second < 0x80 { counts.big += 1 }
      if second == 0, first != 0, !isOdd(first), first < 0x80 { counts.little += 1 }
    }
    let (most, least) = (max(counts.big, counts.little), min(counts.big, counts.little))
    return most * 10 >= counts.pairs * 8 && least * 20 <= counts.pairs
  }

  /// Control characters that no log holds, and NULs that are no hole. Random bytes have 10 % of them; text in any encoding but UTF-16 next
  /// to none, even with colours, progress bars and some stray bytes.
  private static func hasBinaryShare(_ head: Span<UInt8>) -> Bool {
    var (sample, odd, at) = (0, 0, 0)
    let count = min(head.count, headBytes)
    while at < count {
      guard head[at] == 0 else {
        sample += 1
        if isOdd(head[at]) { odd += 1 }
        at += 1
        continue
      }
      var end = at
      while end < count, head[end] == 0 { end += 1 }
      // A run at the end may be a longer one.
      if end - at < holeBytesMin, end < head.count {
        sample += end - at
        odd += end - at
      }
      at = end
    }
    return sample < sampleBytesMin ? odd >= 4 && odd * 10 >= sample * 3 : odd * 25 >= sample
  }

  /// Not tab, newline, vertical tab, form feed, return, backspace, bell and escape.
  private static func isOdd(_ byte: UInt8) -> Bool {
    byte < 0x07 || byte == 0x7f || (byte > 0x0d && byte < 0x20 && byte != 0x1b)
  }

  // MARK: Signs

  private struct Signature {
    var offset = 0
    var bytes: [UInt8]

    init(_ text: String, at offset: Int = 0) {
      bytes = Array(text.utf8)
      self.offset = offset
    }
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func matches(_ head: Span<UInt8>) -> Bool {
      guard head.count >= offset + bytes.count else { return false }
      for index in bytes.indices where head[offset + index] != bytes[index] { return false }
      return true
    }
  }

  /// As in file(1)'s magic.
  private static let signatures: [Signature] = [
    // zip, so also PyTorch's .pt and numpy's .npz
    Signature([0x50, 0x4b, 0x03, 0x04]), Signature([0x50, 0x4b, 0x05, 0x06]),
    // HDF5
    Signature([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]),
    // gzip, zstd, lz4, xz, 7z
    Signature([0x1f, 0x8b]), Signature([0x28, 0xb5, 0x2f, 0xfd]), Signature([0x04, 0x22, 0x4d, 0x18]),
    Signature([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), Signature([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]),
    Signature("BZh91AY&SY"), Signature("Rar!\u{1a}\u{07}"),
    // ELF, PNG, JPEG
    Signature([0x7f, 0x45, 0x4c, 0x46]), Signature([0x89, 0x50, 0x4e, 0x47]), Signature([0xff, 0xd8, 0xff]),
    Signature("GIF87a"), Signature("GIF89a"),
    // numpy
    Signature([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]),
    Signature("PAR1"), Signature("ARROW1\0\0"), Signature("Obj\u{01}"), Signature("SQLite format 3\0"),
    // SQLite's rollback journal, write-ahead log, and the log's index
    Signature([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]), Signature([0x37, 0x7f, 0x06, 0x82]),
    Signature([0x37, 0x7f, 0x06, 0x83]), Signature([0x18, 0xe2, 0x2d, 0x00]), Signature([0x00, 0x2d, 0xe2, 0x18]),
    Signature("GGUF"),
    // pickle's PROTO 2…5
    Signature([0x80, 0x02]), Signature([0x80, 0x03]), Signature([0x80, 0x04, 0x95]), Signature([0x80, 0x05, 0x95]),
    Signature("ustar", at: 257), Signature("ftyp", at: 4), Signature("TFL3", at: 4), Signature("WAVEfmt", at: 8),
    // systemd's journal
    Signature("LPKSHHRH"),
    // PDF, wasm, Java class
    Signature("%PDF-1."), Signature([0x00, 0x61, 0x73, 0x6d]), Signature([0xca, 0xfe, 0xba, 0xbe]),
    // W&B's .wandb of another version than the one that is read
    Signature([0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe]),
  ]

  /// Formats whose files begin with a length: safetensors' header and TensorBoard's records.
  private static func isFramed(_ head: Span<UInt8>, _ path: String) -> Bool {
    guard head.count >= 12 else { return false }
    let hasLength = head[4] == 0 && head[5] == 0 && head[6] == 0 && head[7] == 0
    if hasLength, head[8] == UInt8(ascii: "{") { return true }
    return hasLength
      && path.utf8.split(separator: UInt8(ascii: "/")).last.map { name in
        String(decoding: name, as: UTF8.self).contains("tfevents")
      } == true
  }
}
