internal import Files
internal import FleetModel
package import Logging

/// One JSON object a line on standard error: time, level, message, and the event's own fields.
package struct JSONLogHandler: LogHandler {
  package var logLevel = Logger.Level.info
  package var metadata: Logger.Metadata = [:]

  package init() {}

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    var line = "{\"time\":\"\(Timestamp.text(Clock.wallNs(), digits: 3))\",\"level\":\"\(event.level)\",\"message\":"
    // The text of a failure may hold a configured URL.
    line += JSONText.quoted(PlainText.withoutPasswords("\(event.message)"))
    for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }
    ) {
      line += ",\(JSONText.quoted(key)):\(JSONText.quoted(PlainText.withoutPasswords("\(value)")))"
    }
    try? StandardStream.error.write(line + "}\n")
  }
}
