/// Questions about the views that people's SQL reads.
package enum ViewQueries {
  /// Columns: view, column, type, definition.
  /// - Parameter view: nil: of all of them.
  package static func columns(of view: String?) -> ReadQuery {
    ReadQuery(
      """
      select c.relname::text as view, a.attname::text as "column",
        case format_type(a.atttypid, a.atttypmod) when 'timestamp with time zone' then 'timestamptz'
          when 'double precision' then 'float8' else format_type(a.atttypid, a.atttypmod) end as type,
        col_description(c.oid, a.attnum) as definition
      from pg_catalog.pg_class c
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and c.relname = any ($1::text[])
        and ($2::text is null or c.relname = $2)
      order by 1, a.attnum
      """, [ArrayParameter.text(PublicViews.all), view])
  }

  /// Columns: view, definition, columns (their names).
  package static func views() -> ReadQuery {
    ReadQuery(
      """
      select c.relname::text as view, obj_description(c.oid, 'pg_class') as definition,
        (select string_agg(a.attname::text, ', ' order by a.attnum) from pg_catalog.pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
      from pg_catalog.pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' and c.relname = any ($1::text[])
      order by 1
      """, [ArrayParameter.text(PublicViews.all)])
  }

  /// A statement that people may begin with.
  package static let example = """
    select host, count(*) as errors
    from log_lines
    where level = 'ERROR' and time > now() - interval '1 hour'
    group by host
    order by errors desc
    limit 20
    """
}
