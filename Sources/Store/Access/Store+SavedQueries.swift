internal import FleetModel
internal import Postgres

/// A statement of people under a name.
package struct SavedQuery: Sendable, Equatable {
  package enum Limits {
    package static let nameScalars = 64
    package static let parameters = 10
    /// Saved statements of a fleet: they are listed on one page.
    package static let queries = 500
  }

  package var name: String
  package var description: String
  /// One SELECT, with `$1` for the first parameter.
  package var sql: String
  /// Names of `$1` and those behind it.
  package var parameters: [String]

  package init(name: String, description: String, sql: String, parameters: [String]) {
    self.name = name
    self.description = description
    self.sql = sql
    self.parameters = parameters
  }

  /// Part of an address: lower-case letters, digits and `._-`, a letter or digit first.
  package static func isName(_ name: String) -> Bool {
    isWord(name, "._-") && name.utf8.count <= Limits.nameScalars && name.first?.isLetter == true
  }

  /// Part of a query string: lower-case letters, digits and `_`, a letter first.
  package static func isParameter(_ name: String) -> Bool {
    isWord(name, "_") && name.utf8.count <= 32 && name.first?.isLetter == true
  }

  private static func isWord(_ text: String, _ more: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || more.utf8.contains($0)
      }
  }
}

extension Store {
  /// Saves a statement, in place of one of the same name.
  /// - Throws: `.tooManySavedQueries`.
  package func save(_ query: SavedQuery, actor: String, nowNs: Int64) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      let rows = try ask(
        """
        insert into signalbox.saved_queries (name, description, sql, parameters, author, saved)
        select $1, $2, $3, $4, $5, $6
        where exists (select from signalbox.saved_queries where name = $1)
          or (select count(*) from signalbox.saved_queries) < \(SavedQuery.Limits.queries)
        on conflict (name) do update set description = excluded.description, sql = excluded.sql,
          parameters = excluded.parameters, author = excluded.author, saved = excluded.saved
        """,
        [
          .text(query.name), .text(query.description), .text(query.sql), .texts(query.parameters), .text(actor),
          .time(us: nowNs / 1000),
        ])
      guard rows.affected == 1 else { throw .tooManySavedQueries }
      try audit(actor: actor, action: "queries.save", subject: query.name, detail: query.sql)
    }
  }

  /// - Throws: `.unknownSavedQuery`.
  package func deleteSavedQuery(_ name: String, actor: String) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      let rows = try ask("delete from signalbox.saved_queries where name = $1", [.text(name)])
      guard rows.affected == 1 else { throw .unknownSavedQuery(name) }
      try audit(actor: actor, action: "queries.delete", subject: name)
    }
  }
}

/// Questions about saved statements.
package enum SavedQueries {
  /// Columns: name, description, parameters (with commas; null where there are none), sql, author, saved.
  /// - Parameter name: only the one of that name; nil: all, in the order of their names.
  package static func list(named name: String? = nil) -> ReadQuery {
    ReadQuery(
      """
      select name, description, nullif(array_to_string(parameters, ','), '') as parameters, sql, author, saved
      from signalbox.saved_queries where $1::text is null or name = $1 order by name
      """, [name])
  }
}
