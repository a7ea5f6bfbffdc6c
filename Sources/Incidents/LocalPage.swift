/// A message about an incident that a collector sent, or began to send, from its memory because the database had not confirmed the change.
package struct LocalPage: Sendable, Equatable {
  /// Of the incident that it is about.
  package var dedupKey: String
  /// Of the same incident, as `IncidentChange.identity`; "" where it is not known.
  package var identity = ""
  package var receiver: String
  package var event = Delivery.Event.trigger
  package var step: Int16 = 0
  /// That of its row, once there is one.
  package var messageID: String
  /// Messages that went out as one list share it.
  package var bundle: String?
  /// The list that it is news of.
  package var list: String?
  /// Addresses of a mail that have taken it, while others are tried again.
  package var reached: [String] = []
  /// Attempts that were begun.
  package var attempts = 1
  /// nil while the receiver has not taken it.
  package var answer: String?
  /// It is not sent again: the incident was over before the receiver took it.
  package var isOver = false
  /// When it was taken, or begun; ns since 1970.
  package var atNs: Int64

  package init(dedupKey: String, receiver: String, messageID: String, atNs: Int64) {
    self.dedupKey = dedupKey
    self.receiver = receiver
    self.messageID = messageID
    self.atNs = atNs
  }
}
