internal import FleetModel
internal import Schema

/// Any bytes as any message. What is accepted must come through encoding and decoding as the same bytes.
enum SchemaDecoderTarget {
  static func run(_ input: [UInt8]) {
    let kind = input.first ?? 0
    let bytes = Array(input.dropFirst())
    switch kind % 8 {
    case 0: check(bytes, { try Wire.decodeCollectorFrame($0) }, { Wire.encode($0, into: &$1) })
    case 1: check(bytes, { try Wire.decodeRecords($0) }, { Wire.encode($0, into: &$1) })
    case 2: check(bytes, { try Wire.decodeJoinRequest($0) }, { Wire.encode($0, into: &$1) })
    case 3: check(bytes, { try Wire.decodeCertificateReply($0) }, { Wire.encode($0, into: &$1) })
    case 4: check(bytes, { try Wire.decodeRenewRequest($0) }, { Wire.encode($0, into: &$1) })
    case 5: check(bytes, { try Wire.decodeHealthCheckResponse($0) }, { Wire.encode($0, into: &$1) })
    default: check(bytes, { try Wire.decodeAgentFrame($0) }, { Wire.encode($0, into: &$1) })
    }
  }

  private static func check<Message>(
    _ bytes: [UInt8], _ decode: (Span<UInt8>) throws -> Message, _ encode: (Message, inout [UInt8]) -> Void
  ) {
    guard let message = try? decode(bytes.span) else { return }
    var first: [UInt8] = []
    encode(message, &first)
    guard let again = try? decode(first.span) else { fatalError("what was encoded is refused") }
    var second: [UInt8] = []
    encode(again, &second)
    precondition(first == second, "another message came back")
  }
}
