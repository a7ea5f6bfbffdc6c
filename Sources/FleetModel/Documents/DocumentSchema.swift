/// JSON Schema, draft 2020-12, of the tables that a reader decodes with, so that editors complete and mark what the reader refuses.
package enum DocumentSchema {
  /// What every document's schema defines.
  package static let duration = #""duration": { "type": "string", "pattern": "^([0-9]+(ns|us|ms|s|m|h|d|w))+$" }"#

  /// The schema of a map.
  package static func object(_ table: KeyTable) -> String {
    let properties = table.keys.map { key in
      let shape = members(key.shape)
      let separator = shape.isEmpty ? "" : ", "
      return "\(JSONText.quoted(key.name)): { \"description\": \(JSONText.quoted(key.doc))\(separator)\(shape) }"
    }
    let required = table.required.map(JSONText.quoted).joined(separator: ", ")
    let groups =
      table.oneOf.map { group in
        let each = group.map { "{ \"required\": [\(JSONText.quoted($0))] }" }.joined(separator: ", ")
        return "{ \"oneOf\": [\(each)] }"
      }
      + table.atMostOneOf.flatMap { group in
        group.indices.flatMap { one in
          group[..<one].map {
            "{ \"not\": { \"required\": [\(JSONText.quoted($0)), \(JSONText.quoted(group[one]))] } }"
          }
        }
      }
    let choice = groups.isEmpty ? "" : "\"allOf\": [\(groups.joined(separator: ", "))], "
    return "{ \"type\": \"object\", \"additionalProperties\": false, \"required\": [\(required)], \(choice)"
      + "\"properties\": { " + properties.joined(separator: ", ") + " } }"
  }

  /// The members of a value's schema, without braces; empty where it may be anything.
  package static func members(_ shape: ValueShape) -> String {
    switch shape {
    case .text: "\"type\": [\"string\", \"number\", \"boolean\"], \"minLength\": 1"
    case .number: "\"type\": \"number\""
    case .integer(let range):
      "\"type\": \"integer\", \"minimum\": \(range.lowerBound), \"maximum\": \(range.upperBound)"
    case .flag: "\"type\": \"boolean\""
    case .duration(let range, _):
      range.contains(0)
        ? "\"anyOf\": [ { \"$ref\": \"#/$defs/duration\" }, { \"const\": 0 } ]" : "\"$ref\": \"#/$defs/duration\""
    case .durationOr(let word, _, _):
      "\"anyOf\": [ { \"$ref\": \"#/$defs/duration\" }, { \"const\": \(JSONText.quoted(word)) } ]"
    case .quantity: "\"type\": [\"number\", \"string\"]"
    case .word(let words): "\"enum\": [\(words.map(JSONText.quoted).joined(separator: ", "))]"
    case .list(let item): "\"type\": \"array\", \"items\": { \(members(item)) }"
    case .textOrList:
      "\"anyOf\": [ { \"type\": \"string\" }, { \"type\": \"array\", \"items\": { \"type\": \"string\" } } ]"
    case .labels: "\"type\": \"object\", \"additionalProperties\": { \"type\": [\"string\", \"number\", \"boolean\"] }"
    case .map(let table): "\"allOf\": [ \(object(table)) ]"
    case .named(let value): "\"type\": \"object\", \"additionalProperties\": { \(members(value)) }"
    case .either(let shapes): "\"anyOf\": [ \(shapes.map { "{ \(members($0)) }" }.joined(separator: ", ")) ]"
    case .reference(let name): "\"$ref\": \"#/$defs/\(name)\""
    case .anything: ""
    }
  }
}
