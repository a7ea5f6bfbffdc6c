internal import FleetModel
internal import Rules

/// A silence that is in force in an Alertmanager. Pure.
///
/// Source: api/v2/openapi.yaml of prometheus/alertmanager, gettableSilences; prometheus.io/docs/alerting/latest/configuration, matcher.
package struct AlertmanagerSilence: Sendable, Equatable {
  struct Matcher: Sendable, Equatable {
    let name: String
    let value: String
    let isRegex: Bool
    let isEqual: Bool
  }

  package let id: String
  /// Who made it, one line; `somebody` where it names no one.
  package let author: String
  /// One line; may be empty.
  package let comment: String
  private let matchers: [Matcher]

  /// What an answer holds.
  package struct Reading: Sendable, Equatable {
    package var active: [AlertmanagerSilence] = []
    /// Silences in force that are of a form that is not known, have a pattern that is not, or are more than the limit.
    package var notUnderstood = 0
    /// Ids of all that are in force, also of those.
    package var activeIDs: [String] = []
  }

  private enum Limits {
    static let active = 1_000
    static let matchers = 32
    static let idBytes = 200
    static let valueBytes = 1_000
    static let authorScalars = 64
    static let commentScalars = 200
  }

  /// Of the whole answer, in which ended silences stay for days.
  package static let answerBytesMax = 4 << 20

  /// - Parameter body: of `GET /api/v2/silences`.
  /// - Returns: nil where it is no list of silences: nothing follows from it then, also not that a silence has ended.
  package static func read(_ body: [UInt8]) -> Reading? {
    guard let entries = JSON.read(body)?.items else { return nil }
    var reading = Reading()
    for entry in entries {
      guard let id = entry["id"]?.text, !id.isEmpty, id.utf8.count <= Limits.idBytes, !id.utf8.contains(0),
        let state = entry["status"]?["state"]?.text
      else { return nil }
      guard state == "active" else { continue }
      reading.activeIDs.append(id)
      if let silence = AlertmanagerSilence(id, entry), reading.active.count < Limits.active {
        reading.active.append(silence)
      } else {
        reading.notUnderstood += 1
      }
    }
    return reading
  }

  private init?(_ id: String, _ entry: JSON) {
    guard let matchers = entry["matchers"]?.items, (1...Limits.matchers).contains(matchers.count) else { return nil }
    var read: [Matcher] = []
    for matcher in matchers {
      guard let name = matcher["name"]?.text, let value = matcher["value"]?.text, value.utf8.count <= Limits.valueBytes,
        let isRegex = matcher["isRegex"]?.flag
      else { return nil }
      // Alertmanager before 0.22 has no isEqual.
      let isEqual = matcher["isEqual"]?.flag ?? true
      if isRegex, Self.pattern(value) == nil { return nil }
      read.append(Matcher(name: name, value: value, isRegex: isRegex, isEqual: isEqual))
    }
    self.id = id
    self.matchers = read
    let author = PlainText.cut(PlainText.line(entry["createdBy"]?.text ?? ""), scalarsMax: Limits.authorScalars)
    self.author = author.contains { !$0.isWhitespace } ? author : "somebody"
    comment = PlainText.cut(PlainText.line(entry["comment"]?.text ?? ""), scalarsMax: Limits.commentScalars)
  }

  /// Whether all matchers match: a label that is missing counts as empty, and a pattern must match the whole value.
  package func matches(_ labels: [(name: String, value: String)]) -> Bool {
    matchers.allSatisfy { matcher in
      let value = labels.first { $0.name == matcher.name }?.value ?? ""
      let isMatch = matcher.isRegex ? Self.pattern(matcher.value)?.matches(value) == true : value == matcher.value
      return isMatch == matcher.isEqual
    }
  }

  /// A pattern of the site's own people, in linear time all the same. - Returns: nil for one that is not understood.
  private static func pattern(_ text: String) -> LinePattern? { try? LinePattern("^(?:\(text))$") }
}
