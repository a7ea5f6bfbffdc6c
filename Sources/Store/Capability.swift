/// What the database can do; fixed when its schema is made, because it decides how the tables are laid out.
package enum Capability: String, Sendable, CaseIterable {
  /// PostgreSQL ≥ 15: native range partitions, aggregates filled by housekeeping.
  case plain
  /// TimescaleDB, Apache edition: hypertables and chunk dropping.
  case apache
  /// TimescaleDB, community edition: also compression and continuous aggregates.
  case community
}
