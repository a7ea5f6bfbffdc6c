/// Why bytes of a peer or of the disk are no message of the schema. Nothing of the message's content is in it.
package enum SchemaError: Error, Equatable, CustomStringConvertible {
  /// The encoded message is longer than it may be.
  case tooLarge(limitBytes: Int)
  /// Not protobuf, cut off, or a field with another type than the schema's.
  case malformed(message: String)
  /// The decoded tree would take more memory than a message may.
  case arenaExhausted(limitBytes: Int)
  case tooMany(field: String, count: Int, limit: Int)
  case tooLong(field: String, count: Int, limitBytes: Int)
  /// Not UTF-8, or with a NUL in it.
  case badText(field: String)
  /// Not 16 bytes.
  case badIdentifier(field: String)
  case missing(field: String)
  /// Parts that must agree do not: arrays of unequal length, a range that ends before it starts.
  case inconsistent(field: String)
  /// A kind of frame that this version does not know; it can be skipped.
  case unknownFrame

  package var description: String {
    switch self {
    case .tooLarge(let limit): "message is longer than \(limit) bytes"
    case .malformed(let message): "not a valid \(message)"
    case .arenaExhausted(let limit): "message would take more than \(limit) bytes of memory"
    case .tooMany(let field, let count, let limit): "\(field) has \(count) elements, more than \(limit)"
    case .tooLong(let field, let count, let limit): "\(field) has \(count) bytes, more than \(limit)"
    case .badText(let field): "\(field) is not UTF-8 without NUL"
    case .badIdentifier(let field): "\(field) is not an identifier of 16 bytes"
    case .missing(let field): "\(field) is missing"
    case .inconsistent(let field): "\(field) does not fit to the fields beside it"
    case .unknownFrame: "frame of an unknown kind"
    }
  }
}
