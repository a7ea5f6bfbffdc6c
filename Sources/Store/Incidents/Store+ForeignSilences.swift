package import FleetModel
internal import Incidents
internal import Postgres

/// An open incident that a receiver was paged about, as its alert there is labelled.
package struct AlertedIncident: Sendable, Equatable {
  package var number: Int64
  package var rule: String
  package var severity: Severity
  package var hostName: String
  package var entity: String
  /// Ids of silences of that receiver which have acknowledged it since it last began.
  package var silencedBy: Set<String>
}

/// Silences that people made in a receiver's own program, such as an Alertmanager.
extension Store {
  /// Looked at in one turn; the others follow when these are acknowledged or over.
  private static let alertedMax = 1_000
  private static let endedKept = "30 days"

  /// Open incidents whose page the receiver has taken, the oldest first.
  package func alertedIncidents(of receiver: String) throws(StoreError) -> [AlertedIncident] {
    let rows = try ask(
      """
      select i.number, i.rule, i.severity, i.host_name, i.entity,
        to_json(array(select s.silence from signalbox.receiver_silences s
          where s.incident = i.number and s.receiver = $1 and s.taken >= (
            select max(t.time) from signalbox.incident_timeline t where t.incident = i.number and t.kind = any($2))))::text
      from signalbox.incidents i
      where i.state = \(IncidentState.open.sql) and exists (
        select from signalbox.outbox o where o.incident = i.number and o.receiver = $1
          and o.state = \(DeliveryState.delivered.sql) and o.event in \(Delivery.Event.pagesSQL))
      order by i.number limit \(Self.alertedMax)
      """,
      [.text(receiver), .texts([TimelineKind.opened, .reopened, .flapping].map(\.rawValue))])
    return (0..<rows.count).map { row in
      let known = JSON.read(Array((rows.text(row, 5) ?? "").utf8))?.items ?? []
      return AlertedIncident(
        number: rows.int(row, 0) ?? 0, rule: rows.text(row, 1) ?? "",
        severity: Severity(rawValue: UInt8(clamping: rows.int(row, 2) ?? 3)) ?? .p3, hostName: rows.text(row, 3) ?? "",
        entity: rows.text(row, 4) ?? "", silencedBy: Set(known.compactMap(\.text)))
    }
  }

  /// Acknowledges an incident, once for each silence and beginning of the incident: who takes the acknowledgement back is not overruled.
  /// - Parameter through: for timeline and audit.
  package func acknowledge(
    _ incident: Int64, bySilence id: String, of receiver: String, author: String, through: String, nowNs: Int64
  ) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try lockIncidents()
      guard try state(of: incident) == .open else { return }
      _ = try acknowledgeLocked(incident, actor: author, through: through, nowNs)
      try run(
        """
        insert into signalbox.receiver_silences (receiver, silence, incident, author, taken) values ($1, $2, $3, $4, $5)
        on conflict (receiver, silence, incident) do update set taken = excluded.taken, ended = null
        """, [.text(receiver), .text(id), .int8(incident), .text(author), .time(us: nowNs / 1000)])
    }
  }

  /// Notes in the timelines that silences have ended. The acknowledgements stand: a person has seen the incidents.
  /// - Parameter ids: of the silences in force.
  package func noteEndedSilences(of receiver: String, active ids: [String], nowNs: Int64) throws(StoreError) {
    let open = try ask(
      "select 1 from signalbox.receiver_silences where receiver = $1 and ended is null and silence <> all($2) limit 1",
      [.text(receiver), .texts(ids)])
    if open.count == 0 { return }
    try inTransaction { () throws(StoreError) in
      let ended = try ask(
        """
        update signalbox.receiver_silences set ended = $3 where receiver = $1 and ended is null and silence <> all($2)
        returning incident, author
        """, [.text(receiver), .texts(ids), .time(us: nowNs / 1000)])
      for row in 0..<ended.count {
        try recordInTimeline(
          ended.int(row, 0) ?? 0, .note, actor: ended.text(row, 1) ?? "",
          detail: "the silence in Alertmanager (\(receiver)) has ended; the acknowledgement stands", nowNs)
      }
      try run(
        "delete from signalbox.receiver_silences where ended < $1::timestamptz - interval '\(Self.endedKept)'",
        [.time(us: nowNs / 1000)])
    }
  }
}
