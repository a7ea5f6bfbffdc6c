internal import Incidents
/// What became of a list of changes.
package struct AppliedChanges: Sendable, Equatable {
  /// New incidents.
  package var opened = 0
  /// The same condition again, soon after it was resolved.
  package var reopened = 0
  package var resolved = 0
  /// Known already, or older than what is known.
  package var ignored = 0

  package init() {}
}
