/// Marks rows of the outbox that no collector may claim yet, because the one that wrote them may have begun to send
/// them from memory.
///
/// Its collector frees them once it has reported what it sent. If that collector ends before, they are free after
/// `IncidentLimits.localAnswerSeconds`, or at its next start.
package struct Reservation: Sendable, Equatable {
  /// As stored in the column `holder`.
  package var name: String
  /// Keys of incidents that may have been paged from memory.
  package var mayBePaged: Set<String>

  package init(name: String, mayBePaged: Set<String> = []) {
    self.name = name
    self.mayBePaged = mayBePaged
  }

  /// Begins each `holder` of a row that memory may send or has begun.
  package static let prefix = "memory "

  /// - Parameters:
  ///   - holder: names a process among all collectors, `instance/process` (`PagingInstance.holder`).
  ///   - group: number of the group of changes that one transaction writes.
  package static func name(_ holder: String, _ group: Int) -> String { "\(prefix)\(holder)/\(group)" }

  /// The prefix of the names of all reservations of an instance, which outlives its processes.
  package static func names(ofInstance instance: String) -> String { "\(prefix)\(instance)/" }

  /// `holder` of a row whose message was begun from memory and has no answer yet.
  package static let begun = prefix + "begun"
}
