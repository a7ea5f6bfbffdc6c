internal import FleetModel
internal import Postgres

/// A message that went out, or is on its way, from a collector's memory while the database was away.
package struct LocalPage: Sendable, Equatable {
  /// Of the incident that it is about.
  package var dedupKey: String
  package var receiver: String
  /// That of its row, once there is one.
  package var messageID: String
  /// Messages that went out as one list share it.
  package var bundle: String?
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

extension Store {
  /// Notes what was told while the database was away: a taken message's row is delivered, one on its way is not begun a second time
  /// before its answer is known. Needs no lease: these are facts.
  package func reconcile(_ pages: [LocalPage], nowNs: Int64) throws(StoreError) {
    if pages.isEmpty { return }
    try inTransaction { () throws(StoreError) in try noteLocal(pages, nowNs) }
  }

  func noteLocal(_ pages: [LocalPage], _ nowNs: Int64) throws(StoreError) {
    for page in pages {
      guard let answer = page.answer else {
        try run(
          """
          update signalbox.outbox set attempts = attempts + 1,
            next_try = greatest(next_try, $2::timestamptz + interval '\(IncidentLimits.localAnswerSeconds) s')
          where message_id = $1 and state = 'waiting'
          """, [.text(page.messageID), .time(us: nowNs / 1000)])
        continue
      }
      let rows = try ask(
        """
        update signalbox.outbox set state = 'delivered', settled = $2, last_answer = $3, attempts = attempts + 1,
          bundle = coalesce($4, bundle)
        where message_id = $1 and state in ('waiting', 'cancelled', 'superseded') returning number, event
        """,
        [
          .text(page.messageID), .time(us: page.atNs / 1000), .text(Self.shortened(answer)),
          page.bundle.map(Parameter.text) ?? .null,
        ])
      guard let number = rows.int(0, 0), let event = rows.text(0, 1).flatMap(Delivery.Event.init) else { continue }
      try noteDelivered([number], event, "\(page.receiver), while the database was away", page.atNs)
    }
  }
}
