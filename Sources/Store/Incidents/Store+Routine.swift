internal import FleetModel
package import Incidents
internal import Postgres

/// The state of a message that belongs to no incident.
package struct DeliveryReport: Sendable, Equatable {
  package var receiver: String
  package var state: DeliveryState
  package var attempts: Int64
  /// Text of the receiver's last answer.
  package var answer: String

  /// What the answer to a message for a name begins with that the collector's configuration does not have.
  package static let noSuchReceiver = "no such receiver in the collector's configuration"

  package var isOfUnknownReceiver: Bool { state == .refused && answer.hasPrefix(Self.noSuchReceiver) }
}

/// Messages that belong to no incident: tests, their ends, and the watchdog's.
extension Store {
  /// - Parameter whole: row of the test of a policy or of a schedule that this is a part of.
  /// - Returns: the row's number, for `deliveryReports`.
  @discardableResult
  package func enqueue(
    _ event: Delivery.Event, to receiver: String, detail: String, partOf whole: Int64? = nil, nowNs: Int64
  ) throws(StoreError) -> Int64 {
    let rows = try ask(
      """
      insert into signalbox.outbox (receiver, event, message_id, detail, due, next_try, created, test_of)
      values ($1, $2, \(Self.randomMessageID), $3, $4, $4, $4, $5) returning number
      """,
      [
        .text(receiver), .text(event.rawValue), .text(detail), .time(us: nowNs / 1000),
        whole.map(Parameter.int8) ?? .null,
      ])
    try wakePaging()
    return rows.int(0, 0) ?? 0
  }

  /// Splits the test of a policy or of a schedule into one test for each receiver. Its row is settled with the last of
  /// them.
  package func split(
    _ delivery: Delivery, among receivers: [String], _ lease: Lease, nowNs: Int64
  ) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try requireLease(lease)
      try run(
        """
        update signalbox.outbox set holder = null, next_try = $2::timestamptz + interval '1 day', last_answer = $3
        where number = any($1)
        """,
        [
          .int8s(delivery.rows), .time(us: nowNs / 1000),
          .text(Self.shortened("passed on to " + receivers.joined(separator: ", "))),
        ])
      for receiver in Set(receivers).sorted() {
        try enqueue(.test, to: receiver, detail: delivery.detail, partOf: delivery.rows.first, nowNs: nowNs)
      }
    }
  }

  /// Settles tests of which all parts are settled now: delivered where all parts are.
  func settleWhole(of parts: [Int64], _ nowNs: Int64) throws(StoreError) {
    try run(
      """
      update signalbox.outbox w set settled = $2, last_answer = left(p.answers, 300),
        state = case when p.is_delivered then \(DeliveryState.delivered.sql) else \(DeliveryState.refused.sql) end
      from (
        select test_of, bool_and(state = \(DeliveryState.delivered.sql)) as is_delivered,
          bool_or(state = \(DeliveryState.waiting.sql)) as is_waiting,
          string_agg(receiver || ': ' || last_answer, '; ' order by number) as answers
        from signalbox.outbox
        where test_of in (select test_of from signalbox.outbox where number = any($1)) group by test_of) p
      where w.number = p.test_of and not p.is_waiting and w.state = \(DeliveryState.waiting.sql)
      """, [.int8s(parts), .time(us: nowNs / 1000)])
  }

  /// The report of a row, or of its parts where it is the test of a policy or of a schedule.
  /// - Returns: whether all parts are settled, and a report for each; none for a row that does not exist.
  package func deliveryReports(_ row: Int64) throws(StoreError) -> (isSettled: Bool, reports: [DeliveryReport]) {
    let rows = try ask(
      """
      select receiver, state, attempts, last_answer, number <> $1 from signalbox.outbox
      where number = $1 or test_of = $1 order by number
      """, [.int8(row)])
    let reports = (0..<rows.count).compactMap { row -> (report: DeliveryReport, isPart: Bool)? in
      guard let state = rows.text(row, 1).flatMap(DeliveryState.init) else { return nil }
      let report = DeliveryReport(
        receiver: rows.text(row, 0) ?? "", state: state, attempts: rows.int(row, 2) ?? 0,
        answer: rows.text(row, 3) ?? "")
      return (report, rows.bool(row, 4) == true)
    }
    let parts = reports.filter(\.isPart)
    return (
      reports.allSatisfy { $0.report.state != .waiting }, (parts.isEmpty ? reports : parts).map(\.report)
    )
  }
}
