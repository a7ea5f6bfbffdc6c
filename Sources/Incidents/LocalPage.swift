/// A message that went out, or is on its way, from a collector's memory while the database was away.
package struct LocalPage: Sendable, Equatable {
  /// Of the incident that it is about.
  package var dedupKey: String
  package var receiver: String
  /// That of its row, once there is one.
  package var messageID: String
  /// Messages that went out as one list share it.
  package var bundle: String?
  /// Addresses of a mail that have taken it, while others are tried again.
  package var reached: [String] = []
  /// nil while the receiver has not answered.
  package var answer: String?
  /// When it was taken, or begun; ns since 1970.
  package var atNs: Int64

  package init(dedupKey: String, receiver: String, messageID: String, atNs: Int64) {
    self.dedupKey = dedupKey
    self.receiver = receiver
    self.messageID = messageID
    self.atNs = atNs
  }
}
