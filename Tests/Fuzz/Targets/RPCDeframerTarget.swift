internal import RPC

/// A gRPC byte stream cut anywhere gives the same messages and the same error as in one piece.
enum RPCDeframerTarget {
  static func run(_ input: [UInt8]) {
    var choices = Choices(input)
    let piece = choices.below(40) + 1
    let bytes = Array(choices.rest)
    let whole = messages(bytes, piece: max(1, bytes.count))
    let cut = messages(bytes, piece: piece)
    precondition(whole.messages == cut.messages && whole.error == cut.error, "the cut changes what is read")
    var again: [UInt8] = []
    for message in whole.messages { again.appendMessage(message.span) }
    precondition(bytes.starts(with: again), "the messages are not those of the stream")
  }

  private static func messages(_ bytes: [UInt8], piece: Int) -> (messages: [[UInt8]], error: FramingError?) {
    var deframer = MessageDeframer(limitBytes: 300)
    var messages: [[UInt8]] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      let part = Array(bytes[start..<min(bytes.count, start + piece)])
      do throws(FramingError) {
        try deframer.feed(part.span) { body in
          messages.append(body.indices.map { body[$0] })
        }
      } catch { return (messages, error) }
      precondition(deframer.partialBytes <= 305, "more is kept than a message may have")
    }
    return (messages, nil)
  }
}
