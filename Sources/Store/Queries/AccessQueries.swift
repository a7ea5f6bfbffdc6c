/// Questions about who may use the console.
package enum AccessQueries {
  /// Columns: id, kind, name, role, state (`valid`, `expired`, `used` or `revoked`), created, created_by, expires, last_used, ended_by.
  /// - Parameter all: also those that let nobody in any more.
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
}
