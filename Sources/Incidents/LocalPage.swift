/// A message that a collector sent, or began to send, from memory, because the database had not confirmed the change.
/// `Store.reconcile` records it in the rows.
package struct LocalPage: Sendable, Equatable {
  /// The incident's key as memory knew it; receivers keep the alert under it.
  package var dedupKey: String
  /// The incident's `IncidentChange.identity`; "" in records of an older program.
  package var identity = ""
  package var receiver: String
  package var event = Delivery.Event.trigger
  package var step: Int16 = 0
  /// The id that its outbox row has or will have.
  package var messageID: String
  /// The message id of the list that it was sent in.
  package var bundle: String?
  /// The list that paged the incident, where this is its news.
  package var list: String?
  /// Addresses of a mail that accepted it, while others are tried again.
  package var reached: [String] = []
  /// Attempts begun.
  package var attempts = 1
  /// nil while the receiver has not accepted it.
  package var answer: String?
  /// Not sent again: the incident ended before the receiver accepted it.
  package var isOver = false
  /// When it was accepted, or else begun; ns since 1970.
  package var atNs: Int64

  package init(dedupKey: String, receiver: String, messageID: String, atNs: Int64) {
    self.dedupKey = dedupKey
    self.receiver = receiver
    self.messageID = messageID
    self.atNs = atNs
  }
}
