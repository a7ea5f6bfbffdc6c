/// What was in a file before its agent, and what an agent found and does not read.
enum FollowingTables {
  static let views = ["host_following"]

  static let sql = """
    -- Bytes below are older than the agent's first start with a pattern that matches: never paged.
    alter table signalbox.followed_files add column history_bytes bigint not null default 0;

    alter table signalbox.epochs
      add column matched_files bigint, add column waiting_files bigint, add column unreadable_files bigint,
      add column outside_files bigint, add column binary_files bigint, add column missing_roots bigint,
      add column unwatched_directories bigint, add column cut_directories bigint;

    create view public.host_following as
      select h.name as host, e.matched_files, e.followed_files, e.waiting_files, e.unreadable_files, e.outside_files,
        e.binary_files, e.missing_roots, e.unwatched_directories, e.cut_directories
      from signalbox.hosts h left join signalbox.epochs e on e.host = h.number;

    """

  /// Text in encodings that are not read was counted as binary, of which nothing is missed.
  static let wideText = """
    alter table signalbox.epochs add column utf16_files bigint;

    create or replace view public.host_following as
      select h.name as host, e.matched_files, e.followed_files, e.waiting_files, e.unreadable_files, e.outside_files,
        e.binary_files, e.missing_roots, e.unwatched_directories, e.cut_directories, e.utf16_files
      from signalbox.hosts h left join signalbox.epochs e on e.host = h.number;

    """
}
