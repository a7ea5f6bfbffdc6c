/// A table that grows with time, as the migrations make it.
struct TimeTable {
  let name: String
  /// Beside time, received and host, which every such table has.
  let columns: String
  let index: String
  /// What one chunk or partition covers.
  let chunk: String
  /// nil = for good.
  let keep: String?
  let compressAfter: String
  let segmentBy: String
  /// Has an index on time alone, and is searched by text.
  let newestFirst: Bool

  init(
    _ name: String, columns: String, index: String, chunk: String, keep: String?, compressAfter: String,
    segmentBy: String, newestFirst: Bool = false
  ) {
    self.name = name
    self.columns = columns
    self.index = index
    self.chunk = chunk
    self.keep = keep
    self.compressAfter = compressAfter
    self.segmentBy = segmentBy
    self.newestFirst = newestFirst
  }

  /// No unique index: the ledger makes rows unique, and COPY would fail whole on one duplicate.
  func sql(_ capability: Capability) -> String {
    var sql = """
      create table signalbox.\(name) (
        time timestamptz not null, received timestamptz not null, host integer not null,
        \(columns)
      )\(capability == .plain ? " partition by range (time)" : "");
      insert into signalbox.time_tables (name, chunk, keep, compress_after, search_index)
        values ('\(name)', '\(chunk)', \(keep.map { "'\($0)'" } ?? "null"), '\(compressAfter)', \(newestFirst));

      """
    if capability != .plain {
      sql += """
        select create_hypertable('signalbox.\(name)', 'time', chunk_time_interval => interval '\(chunk)',
          create_default_indexes => false);

        """
    }
    sql += "create index \(name)_main on signalbox.\(name) \(index);\n"
    if newestFirst { sql += "create index \(name)_time on signalbox.\(name) (time desc);\n" }
    if capability == .community {
      let order = name == "training_steps" ? "episode, step" : "time desc"
      sql += """
        alter table signalbox.\(name) set (timescaledb.compress, timescaledb.compress_segmentby = '\(segmentBy)',
          timescaledb.compress_orderby = '\(order)');

        """
    }
    return sql
  }
}
