/// What hosts sent beyond their quota, and the index by which their marks are read in pages.
enum QuotaTables {
  static let views = ["host_quotas"]

  static let meters = """
    -- How much of each quota a host has used, as the time at which all of it is given back.
    create table signalbox.quota_meters (
      host integer not null references signalbox.hosts,
      kind text not null,
      free_at_ns bigint not null,
      primary key (host, kind)
    ) with (fillfactor = 50);

    """

  static let sql = """
    create index followed_files_pages on signalbox.followed_files (host, number) where not finished;
    drop index signalbox.followed_files_open;

    -- One row a host and kind: at most as many as `HostQuota.Kind` has.
    create table signalbox.quota_refusals (
      host integer not null references signalbox.hosts,
      kind text not null,
      rows bigint not null,
      first timestamptz not null,
      last timestamptz not null,
      primary key (host, kind)
    ) with (fillfactor = 50);

    create view public.host_quotas as
      select h.name as host, q.kind, q.rows as rows_refused, q.first, q.last
      from signalbox.quota_refusals q left join signalbox.hosts h on h.number = q.host;

    """
}
