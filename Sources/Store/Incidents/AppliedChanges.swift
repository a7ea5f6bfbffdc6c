internal import Incidents
/// Counts of the effects of a list of changes.
package struct AppliedChanges: Sendable, Equatable {
  /// Incidents opened.
  package var opened = 0
  /// Resolved incidents that were opened again, because their condition returned within `IncidentLimits.reopenNs`.
  package var reopened = 0
  package var resolved = 0
  /// Changes without effect: repetitions, or older than what is stored.
  package var ignored = 0

  package init() {}
}
