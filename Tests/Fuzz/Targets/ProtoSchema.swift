internal import Files

/// The messages of `proto/`, read from the files themselves: a field that is added there is walked and fuzzed without anybody thinking
/// of it.
package struct ProtoSchema: Sendable {
  package struct Field: Sendable, Equatable {
    package var name: String
    package var number: UInt64
    /// Of protobuf, or the name of a message or enum.
    package var type: String
    package var isRepeated: Bool
  }

  /// Fields in the order of the file, by message.
  package private(set) var messages: [String: [Field]] = [:]
  package private(set) var enums: Set<String> = []

  /// `signalbox/v1/report.proto`, from beside these sources.
  package static let report: ProtoSchema = {
    let file = #filePath
    let root = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
    let bytes = (try? HostFiles.read("\(root)/proto/signalbox/v1/report.proto")) ?? []
    return ProtoSchema(String(decoding: bytes, as: UTF8.self))
  }()

  /// - Parameter text: one statement a line, as `proto/` is written. Source: protobuf.dev, "Language Guide (proto 3)".
  package init(_ text: String) {
    var message: String?
    for line in text.split(separator: "\n") {
      let code = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false)[0]
      let words = code.split { " ;{}=".contains($0) }.map(String.init)
      guard let first = words.first else { continue }
      switch first {
      case "message":
        message = words[1]
        messages[words[1]] = []
      case "enum":
        message = nil
        enums.insert(words[1])
      case "service": message = nil
      case "oneof", "syntax", "package", "rpc", "reserved", "option": continue
      default:
        let isRepeated = first == "repeated"
        let rest = isRepeated ? Array(words.dropFirst()) : words
        guard let message, rest.count >= 3, let number = UInt64(rest[2]) else { continue }
        messages[message]?.append(Field(name: rest[1], number: number, type: rest[0], isRepeated: isRepeated))
      }
    }
  }

  package func isNumber(_ field: Field) -> Bool {
    messages[field.type] == nil && field.type != "bytes" && field.type != "string"
  }

  /// Every number that a message of this name can carry, with the names on the way to it.
  package func numbers(in message: String, below path: [String] = []) -> [(path: [String], type: String)] {
    (messages[message] ?? []).flatMap { field -> [(path: [String], type: String)] in
      let here = path + [field.name]
      if messages[field.type] != nil { return numbers(in: field.type, below: here) }
      return isNumber(field) ? [(here, field.type)] : []
    }
  }

  /// What no honest agent sends in a field of this type, as the bits of its number.
  package func extremes(of type: String) -> [UInt64] {
    switch type {
    case "double":
      return [
        .nan, .infinity, -.infinity, 0, -1, 1e19, -1e19, 1e30, 1e308, -1e308, .leastNonzeroMagnitude, 0x1p63,
        .greatestFiniteMagnitude,
      ].map(\.bitPattern)
    case "float":
      return [
        .nan, .infinity, -.infinity, 0, -1, 1e19, -1e19, 1e30, -1e30, .leastNonzeroMagnitude, 0x1p63,
        .greatestFiniteMagnitude,
      ].map { UInt64(Float($0).bitPattern) }
    case "bool": return [0, 1]
    default:
      let edges: [UInt64] = [1 << 31, 1 << 32, 1 << 62, 1 << 63]
      return [0, 1] + edges.flatMap { [$0 - 1, $0, $0 + 1] } + [.max, .max - 1]
    }
  }
}
