import RPC
import TestSupport
import Testing

@Suite struct MessageDeframerTests {
  private func feed(_ deframer: inout MessageDeframer, _ bytes: some Sequence<UInt8>) throws(FramingError) -> [[UInt8]]
  {
    var found: [[UInt8]] = []
    let chunk = Array(bytes)
    try deframer.feed(chunk.span) { message in
      var copy: [UInt8] = []
      for index in message.indices { copy.append(message[index]) }
      found.append(copy)
    }
    return found
  }

  private let messages: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300), [1, 2, 3], []]
  private var stream: [UInt8] {
    var bytes: [UInt8] = []
    for message in messages { bytes.appendMessage(message.span) }
    return bytes
  }

  @Test("a stream split at any place gives the same messages", arguments: 0...334)
  func split(at place: Int) throws {
    var deframer = MessageDeframer(limitBytes: 1000)
    let place = min(place, stream.count)
    let found = try feed(&deframer, stream[..<place]) + feed(&deframer, stream[place...])
    #expect(found == messages)
    #expect(deframer.partialBytes == 0)
  }

  @Test("a stream that comes byte by byte gives the same messages")
  func byteByByte() throws {
    var deframer = MessageDeframer(limitBytes: 1000)
    var found: [[UInt8]] = []
    for byte in stream { found += try feed(&deframer, [byte]) }
    #expect(found == messages)
  }

  @Test("a message of exactly the limit passes, one byte more does not, and nothing is allocated for it")
  func limit() throws {
    var deframer = MessageDeframer(limitBytes: 4)
    #expect(try feed(&deframer, [0, 0, 0, 0, 4, 1, 2, 3, 4]) == [[1, 2, 3, 4]])
    #expect(throws: FramingError.tooLarge(bytes: 5, limitBytes: 4)) { try feed(&deframer, [0, 0, 0, 0, 5]) }
    var split = MessageDeframer(limitBytes: 4)
    _ = try feed(&split, [0, 0xff, 0xff])
    #expect(throws: FramingError.tooLarge(bytes: 0xffff_ffff, limitBytes: 4)) { try feed(&split, [0xff, 0xff]) }
  }

  @Test("a flag other than 0 is refused", arguments: [1, 2, 255] as [UInt8])
  func compressed(flag: UInt8) {
    var deframer = MessageDeframer(limitBytes: 4)
    #expect(throws: FramingError.compressed) { try feed(&deframer, [flag, 0, 0, 0, 0]) }
  }

  @Test("random chunks of random messages, 200 seeds")
  func random() throws {
    for seed in 1...200 as ClosedRange<UInt64> {
      var generator = SplitMix(seed: seed)
      let sent = (0..<20).map { _ in
        (0..<Int.random(in: 0...3000, using: &generator)).map { UInt8(truncatingIfNeeded: $0) }
      }
      var bytes: [UInt8] = []
      for message in sent { bytes.appendMessage(message.span) }
      var deframer = MessageDeframer(limitBytes: 3000)
      var found: [[UInt8]] = []
      var at = 0
      while at < bytes.count {
        let end = min(bytes.count, at + Int.random(in: 1...5000, using: &generator))
        found += try feed(&deframer, bytes[at..<end])
        at = end
      }
      #expect(found == sent, "seed \(seed)")
    }
  }
}
