internal import Files
internal import FleetModel

/// What the agent reports of itself: one JSON object a line on standard error, for journald.
enum AgentLog {
  static func info(_ message: String, _ fields: [(String, String)] = []) { write("info", message, fields) }
  static func warning(_ message: String, _ fields: [(String, String)] = []) { write("warning", message, fields) }

  private static func write(_ level: String, _ message: String, _ fields: [(String, String)]) {
    var line = "{\"time\":\"\(Timestamp.text(Clock.wallNs(), digits: 3))\",\"level\":\"\(level)\",\"message\":"
    line += JSONText.quoted(PlainText.withoutPasswords(message))
    for (name, value) in fields {
      line += ",\(JSONText.quoted(name)):\(JSONText.quoted(PlainText.withoutPasswords(value)))"
    }
    // That the log itself cannot be written can be reported nowhere.
    try? StandardStream.error.write(line + "}\n")
  }
}
