/// Rows of the outbox that no collector claims yet: the one that wrote them may have begun to send them from its memory.
///
/// It frees them when it has reported what it sent. Where it ends before that, they are free after `IncidentLimits.localAnswerSeconds`, or
/// at its next start.
package struct Reservation: Sendable, Equatable {
  /// What stands in the column `holder`.
  package var name: String
  /// Keys of incidents that memory may have paged already.
  package var mayBePaged: Set<String>

  package init(name: String, mayBePaged: Set<String> = []) {
    self.name = name
    self.mayBePaged = mayBePaged
  }

  private static let prefix = "memory "

  /// - Parameters:
  ///   - holder: names a process among all collectors, `instance/process`.
  ///   - group: of its changes.
  package static func name(_ holder: String, _ group: Int) -> String { "\(prefix)\(holder)/\(group)" }

  /// What the names of all reservations of one place begin with, over restarts of its collector.
  package static func names(ofInstance instance: String) -> String { "\(prefix)\(instance)/" }

  /// Of a row whose message was begun from memory and is not answered yet.
  package static let begun = prefix + "begun"
}
