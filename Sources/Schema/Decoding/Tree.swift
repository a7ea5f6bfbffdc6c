internal import CProtobufC
internal import FleetModel

/// A model value made from protobuf-c's struct of the same message.
protocol TreeMessage {
  associatedtype Node
  /// - Parameter tree: lies in the arena of the decode that is under way.
  init(_ tree: UnsafePointer<Node>) throws(SchemaError)
}

/// Reads protobuf-c's fields, with their limits. Pointers are valid as long as the decode's arena; nothing keeps one.
enum Tree {
  typealias Elements<Node> = UnsafeMutablePointer<UnsafeMutablePointer<Node>?>?

  static func messages<Message: TreeMessage>(
    _ elements: Elements<Message.Node>, count: Int, _ field: StaticString, limit: Int = FleetProtocol.recordsPerList
  ) throws(SchemaError) -> [Message] {
    guard count > 0, let elements = unsafe elements else { return [] }
    guard count <= limit else { throw .tooMany(field: "\(field)", count: count, limit: limit) }
    var messages: [Message] = []
    messages.reserveCapacity(count)
    for index in 0..<count {
      guard let node = unsafe elements[index] else { throw .malformed(message: "\(field)") }
      messages.append(try unsafe Message(node))
    }
    return messages
  }

  static func text(
    _ data: ProtobufCBinaryData, _ field: StaticString, limit: Int = FleetProtocol.textBytes
  ) throws(SchemaError) -> String {
    guard let bytes = unsafe data.data, unsafe data.len > 0 else { return "" }
    let buffer = unsafe UnsafeBufferPointer(start: bytes, count: data.len)
    guard buffer.count <= limit else { throw .tooLong(field: "\(field)", count: buffer.count, limitBytes: limit) }
    guard unsafe Text.isValid(buffer.span) else { throw .badText(field: "\(field)") }
    return unsafe String(decoding: buffer, as: UTF8.self)
  }

  /// A `string` field: protobuf-c ends it at its first NUL.
  static func text(_ string: UnsafeMutablePointer<CChar>?, _ field: StaticString) throws(SchemaError) -> String {
    guard let string = unsafe string else { return "" }
    let bytes = unsafe UnsafeMutableRawPointer(string).assumingMemoryBound(to: UInt8.self)
    return try unsafe text(ProtobufCBinaryData(len: length(string), data: bytes), field)
  }

  /// A list of `string` fields.
  static func texts(
    _ elements: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, count: Int, _ field: StaticString, limit: Int
  ) throws(SchemaError) -> [String] {
    guard count <= limit else { throw .tooMany(field: "\(field)", count: count, limit: limit) }
    guard count > 0, let elements = unsafe elements else { return [] }
    var texts: [String] = []
    for index in 0..<count { texts.append(try unsafe text(elements[index], field)) }
    return texts
  }

  /// A list of `bytes` fields that hold text.
  static func texts(
    _ elements: UnsafeMutablePointer<ProtobufCBinaryData>?, count: Int, _ field: StaticString, limit: Int
  ) throws(SchemaError) -> [String] {
    guard count <= limit else { throw .tooMany(field: "\(field)", count: count, limit: limit) }
    guard count > 0, let elements = unsafe elements else { return [] }
    var texts: [String] = []
    for index in 0..<count { texts.append(try unsafe text(elements[index], field)) }
    return texts
  }

  private static func length(_ string: UnsafeMutablePointer<CChar>) -> Int {
    var length = 0
    while unsafe string[length] != 0 { length += 1 }
    return length
  }

  static func bytes(
    _ data: ProtobufCBinaryData, _ field: StaticString, limit: Int
  ) throws(SchemaError) -> [UInt8] {
    let count = unsafe data.len
    guard count <= limit else { throw .tooLong(field: "\(field)", count: count, limitBytes: limit) }
    return unsafe [UInt8](UnsafeBufferPointer(start: data.data, count: count))
  }

  static func identifier<Subject>(
    _ data: ProtobufCBinaryData, _ field: StaticString
  ) throws(SchemaError) -> Identifier<Subject> {
    let bytes = unsafe UnsafeBufferPointer(start: data.data, count: data.len)
    guard let identifier = unsafe Identifier<Subject>(bytes: bytes) else { throw .badIdentifier(field: "\(field)") }
    return identifier
  }

  /// One array from another, element by element, without a check for each.
  static func array<Element: BitwiseCopyable>(
    _ elements: UnsafeMutablePointer<Element>?, count: Int
  ) -> [Element] {
    unsafe [Element](UnsafeBufferPointer(start: elements, count: count))
  }
}

extension RawRepresentable where RawValue == UInt8 {
  /// - Returns: nil for a number of a newer version.
  init?(number: UInt32) {
    guard let raw = UInt8(exactly: number) else { return nil }
    self.init(rawValue: raw)
  }
}
