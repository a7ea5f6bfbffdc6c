/// What was changed of a host, as the command line and the console say it; without a full stop.
package enum HostSentences {
  package static func labels(_ name: String, _ labels: [String: String]) -> String {
    let text = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    return "host '\(name)' has " + (text.isEmpty ? "no labels" : "the labels \(text)")
  }

  package static func renamed(_ name: String, to newName: String) -> String {
    "host '\(name)' is called '\(newName)' now"
  }

  package static func revoked(_ name: String) -> String {
    "host '\(name)' is revoked; signalbox hosts invite \(name) lets it in again"
  }

  package static func removed(_ name: String) -> String {
    "host '\(name)' is removed; its samples and lines stay until their retention ends, its runs and episodes for good"
  }

  /// In place of its row, which is listed no longer.
  package static func gone(_ name: String) -> Answer {
    Answer(columns: [.init("host"), .init("state")], rows: [[.text(name), .text("removed")]])
  }
}
