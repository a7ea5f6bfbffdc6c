/// Texts that become part of a database index, whose entries end at 2704 bytes, or of a receiver's key.
package enum IndexKey {
  /// Longest key that goes into an index, bytes: with the other columns of an entry it stays below PostgreSQL's limit.
  package static let bytesMax = 1024

  /// - Parameters:
  ///   - text: of any length, as a peer or a file chose it.
  ///   - bytesMax: of the result, UTF-8.
  /// - Returns: the text itself where it fits; else its beginning and `~` with the hash of the whole, so that long texts with
  ///   the same beginning stay apart.
  package static func bounded(_ text: String, bytesMax: Int = bytesMax) -> String {
    if text.utf8.count <= bytesMax { return text }
    let hash = hash(of: text)
    return BoundedText.prefix(text, bytesMax: bytesMax - hash.utf8.count) + hash
  }

  private static func hash(of text: String) -> String { "~" + String(ContentHash.of(Array(text.utf8).span), radix: 16) }
}

extension IndexKey {
  /// A key that people copy and receivers compare: a line break in it, as a file's name may have one, is a key that
  /// arrives as two lines.
  /// - Returns: the text itself where it is one line without control characters; else it as one line, and `~` with the
  ///   hash of the text, so that texts that differ in such characters alone stay apart.
  package static func oneLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: endsLineOrControls) else { return text }
    return PlainText.line(text) + hash(of: text)
  }

  private static func endsLineOrControls(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x00...0x1f, 0x7f...0x9f, 0x2028, 0x2029: true
    default: false
    }
  }
}

/// Texts cut by bytes: a Swift character may be of any length, because combining marks join it without end.
package enum BoundedText {
  /// - Returns: as many whole scalars from the start as fit into `bytesMax` bytes of UTF-8.
  /// - Cost: O(bytesMax).
  package static func prefix(_ text: String, bytesMax: Int) -> String {
    if text.utf8.count <= bytesMax { return text }
    var cut = String.UnicodeScalarView()
    var bytes = 0
    for scalar in text.unicodeScalars {
      bytes += UTF8.width(scalar)
      if bytes > bytesMax { break }
      cut.append(scalar)
    }
    return String(cut)
  }
}
