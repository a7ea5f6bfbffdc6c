internal import FleetModel

/// JSON texts: the scanner always ends, and opens as many containers as it closes in a complete text.
enum JSONScannerTarget {
  static func run(_ input: [UInt8]) {
    let bytes = input.span
    var scanner = JSONScanner(0..<input.count)
    var tokens = 0
    var depth = 0
    while let token = scanner.next(bytes) {
      tokens += 1
      precondition(tokens <= input.count, "more tokens than bytes")
      depth += change(token, bytes)
    }
    precondition(!scanner.isComplete || depth == 0, "a complete text with open containers")
    var skipping = JSONScanner(0..<input.count)
    skipping.skip(bytes)
  }

  private static func change(_ token: JSONScanner.Token, _ bytes: Span<UInt8>) -> Int {
    switch token {
    case .objectStart, .arrayStart: return 1
    case .objectEnd, .arrayEnd: return -1
    case .key(let range), .string(let range):
      precondition(JSONScanner.text(bytes, range, bytesMax: 64).count <= 64, "a text longer than asked for")
      return 0
    default: return 0
    }
  }
}
