/// A turn of a schedule that another receiver takes over for a time.
package struct OnCallOverride: Sendable, Equatable {
  package var schedule: String
  package var receiver: String
  package var startsNs: Int64
  package var endsNs: Int64
  package var author: String
  package var reason: String

  package init(
    schedule: String, receiver: String, startsNs: Int64, endsNs: Int64, author: String, reason: String = ""
  ) {
    self.schedule = schedule
    self.receiver = receiver
    self.startsNs = startsNs
    self.endsNs = endsNs
    self.author = author
    self.reason = reason
  }
}
