internal import FleetModel

/// The language as JSON Schema, draft 2020-12, so that editors complete and check rule files. Made of the reader's own tables.
package enum RuleSchema {
  /// The schema's text, ending with a newline.
  package static func text() -> String {
    let conditions = RuleKeys.conditions.map { DocumentSchema.object($0.table) }.joined(separator: ",\n      ")
    let metrics = MetricCatalogue.all.map { JSONText.quoted($0.name) }.joined(separator: ", ")
    return """
      {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Signalbox rules",
        "oneOf": [
          { "type": "array", "items": { "$ref": "#/$defs/rule" } },
          \(DocumentSchema.object(RuleKeys.ruleFile))
        ],
        "$defs": {
          \(DocumentSchema.duration),
          "metric": { "anyOf": [ { "enum": [\(metrics)] },
            { "type": "string", "pattern": "^training\\\\.metrics\\\\..+$" } ] },
          "condition": { "oneOf": [
            \(conditions)
          ] },
          "failure": \(DocumentSchema.object(RuleKeys.failure)),
          "rule": \(DocumentSchema.object(RuleKeys.rule))
        }
      }

      """
  }
}
