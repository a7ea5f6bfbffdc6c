/// Values that no person wrote: long, of upper and lower case and digits that change places all the time. Names of files and models
/// change far less often; most hashes and UUIDs have one case only.
enum SecretRandom {
  private static let judgedBytesMax = 512
  /// Of a sentence.
  private static let announcementBytesMax = 96

  /// A random value behind any name but that of a hash or an identifier, which is as random and no secret.
  /// - Parameter start: behind the separator and its blanks.
  static func find(_ text: Span<UInt8>, start: Int, separator: Int) -> Secret? {
    var start = start
    while start < text.count, start - separator < 8, isOpening(text[start]) { start += 1 }
    var end = start
    while end < text.count, ByteClass.isToken(text[end]), end - start < judgedBytesMax { end += 1 }
    guard end - start >= 20, end == text.count || text[end] != UInt8(ascii: "("),
      !isIdentifier(text, before: separator), !isDigest(text, start)
    else { return nil }
    guard
      hasRandomPart(text, start..<end, minimum: 16)
        || SecretShape.isCode(text, start..<end, minimum: 20) && isAnnounced(text, before: separator)
    else { return nil }
    while end < text.count, ByteClass.isToken(text[end]) { end += 1 }
    return Secret(range: start..<end, kind: .entropy)
  }

  private static func isOpening(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\\")
  }

  /// The sentence before the separator names a secret: "Paste an API key from your profile and hit enter: …".
  private static func isAnnounced(_ text: Span<UInt8>, before separator: Int) -> Bool {
    var at = separator
    while at > 0, separator - at < announcementBytesMax {
      at -= 1
      if text[at] == UInt8(ascii: " "), let name = SecretName.read(text, before: at) {
        if name.kind == .password || name.kind == .key || name.kind == .token { return true }
      }
    }
    return false
  }

  static func isRandom(_ text: Span<UInt8>, _ range: Range<Int>, minimum: Int) -> Bool {
    range.count >= 16 && hasRandomPart(text, range.prefix(judgedBytesMax), minimum: minimum)
  }

  /// A part between signs that is random.
  static func hasRandomPart(_ text: Span<UInt8>, _ range: Range<Int>, minimum: Int) -> Bool {
    var part = range.lowerBound
    while part < range.upperBound {
      var stop = part
      while stop < range.upperBound, ByteClass.isWord(text[stop]) { stop += 1 }
      if stop - part >= minimum, isRandomWord(text, part..<stop) { return true }
      part = stop + 1
    }
    return false
  }

  private static func isRandomWord(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var classes: UInt8 = 0
    var changes = 0
    var before = ByteClass.of(text[range.lowerBound])
    for at in range {
      let here = ByteClass.of(text[at])
      classes |= here
      if here != before { changes += 1 }
      before = here
    }
    return classes & ByteClass.alphanumeric == ByteClass.alphanumeric && changes * 20 >= (range.count - 1) * 7
  }

  /// Letters alone, but in no order of a name.
  static func changesCase(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var changes = 0
    for at in range.dropFirst() where ByteClass.of(text[at]) != ByteClass.of(text[at - 1]) { changes += 1 }
    return range.allSatisfy { ByteClass.isWord(text[$0]) } && changes * 20 >= (range.count - 1) * 7
  }

  /// Words with which the names of hashes and identifiers end.
  private static let identifiers: [[UInt8]] = [
    "hash", "digest", "sha", "md", "etag", "fingerprint", "checksum", "sum", "integrity", "id", "uid", "uuid", "cid",
    "commit", "rev",
    "revision", "ref", "version", "model", "file", "filename", "path", "dir", "name", "trace", "span", "request",
    "host", "hostid",
    "hostname", "node", "pod", "container", "image", "url", "uri", "accept", "cursor", "crc", "tag", "run",
    "experiment", "checkpoint",
    "artifact", "etags", "uploader", "ray", "blob", "tree", "object", "layer", "sri", "snapshot", "generation",
    "key_id", "kid", "thumbprint",
    "page", "next", "continue", "resume", "rsa", "ecdsa", "ed", "dsa", "from", "to", "dest", "src", "base",
  ].map { Array($0.utf8) }

  private static func isIdentifier(_ text: Span<UInt8>, before separator: Int) -> Bool {
    var last = separator
    while last > 0, separator - last < 8, !ByteClass.isWord(text[last - 1]) { last -= 1 }
    // "sha256", "md5".
    while last > 0, text[last - 1] &- 48 <= 9 { last -= 1 }
    if last > 0, text[last - 1] == UInt8(ascii: "-") || text[last - 1] == UInt8(ascii: "_") { last -= 1 }
    return identifiers.contains { word in
      let start = last - word.count
      guard start >= 0 else { return false }
      let isSame = word.indices.allSatisfy { text[start + $0] | 0x20 == word[$0] || text[start + $0] == word[$0] }
      guard isSame else { return false }
      guard start > 0, ByteClass.isWord(text[start - 1]) else { return true }
      return ByteClass.of(text[start]) == ByteClass.upper && ByteClass.of(text[start - 1]) == ByteClass.lower
        || word.count >= 4
    }
  }

  /// `sha512-…` of a package's integrity, `SHA256:…` of a key.
  private static func isDigest(_ text: Span<UInt8>, _ start: Int) -> Bool {
    ["sha", "SHA", "md5", "MD5", "blake"].contains { text.holds($0, at: start) }
  }
}
