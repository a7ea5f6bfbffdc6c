/// Finds which of many texts a line holds, in one pass (Aho and Corasick), without regard to the case of ASCII letters.
///
/// What each log line pays before any rule looks at it: one table step a byte, no allocation. The table is dense over the
/// classes of bytes that occur in the texts, so it stays in the cache.
struct LiteralScanner: Sendable {
  /// Class of each byte; 0 = in no text.
  private var classes = [UInt8](repeating: 0, count: 256)
  private var classCount = 1
  /// `next[state * classCount + class]`.
  private var next: [UInt16] = []
  /// Whether anything ends in the state.
  private var hasOutput: [Bool] = []
  /// Texts that end in each state.
  private var outputs: [[UInt16]] = []

  /// States that 16 bits count.
  static let statesMax = 60_000

  /// - Parameter texts: lower case, none empty; their indexes are what `scan` reports. Those beyond `statesMax` bytes in total
  ///   are not taken: `count` is how many were.
  init(_ texts: [[UInt8]]) {
    for text in texts { for byte in text where classes[Int(byte)] == 0 { assignClass(byte) } }
    // Upper case stands for lower.
    for byte in UInt8(65)...90 { classes[Int(byte)] = classes[Int(byte | 0x20)] }
    var goto: [[UInt16]] = [[UInt16](repeating: 0, count: classCount)]
    outputs = [[]]
    for (place, text) in texts.enumerated() where goto.count + text.count < Self.statesMax {
      var state = 0
      for byte in text {
        let symbol = Int(classes[Int(byte)])
        if goto[state][symbol] == 0 {
          goto.append([UInt16](repeating: 0, count: classCount))
          outputs.append([])
          goto[state][symbol] = UInt16(goto.count - 1)
        }
        state = Int(goto[state][symbol])
      }
      outputs[state].append(UInt16(place))
    }
    close(&goto)
    next = goto.flatMap { $0 }
    hasOutput = outputs.map { !$0.isEmpty }
  }

  /// As many as it takes for all texts.
  /// - Returns: each with the index of its first text, to which those that it reports are to be added.
  static func each(of texts: [[UInt8]]) -> [(first: Int, scanner: LiteralScanner)] {
    var found: [(first: Int, scanner: LiteralScanner)] = []
    var (first, bytes) = (0, 0)
    for (place, text) in texts.enumerated() {
      if bytes + text.count >= statesMax - 1, place > first {
        found.append((first, LiteralScanner(Array(texts[first..<place]))))
        (first, bytes) = (place, 0)
      }
      bytes += text.count
    }
    if first < texts.count { found.append((first, LiteralScanner(Array(texts[first...])))) }
    return found
  }

  private mutating func assignClass(_ byte: UInt8) {
    classes[Int(byte)] = UInt8(min(classCount, 255))
    classCount = min(classCount + 1, 256)
  }

  /// Turns failure links into transitions, breadth first.
  private mutating func close(_ goto: inout [[UInt16]]) {
    var failure = [UInt16](repeating: 0, count: goto.count)
    var queue = goto[0].filter { $0 != 0 }
    var head = 0
    while head < queue.count {
      let state = Int(queue[head])
      head += 1
      outputs[state] += outputs[Int(failure[state])]
      for symbol in 0..<classCount {
        let target = goto[state][symbol]
        let fallback = goto[Int(failure[state])][symbol]
        if target == 0 {
          goto[state][symbol] = fallback
        } else {
          failure[Int(target)] = fallback
          queue.append(target)
        }
      }
    }
  }

  var isEmpty: Bool { next.count <= classCount }

  /// - Parameter found: called with the index of each text at each of its ends; the same may come several times.
  @inline(__always)
  func scan(_ bytes: Span<UInt8>, _ range: Range<Int>, _ found: (UInt16) -> Void) {
    var state = 0
    for index in range {
      state = Int(next[state &* classCount &+ Int(classes[Int(bytes[index])])])
      if hasOutput[state] { for place in outputs[state] { found(place) } }
    }
  }
}
