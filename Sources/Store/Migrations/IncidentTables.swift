/// Incidents, what was sent about them to whom, and what must not page.
enum IncidentTables {
  static let sql = """
    create table signalbox.incidents (
      number bigint generated always as identity primary key,
      rule text not null,
      title text not null default '',
      severity smallint not null check (severity between 0 and 3),
      is_observed boolean not null default false,
      host integer references signalbox.hosts,
      host_name text not null default '',
      entity text not null default '',
      identity text not null,
      dedup_key text not null unique check (octet_length(dedup_key) between 1 and 255),
      state text not null default 'open' check (state in ('open', 'acked', 'resolved', 'muted')),
      -- Counts the changes of state; a delivery carries the one that it tells of.
      change_number integer not null default 1,
      opened timestamptz not null,
      detected timestamptz not null,
      -- Host's time of the last change taken: what is not newer is a replay.
      last_event timestamptz not null,
      acked timestamptz,
      acked_by text,
      resolved timestamptz,
      resolved_by text,
      summary text not null default '',
      steps text[] not null default '{}',
      evidence text[] not null default '{}',
      mutes text[] not null default '{}',
      -- Why nobody is paged: NULL while somebody is.
      muted_by text,
      flaps integer not null default 0,
      -- A flapping incident that is quiet now; it is resolved when it stays so.
      quiet_since timestamptz,
      -- The incident that stands for the same rule on many hosts.
      part_of bigint references signalbox.incidents,
      first_paged timestamptz,
      event_to_page_ms bigint
    ) with (fillfactor = 70);
    create unique index incidents_open on signalbox.incidents (identity) where state <> 'resolved';
    create index incidents_identity on signalbox.incidents (identity, number desc);
    create index incidents_live on signalbox.incidents (rule, host) where state <> 'resolved';
    create index incidents_opened on signalbox.incidents (opened desc);
    create index incidents_part_of on signalbox.incidents (part_of) where part_of is not null;

    create table signalbox.incident_timeline (
      number bigint generated always as identity primary key,
      incident bigint not null references signalbox.incidents on delete cascade,
      time timestamptz not null,
      kind text not null,
      actor text not null default '',
      detail text not null default ''
    );
    create index incident_timeline_incident on signalbox.incident_timeline (incident, number);

    -- One row for each thing that has to be told to one receiver. It is written with the change that it tells of.
    create table signalbox.outbox (
      number bigint generated always as identity primary key,
      incident bigint references signalbox.incidents on delete cascade,
      change_number integer not null default 0,
      receiver text not null check (octet_length(receiver) between 1 and 255),
      event text not null check (event in ('trigger', 'acknowledge', 'escalate', 'resolve', 'test', 'watchdog')),
      step smallint not null default 0,
      -- Waits for the receiver's digest instead of being a page of its own.
      is_digest boolean not null default false,
      -- The same on every attempt, so that a receiver can tell a repetition.
      message_id text not null unique,
      -- Rows that go out as one message share its id.
      bundle text,
      detail text not null default '',
      due timestamptz not null,
      state text not null default 'waiting'
        check (state in ('waiting', 'delivered', 'cancelled', 'superseded', 'refused')),
      holder text,
      fence bigint,
      attempts integer not null default 0,
      next_try timestamptz not null,
      last_answer text not null default '',
      created timestamptz not null,
      settled timestamptz
    ) with (fillfactor = 70);
    create index outbox_waiting on signalbox.outbox (receiver, next_try) where state = 'waiting';
    create index outbox_incident on signalbox.outbox (incident, receiver);
    create index outbox_settled on signalbox.outbox (receiver, settled desc) where state = 'delivered';

    create table signalbox.silences (
      number bigint generated always as identity primary key,
      -- NULL matches everything; a * at the end of rule, host or entity stands for any rest.
      rule text,
      host text,
      entity text,
      severity smallint check (severity between 0 and 3),
      author text not null,
      reason text not null,
      created timestamptz not null default now(),
      starts timestamptz not null,
      ends timestamptz not null,
      ended_by text,
      check (ends >= starts)
    );
    create index silences_ends on signalbox.silences (ends);

    -- Who does what only one collector may do. The fence grows with each holder.
    create table signalbox.leases (
      name text primary key,
      holder text not null,
      fence bigint not null,
      expires timestamptz not null
    ) with (fillfactor = 50);

    create table signalbox.on_call (
      schedule text primary key,
      receiver text not null,
      since timestamptz,
      until timestamptz,
      updated timestamptz not null
    );

    create function signalbox.matches(pattern text, word text) returns boolean language sql immutable parallel safe as $$
      select pattern is null or pattern = word
        or (right(pattern, 1) = '*' and starts_with(word, left(pattern, -1)))
    $$;

    create view public.incidents as
      select i.number as incident, i.rule, i.title, 'P' || i.severity as severity, i.state, i.host_name as host, i.entity,
        i.opened, i.detected, i.acked, i.acked_by, i.resolved, i.resolved_by, i.summary, i.muted_by, i.flaps, i.part_of,
        i.is_observed, i.first_paged, i.event_to_page_ms, i.dedup_key
      from signalbox.incidents i;
    create view public.incident_timeline as
      select t.incident, t.time, t.kind, t.actor, t.detail from signalbox.incident_timeline t;
    create view public.deliveries as
      select o.number as delivery, o.incident, o.change_number, o.receiver, o.event, o.state, o.due, o.attempts, o.next_try,
        o.last_answer, o.message_id, o.bundle, o.created, o.settled
      from signalbox.outbox o;
    create view public.silences as
      select s.number as silence, s.rule, s.host, s.entity, 'P' || s.severity as severity, s.author, s.reason, s.created,
        s.starts, s.ends, s.ended_by
      from signalbox.silences s;

    """

