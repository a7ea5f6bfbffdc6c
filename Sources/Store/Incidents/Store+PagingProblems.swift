internal import FleetModel
internal import Incidents
package import Postgres

/// What of paging needs a person: the audit counts it, `signalbox fleet status` shows it.
package struct PagingProblems: Sendable, Equatable {
  /// One receiver's part.
  package struct Share: Sendable, Equatable {
    package var receiver: String
    /// At least 1.
    package var count: Int
    /// Of the oldest message that is late, or of the newest end that was refused; nil where it belongs to none.
    package var incident: Int64?
    /// The receiver's last answer to that message; "" for none.
    package var answer: String

    package init(receiver: String, count: Int, incident: Int64? = nil, answer: String = "") {
      (self.receiver, self.count, self.incident, self.answer) = (receiver, count, incident, answer)
    }
  }

  /// Messages that have been due for a minute or more, the receiver of the oldest one first.
  package var late: [Share] = []
  /// Ends that were refused for good within a day and not delivered since, the receiver of the newest one first: the
  /// alert may still be open there, and nothing that Signalbox sends ends it.
  package var refusedEnds: [Share] = []

  package init() {}

  package var lateCount: Int { late.reduce(0) { $0 + $1.count } }
  package var refusedEndCount: Int { refusedEnds.reduce(0) { $0 + $1.count } }

  /// "2 to duty, 1 to chat".
  package var lateReceivers: String { Self.listed(late, "to") }

  /// A sentence for each kind of problem; none where there is none.
  package var sentences: [String] {
    var sentences: [String] = []
    if let oldest = late.first {
      let messages = lateCount == 1 ? "1 message is" : "\(lateCount) messages are"
      let answer = oldest.answer.isEmpty ? "no answer yet" : "the last answer: \(PlainText.line(oldest.answer))"
      sentences.append(
        "\(messages) late by a minute or more: \(lateReceivers); the oldest, \(Self.subject(oldest)) "
          + "to \(oldest.receiver): \(answer)"
      )
    }
    if let newest = refusedEnds.first {
      let ends = refusedEndCount == 1 ? "1 end was" : "\(refusedEndCount) ends were"
      let alerts = refusedEndCount == 1 ? "its alert" : "their alerts"
      sentences.append(
        "\(ends) refused for good within a day: \(Self.listed(refusedEnds, "by")); the newest, \(Self.subject(newest)) "
          + "by \(newest.receiver): \(PlainText.line(newest.answer)); close \(alerts) there by hand where still open")
    }
    return sentences
  }

  /// Receivers beyond these are counted.
  private static let namedMax = 5

  private static func listed(_ shares: [Share], _ preposition: String) -> String {
    let named = shares.prefix(namedMax).map { "\($0.count) \(preposition) \($0.receiver)" }.joined(separator: ", ")
    return named + (shares.count > namedMax ? " and others \(preposition) \(shares.count - namedMax) more" : "")
  }

  private static func subject(_ share: Share) -> String {
    share.incident.map { "of incident \($0)" } ?? "of a test or the watchdog"
  }
}

extension Store {
  static func pagingProblems(_ connection: Connection, nowNs: Int64) throws(PostgresError) -> PagingProblems {
    var problems = PagingProblems()
    let late = try connection.query(
      """
      select receiver, count(*), (array_agg(incident order by due, number))[1],
        (array_agg(last_answer order by due, number))[1]
      from signalbox.outbox o
      where state = \(DeliveryState.waiting.sql) and due < $1::timestamptz - interval '1 minute'
        -- The test of a policy or of a schedule waits for its parts, which name the receivers.
        and not exists (select from signalbox.outbox p where p.test_of = o.number)
      group by receiver order by min(due), receiver
      """, [.time(us: nowNs / 1000)])
    problems.late = shares(late)
    let refused = try connection.query(
      """
      select receiver, count(*), (array_agg(incident order by settled desc, number desc))[1],
        (array_agg(last_answer order by settled desc, number desc))[1]
      from signalbox.outbox o
      where state = \(DeliveryState.refused.sql) and event = \(Delivery.Event.resolve.sql)
        and settled > $1::timestamptz - interval '1 day'
        -- The same alert has ended since: a reopened incident keeps its key, and so do tests.
        and not exists (select from signalbox.outbox d where d.incident is not distinct from o.incident
          and d.receiver = o.receiver and d.event = o.event and d.list is not distinct from o.list
          and d.state = \(DeliveryState.delivered.sql) and d.settled > o.settled)
      group by receiver order by max(settled) desc, receiver
      """, [.time(us: nowNs / 1000)])
    problems.refusedEnds = shares(refused)
    return problems
  }

  private static func shares(_ rows: borrowing Rows) -> [PagingProblems.Share] {
    (0..<rows.count).map { row in
      PagingProblems.Share(
        receiver: rows.text(row, 0) ?? "", count: Int(rows.int(row, 1) ?? 0), incident: rows.int(row, 2),
        answer: rows.text(row, 3) ?? "")
    }
  }
}

extension FleetReader {
  /// - Parameter nowNs: ns since 1970.
  package func pagingProblems(nowNs: Int64) throws(PostgresError) -> PagingProblems {
    try Store.pagingProblems(connection, nowNs: nowNs)
  }
}
