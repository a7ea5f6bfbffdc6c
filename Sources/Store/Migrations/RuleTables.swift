/// What the rules remember of each host, so that another collector, or a later one, goes on from it.
enum RuleTables {
  static let sql = """
    create table signalbox.rule_states (
      -- 0 stands for the whole fleet.
      host integer primary key,
      -- Of the host's stream that it comes from: an older stream's state does not replace a newer one's.
      epoch bigint not null,
      state bytea not null,
      saved timestamptz not null
    ) with (fillfactor = 70);

    """

  /// Ends by people are few among many: each start of a stream asks for those since the host's state was kept.
  static let endedByHand = """
    create index incidents_ended_by_hand on signalbox.incidents (host, resolved) where resolved_by <> 'rule';

    """

  static let sequence = """
    -- Orders the states of one epoch; a state of a release that had no number is older than any that has one.
    alter table signalbox.rule_states add column sequence bigint not null default 0;

    """

  static let pages = """
    -- The runbook of each rule that collectors run, for the console.
    create table signalbox.rule_pages (
      rule text primary key,
      severity smallint not null check (severity between 0 and 3),
      title text not null,
      page text not null
    );

    """
}
