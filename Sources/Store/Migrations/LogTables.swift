/// Log lines: one table per retention class, all with the same columns, so that a class is dropped chunk by chunk.
enum LogTables {
  /// Lines whose level is unknown are kept as long as INFO.
  static let all: [TimeTable] = [
    TimeTable(
      "log_error", columns: columns, index: "(host, time desc)", chunk: "7 days", keep: "90 days",
      compressAfter: "8 days", segmentBy: "host", newestFirst: true),
    TimeTable(
      "log_warn", columns: columns, index: "(host, time desc)", chunk: "7 days", keep: "60 days",
      compressAfter: "8 days", segmentBy: "host", newestFirst: true),
    TimeTable(
      "log_info", columns: columns, index: "(host, time desc)", chunk: "1 day", keep: "30 days",
      compressAfter: "2 days", segmentBy: "host", newestFirst: true),
    TimeTable(
      "log_debug", columns: columns, index: "(host, time desc)", chunk: "12 hours", keep: "7 days",
      compressAfter: "2 days", segmentBy: "host", newestFirst: true),
  ]

  private static let columns = """
    file_offset bigint not null, file integer not null, level smallint not null, flags smallint not null,
    message text not null
    """

  /// The hash of a line's template (`LogTemplate`), so that lines are folded without reading them; null in lines of before.
  static let templates = all.map { "alter table signalbox.\($0.name) add column template bigint;\n" }.joined()

  /// Counts outlive the lines.
  static let counts = """
    create table signalbox.log_counts (
      time timestamptz not null,
      host integer not null,
      file integer not null,
      level smallint not null,
      lines bigint not null,
      bytes bigint not null,
      primary key (host, file, time, level)
    ) with (fillfactor = 70);
    create index log_counts_time on signalbox.log_counts (time);
    """
}
