internal import FleetModel

/// The language as JSON Schema, draft 2020-12, so that editors complete and check rule files. Made of the reader's own tables.
package enum RuleSchema {
  /// The schema's text, ending with a newline.
  package static func text() -> String {
    let conditions = RuleKeys.conditions.map { object($0.table) }.joined(separator: ",\n      ")
    let metrics = MetricCatalogue.all.map { JSONText.quoted($0.name) }.joined(separator: ", ")
    return """
      {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Signalbox rules",
        "oneOf": [
          { "type": "array", "items": { "$ref": "#/$defs/rule" } },
          \(object(RuleKeys.ruleFile, insteadOfRule: true))
        ],
        "$defs": {
          "duration": { "type": "string", "pattern": "^([0-9]+(ns|us|ms|s|m|h|d|w))+$" },
          "metric": { "anyOf": [ { "enum": [\(metrics)] },
            { "type": "string", "pattern": "^training\\\\.metrics\\\\..+$" } ] },
          "condition": { "oneOf": [
            \(conditions)
          ] },
          "rule": \(object(RuleKeys.rule))
        }
      }

      """
  }

  private static func object(_ table: KeyTable, insteadOfRule: Bool = false) -> String {
    let properties = table.keys.map { key in
      let shape =
        insteadOfRule && key.name == "rules"
        ? "\"type\": \"array\", \"items\": { \"$ref\": \"#/$defs/rule\" }" : shape(key.shape)
      let separator = shape.isEmpty ? "" : ", "
      return "\(JSONText.quoted(key.name)): { \"description\": \(JSONText.quoted(key.doc))\(separator)\(shape) }"
    }
    let required = table.required.map(JSONText.quoted).joined(separator: ", ")
    return "{ \"type\": \"object\", \"additionalProperties\": false, \"required\": [\(required)], \"properties\": { "
      + properties.joined(separator: ", ") + " } }"
  }

  /// The members of a schema, without braces.
  private static func shape(_ shape: ValueShape) -> String {
    switch shape {
    case .text: "\"type\": [\"string\", \"number\"]"
    case .number: "\"type\": \"number\""
    case .duration: "\"$ref\": \"#/$defs/duration\""
    case .percentOrNumber: "\"type\": [\"number\", \"string\"]"
    case .flag: "\"type\": \"boolean\""
    case .count: "\"type\": \"integer\", \"minimum\": 1"
    case .word(let words): "\"enum\": [\(words.map(JSONText.quoted).joined(separator: ", "))]"
    case .metric: "\"$ref\": \"#/$defs/metric\""
    case .condition: "\"$ref\": \"#/$defs/condition\""
    case .list(let item): "\"type\": \"array\", \"items\": { \(self.shape(item)) }"
    case .textOrList:
      "\"anyOf\": [ { \"type\": \"string\" }, { \"type\": \"array\", \"items\": { \"type\": \"string\" } } ]"
    case .labels: "\"type\": \"object\", \"additionalProperties\": { \"type\": [\"string\", \"number\"] }"
    case .map(let table): "\"allOf\": [ \(object(table)) ]"
    case .evidence: "\"type\": \"array\", \"items\": { \"type\": [\"string\", \"object\"] }"
    case .limits: "\"type\": \"array\", \"minItems\": 2, \"maxItems\": 2"
    case .anything: ""
    }
  }
}
