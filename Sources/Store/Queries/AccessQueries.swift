internal import FleetModel

/// Questions about who may use the console.
package enum AccessQueries {
  /// Columns: id, kind, name, role, state (`valid`, `expired`, `used` or `revoked`), created, created_by, expires, last_used, ended_by.
  /// - Parameter all: also those that have ended.
  package static func credentials(all: Bool) -> ReadQuery {
    credentials("$1 = 'all' or state = 'valid'", all ? "all" : "valid")
  }

  package static func credential(id: String) -> ReadQuery { credentials("id = $1", id) }

  /// All entries of a name, or the one with an id.
  package static func credentials(of name: String) -> ReadQuery { credentials("name = $1 or id = $1", name) }

  private static func credentials(_ condition: String, _ value: String) -> ReadQuery {
    ReadQuery(
      """
      select * from (
        select c.id, c.kind, c.name, c.role,
          case when c.ended_by = 'time' or c.ended is null and c.expires <= now() then 'expired'
            when c.ended_by = 'login' then 'used' when c.ended is not null then 'revoked' else 'valid' end as state,
          c.created, c.created_by, c.expires, c.last_used, c.ended_by
        from signalbox.credentials c
      ) c where \(condition) order by created desc, id limit 1000
      """, [value])
  }

  /// Events of receivers of the last days, by what became of them. Columns: receiver, action, outcome, count, last.
  package static func receiverEvents() -> ReadQuery {
    ReadQuery(
      """
      select e.receiver, e.action, e.outcome, count(*) as count, max(e.received) as last
      from signalbox.receiver_events e group by e.receiver, e.action, e.outcome order by max(e.received) desc limit 100
      """)
  }

  /// Who changed what, the newest first. Columns: id, time, actor, action, subject, detail.
  /// - Parameters:
  ///   - action: such as `incidents.ack`; a `*` stands for any text.
  ///   - sinceNs: ns since 1970.
  package static func audit(
    actor: String?, action: String?, sinceNs: Int64?, after: ListPosition? = nil, limit: Int
  ) -> ReadQuery {
    ReadQuery(
      """
      select a.number as id, a.time, a.actor, a.action, a.subject, nullif(a.detail, '') as detail from signalbox.audit_log a
      where ($1::text is null or a.actor = $1) and signalbox.matches($2::text, a.action)
        and ($3::timestamptz is null or a.time >= $3::timestamptz) and ($5::bigint is null or a.number < $5::bigint)
      order by a.number desc limit $4::bigint
      """,
      [actor, action, sinceNs.map { Timestamp.text($0) }, String(limit)]
        + ListPosition.parameters(after, auditPosition.count))
  }

  /// Of the audit: id.
  package static let auditPosition: [ListPosition.Kind] = [.bigint]
}
