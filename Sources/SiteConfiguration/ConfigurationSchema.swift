internal import FleetModel

/// `signalbox.yaml` as JSON Schema, draft 2020-12, so that editors complete and check it. Made of the reader's own tables.
package enum ConfigurationSchema {
  /// The schema's text, ending with a newline.
  package static func text() -> String {
    """
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "signalbox.yaml",
      "allOf": [
        \(DocumentSchema.object(ConfigurationKeys.file))
      ],
      "$defs": {
        \(DocumentSchema.duration)
      }
    }

    """
  }
}
