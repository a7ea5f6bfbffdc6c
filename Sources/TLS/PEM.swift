internal import FleetModel

/// Labelled blocks of base64 text. Source: RFC 7468, strict form with lines of 64.
package enum PEM {
  package struct Block: Sendable, Equatable {
    /// Such as "CERTIFICATE".
    package let label: String
    package let der: [UInt8]
  }

  /// The most text that one file of this project may have.
  package static let textBytesMax = 128 << 10
  /// The most blocks in one text: a chain or a bundle during a change of root.
  package static let blocksMax = 16

  package static func encode(_ label: String, _ der: [UInt8]) -> String {
    var text = "-----BEGIN \(label)-----\n"
    var rest = Base64.standard.encode(der)[...]
    while !rest.isEmpty {
      text += rest.prefix(64) + "\n"
      rest = rest.dropFirst(64)
    }
    return text + "-----END \(label)-----\n"
  }

  /// Reads all blocks; text between them is ignored, as RFC 7468 allows.
  ///
  /// - Throws: `.truncated` for a block without its end, `.malformed`, `.tooLarge`.
  package static func decode(_ text: [UInt8]) throws(IdentityError) -> [Block] {
    guard text.count <= textBytesMax else {
      throw IdentityError(.tooLarge, "the PEM text is larger than \(textBytesMax) bytes")
    }
    var blocks: [Block] = []
    var label: String?
    var body: [UInt8] = []
    for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      let line = trimmed(line)
      if let open = label {
        if let end = marker(line, "END") {
          guard end == open, let der = Base64.standard.decode(body), !der.isEmpty else {
            throw IdentityError(.malformed, "the PEM block \(open) is damaged")
          }
          blocks.append(Block(label: open, der: der))
          label = nil
          body = []
        } else {
          body += line
        }
      } else if let begin = marker(line, "BEGIN") {
        guard blocks.count < blocksMax else { throw IdentityError(.tooLarge, "more than \(blocksMax) PEM blocks") }
        label = begin
      }
    }
    if let open = label { throw IdentityError(.truncated, "the PEM block \(open) has no end: the file is incomplete") }
    return blocks
  }

  private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var line = line
    while let last = line.last, last == UInt8(ascii: "\r") || last == UInt8(ascii: " ") { line.removeLast() }
    return line
  }

  private static func marker(_ line: ArraySlice<UInt8>, _ word: String) -> String? {
    let head = [UInt8]("-----\(word) ".utf8)
    let tail = [UInt8]("-----".utf8)
    guard line.count > head.count + tail.count, line.starts(with: head), line.suffix(5).elementsEqual(tail) else {
      return nil
    }
    return String(decoding: line.dropFirst(head.count).dropLast(5), as: UTF8.self)
  }
}
