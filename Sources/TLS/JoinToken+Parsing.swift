internal import FleetModel

extension JoinToken {
  /// Reads a pasted token; space and line ends around it are ignored.
  ///
  /// - Throws: `.truncated` where the end is missing, `.malformed` where a character is wrong or it is no token, `.tooLarge`.
  package init(parsing text: String) throws(IdentityError) {
    guard text.utf8.count <= Self.textBytesMax else {
      throw IdentityError(.tooLarge, "a join token has at most \(Self.textBytesMax) characters")
    }
    let token = Self.withoutSpace([UInt8](text.utf8))
    let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard let first = parts.first, first.elementsEqual(Self.prefix.utf8) else {
      let isCut = !token.isEmpty && token.count < 5 && "\(Self.prefix).".utf8.starts(with: token)
      if token.isEmpty || isCut { throw Self.truncated }
      throw IdentityError(.malformed, "this is not a join token: one starts with \(Self.prefix).")
    }
    guard parts.count >= 5 else { throw Self.truncated }
    guard parts.count == 5, let tail = Self.decodeCut(parts[4]) else { throw Self.damaged }
    guard tail.count >= 2 else { throw Self.truncated }
    let listCount = Int(tail[0]) << 8 | Int(tail[1])
    guard tail.count >= 2 + listCount + 4 else { throw Self.truncated }
    guard tail.count == 2 + listCount + 4, Base64.url.decode(parts[4]) != nil,
      Digest.crc32(token[..<parts[4].startIndex] + tail.dropLast(4))
        == tail.suffix(4).reduce(0, { $0 << 8 | UInt32($1) }),
      let secret = Base64.url.decode(parts[2]), secret.count == Self.secretBytes,
      let pins = Self.pins(parts[3]), let addresses = Self.addresses(tail[2..<2 + listCount])
    else { throw Self.damaged }
    let id = String(decoding: parts[1], as: UTF8.self)
    guard Self.isID(id) else { throw Self.damaged }
    self.init(id: id, secret: secret, pins: pins, addresses: addresses)
  }

  private static let truncated = IdentityError(
    .truncated, "the join token is incomplete: copy it whole, up to its last character")
  private static let damaged = IdentityError(
    .malformed, "the join token has a wrong character: copy it again instead of typing it")

  private static func withoutSpace(_ text: [UInt8]) -> [UInt8] {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
    guard let start = text.firstIndex(where: { !isSpace($0) }), let end = text.lastIndex(where: { !isSpace($0) }) else {
      return []
    }
    return [UInt8](text[start...end])
  }

  /// Decodes as much as whole bytes are there: what was cut may end inside a group of base64.
  private static func decodeCut(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    if let whole = Base64.url.decode(text) { return whole }
    let rest = text.count % 4
    guard let groups = Base64.url.decode(text.dropLast(rest)) else { return nil }
    // Two or three digits more hold one or two bytes, with any bits behind them; a single one holds none.
    guard rest >= 2 else { return groups }
    let padded = Array(text.suffix(rest)) + [UInt8](repeating: UInt8(ascii: "A"), count: 4 - rest)
    return Base64.url.decode(padded).map { groups + $0.prefix(rest - 1) }
  }

  private static func pins(_ text: ArraySlice<UInt8>) -> [[UInt8]]? {
    let parts = text.split(separator: UInt8(ascii: "+"), omittingEmptySubsequences: false)
    guard (1...pinsMax).contains(parts.count) else { return nil }
    let pins = parts.compactMap { Base64.url.decode($0) }
    return pins.count == parts.count && pins.allSatisfy { $0.count == pinBytes } ? pins : nil
  }

  private static func addresses(_ list: ArraySlice<UInt8>) -> [CollectorAddress]? {
    let parts = list.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard (1...addressesMax).contains(parts.count) else { return nil }
    let addresses = parts.compactMap { CollectorAddress(String(decoding: $0, as: UTF8.self)) }
    return addresses.count == parts.count ? addresses : nil
  }
}
