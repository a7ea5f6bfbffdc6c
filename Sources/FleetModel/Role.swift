/// What a person or a script may do at the console. Each role may do what those before it may.
package enum Role: String, CaseIterable, Sendable, Comparable {
  /// Reads everything but credentials and the audit.
  case viewer
  /// Acts on incidents: acknowledges, notes, resolves, silences.
  case responder
  /// Changes what is watched: hosts, overrides, saved queries.
  case editor
  /// Gives and takes access, and reads the audit.
  case admin

  package static func < (left: Role, right: Role) -> Bool {
    allCases.firstIndex(of: left) ?? 0 < allCases.firstIndex(of: right) ?? 0
  }
}
