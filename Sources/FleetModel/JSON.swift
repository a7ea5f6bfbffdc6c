/// A JSON value that a program writes: to a receiver of pages, or as an answer of the console.
package indirect enum JSON: Sendable {
  case null
  case boolean(Bool)
  case number(Int64)
  case text(String)
  case list([JSON])
  case object([(String, JSON)])

  package static func texts(_ values: [String]) -> JSON { .list(values.map(JSON.text)) }
  package static func optional(_ text: String?) -> JSON { text.map(JSON.text) ?? .null }

  package var written: String {
    switch self {
    case .null: "null"
    case .boolean(let flag): flag ? "true" : "false"
    case .number(let value): String(value)
    case .text(let value): JSONText.quoted(value)
    case .list(let values): "[" + values.map(\.written).joined(separator: ",") + "]"
    case .object(let fields):
      "{" + fields.map { "\(JSONText.quoted($0.0)):\($0.1.written)" }.joined(separator: ",") + "}"
    }
  }
}
