/// A JSON value that a program writes or has read: for a receiver of pages, or as an answer of the console.
package indirect enum JSON: Sendable {
  case null
  case boolean(Bool)
  case number(Int64)
  case real(Double)
  case text(String)
  case list([JSON])
  case object([(String, JSON)])
  /// One that is written already.
  case document(String)

  package static func texts(_ values: [String]) -> JSON { .list(values.map(JSON.text)) }
  package static func optional(_ text: String?) -> JSON { text.map(JSON.text) ?? .null }

  package var written: String {
    switch self {
    case .null: "null"
    case .boolean(let flag): flag ? "true" : "false"
    case .number(let value): String(value)
    // JSON has no NaN or infinity.
    case .real(let value): value.isFinite ? String(value) : "null"
    case .document(let text): text
    case .text(let value): JSONText.quoted(value)
    case .list(let values): "[" + values.map(\.written).joined(separator: ",") + "]"
    case .object(let fields):
      "{" + fields.map { "\(JSONText.quoted($0.0)):\($0.1.written)" }.joined(separator: ",") + "}"
    }
  }
}
