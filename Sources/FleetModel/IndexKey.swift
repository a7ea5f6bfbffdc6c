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
    let hash = "~" + String(ContentHash.of(Array(text.utf8).span), radix: 16)
    return BoundedText.prefix(text, bytesMax: bytesMax - hash.utf8.count) + hash
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
