/// Values that stand for none.
enum Placeholders {
  private static let words = Set(
    [
      "none", "null", "nil", "true", "false", "yes", "no", "empty", "unset", "set", "missing", "required", "invalid",
      "expired",
      "incorrect", "default", "optional", "disabled", "enabled", "unknown", "hidden", "redacted", "authentication",
      "str", "string",
      "int", "integer", "bool", "boolean", "bytes", "object", "undefined", "changed", "failed", "denied", "rejected",
      "accepted",
      "unauthorized", "forbidden", "not", "must", "cannot", "expected", "unexpected", "mismatch", "wrong", "valid",
      "verified",
      "provided", "specified", "configured", "generated", "rotated", "updated", "created", "deleted", "refreshed",
      "revoked",
      "permission", "projected", "files", "compat", "systemd", "any", "auto", "masked", "omitted", "removed", "present",
      "absent",
      "available", "unavailable", "using", "loading", "loaded", "reading", "checking", "validation", "verification",
      "successfully",
      "success", "error", "warning", "prompt", "interactive", "stdin", "keyring", "plaintext", "encrypted", "hashed",
      "chauthtok",
      "secret", "filtered", "authenticated", "option", "options", "flag", "argument", "and", "or", "to", "is", "field",
      "parameter",
    ].map { Array($0.utf8) })
  /// dpkg-architecture(1).
  private static let architectures = Set(
    [
      "amd64", "i386", "i686", "all", "any", "arm64", "armhf", "armel", "riscv64", "ppc64el", "ppc64le", "s390x",
      "mips64el", "x32",
      "x86_64", "aarch64", "noarch", "native", "loong64",
    ].map { Array($0.utf8) })

  static func isArchitecture(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.count <= 8 && architectures.contains(range.map { text[$0] })
  }

  static func isOne(_ text: Span<UInt8>, _ range: Range<Int>, isProse: Bool) -> Bool {
    guard let first = range.first, let last = range.last else { return true }
    switch text[first] {
    case UInt8(ascii: "<"): if text[last] == UInt8(ascii: ">") || isProse { return true }
    case UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "("): return true
    case UInt8(ascii: "$"):
      let next = range.count > 1 ? text[first + 1] : 0
      if next == UInt8(ascii: "{") || next == UInt8(ascii: "(") { return true }
      if range.dropFirst().allSatisfy({
        ByteClass.of(text[$0]) & (ByteClass.upper | ByteClass.digit) != 0 || text[$0] == UInt8(ascii: "_")
      }) {
        return true
      }
    case UInt8(ascii: "%"):
      if range.count <= 2 || text[last] == UInt8(ascii: "%") || text.holds("%(", at: first) { return true }
    default: break
    }
    // Signs alone are the text's.
    if !range.contains(where: { ByteClass.isWord(text[$0]) || text[$0] >= 0x80 }) { return true }
    if range.allSatisfy({ text[$0] == text[first] }), range.count >= 2, isFiller(text[first]) { return true }
    if text[first] == 0xe2, range.count % 3 == 0, text[last] == text[first + 2] { return isRepeated(text, range) }
    var word = range.map { ByteClass.of(text[$0]) == ByteClass.upper ? text[$0] | 0x20 : text[$0] }
    while let end = word.last,
      [UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: ":"), UInt8(ascii: "?")].contains(end)
    {
      word.removeLast()
    }
    return words.contains(word) || word.isEmpty
  }

  private static func isFiller(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "*"), UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "#"),
      UInt8(ascii: "_"), UInt8(ascii: "?"):
      true
    default: false
    }
  }

  /// Bullets, of three bytes each.
  private static func isRepeated(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.allSatisfy { text[$0] == text[range.lowerBound + ($0 - range.lowerBound) % 3] }
  }
}
