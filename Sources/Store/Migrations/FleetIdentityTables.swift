/// Hosts that keep their identity, invitations for several hosts, and the names under which collectors are reached.
enum FleetIdentityTables {
  static let sql = """
    alter table signalbox.hosts
      -- Set by `hosts label`; `labels` is what configuration and command give together, the command's values first.
      add column set_labels jsonb not null default '{}',
      add column configured_labels jsonb not null default '{}',
      -- Raised with name and labels: collectors end the host's stream, and its next Hello reads both anew.
      add column revision bigint not null default 0,
      -- A removed host is revoked for good: an invitation of its name makes another host.
      add column removed timestamptz;
    update signalbox.hosts set set_labels = labels;

    alter table signalbox.join_tokens
      add column uses_max integer not null default 1 check (uses_max between 1 and 100000),
      add column labels jsonb not null default '{}',
      -- The invitation may take over a host of that name that is in the fleet.
      add column replaces boolean not null default false,
      add column withdrawn timestamptz,
      add column withdrawn_by text not null default '';

    -- One row a key that redeemed the token: the same key may ask again, when its answer was lost.
    create table signalbox.join_redemptions (
      token text not null references signalbox.join_tokens,
      key bytea not null check (octet_length(key) = 32),
      host integer not null references signalbox.hosts,
      redeemed timestamptz not null,
      primary key (token, key)
    );
    insert into signalbox.join_redemptions (token, key, host, redeemed)
      select id, redeemed_key, host, redeemed from signalbox.join_tokens
      where redeemed is not null and redeemed_key is not null and host is not null;

    alter table signalbox.epochs
      -- The agent process before this one: one that comes back after another was there still lives, so two share an identity.
      add column previous_instance uuid,
      add column contested timestamptz,
      -- Addresses at which the agent would look for a collector; null where it does not say.
      add column known_collectors text[];

    -- Which collector announced an address: a new list of the same collector replaces the old one.
    alter table signalbox.collectors add column collector uuid;

    -- Every DNS name or address that a collector was announced under, for the certificates of all collectors.
    create table signalbox.server_names (
      name text primary key,
      announced timestamptz not null
    );
    insert into signalbox.server_names (name, announced)
      select regexp_replace(regexp_replace(address, ':[0-9]+$', ''), '[][]', '', 'g'), max(last_seen)
      from signalbox.collectors group by 1;
    """
}