  static let lists = """
    -- The list in which the receiver learned of the incident, where this row is about that list: its bundle.
    alter table signalbox.outbox add column list text,
      -- The test of a policy or of a schedule that this is a part of.
      add column test_of bigint references signalbox.outbox on delete cascade,
      -- Addresses of a mail that have taken it already.
      add column reached text[] not null default '{}';
    create index outbox_bundle on signalbox.outbox (bundle) where bundle is not null;
    create index outbox_test_of on signalbox.outbox (test_of) where test_of is not null;

    alter table signalbox.incidents add column causes text[] not null default '{}',
      -- Address of the rule's own page; '' for none.
      add column runbook text not null default '';

    alter table signalbox.on_call_overrides add column ended_by text;

    """

  static let pauses = """
    -- Until when a receiver asked to be sent nothing; NULL where it never did.
    alter table signalbox.receivers add column paused_until timestamptz;

    -- Read with every group of changes, for the hosts of the group.
    create index incidents_causes on signalbox.incidents (host) where mutes <> '{}' and not is_observed;

    -- Freed after each group of changes: the table keeps the deliveries of months.
    create index outbox_held on signalbox.outbox (holder) where holder is not null and state in ('waiting', 'cancelled');

    """

  static let openOfHost = """
    -- Read with each stream that begins.
    create index incidents_open_of_host on signalbox.incidents (host) where state <> 'resolved';

    """

  static let refused = """
    -- Read with each audit of paging: the table keeps the deliveries of months.
    create index outbox_refused on signalbox.outbox (settled) where state = 'refused';

    """

  /// What people's SQL may read.
  static let views = ["incidents", "incident_timeline", "deliveries", "silences"]

  /// What a failure is put down to (`Diagnosis`), in the incident that is about it.
  static let diagnoses = """
    alter table signalbox.incidents add column failure_class text, add column diagnosis jsonb;
    create index incidents_of_failures on signalbox.incidents (host, opened) where failure_class is not null;

    create or replace view public.incidents as
      select i.number as incident, i.rule, i.title, 'P' || i.severity as severity, i.state, i.host_name as host, i.entity,
        i.opened, i.detected, i.acked, i.acked_by, i.resolved, i.resolved_by, i.summary, i.muted_by, i.flaps, i.part_of,
        i.is_observed, i.first_paged, i.event_to_page_ms, i.dedup_key, i.failure_class, i.diagnosis
      from signalbox.incidents i;
    comment on column public.incidents.failure_class is 'class of the failure, such as device-memory; null where it is about none';
    comment on column public.incidents.diagnosis is
      'what the failure is put down to, as a JSON object: class, kind, confidence, line, file, rank, exit, evidence, cascade, steps, retry';

    """
}
