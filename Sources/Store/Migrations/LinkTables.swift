/// What lets receivers of messages act without a login at the console.
enum LinkTables {
  static let sql = """
    -- Links of messages that were used: each acts once. A link itself is stored nowhere; it is signed.
    create table signalbox.used_links (
      message_id text primary key,
      used timestamptz not null,
      used_by text not null
    );
    create index used_links_used on signalbox.used_links (used);

    -- With what this fleet signs the links of its messages; as hexadecimal digits. A secret.
    create table signalbox.signing_keys (
      purpose text primary key,
      key text not null
    );

    -- With what receivers sign the events that they send to a console: from the configuration of the collector that delivers pages. Secrets;
    -- a digest would not do, because a signature is computed with the secret itself.
    create table signalbox.receiver_secrets (
      receiver text primary key,
      kind text not null check (kind in ('pagerduty', 'slack')),
      secret text not null
    );

    -- Events of receivers of the last days, with what became of each: one that comes again does nothing.
    create table signalbox.receiver_events (
      event_id text primary key,
      receiver text not null,
      action text not null,
      outcome text not null,
      received timestamptz not null
    );
    create index receiver_events_received on signalbox.receiver_events (received);

    """

  /// The table of secrets takes the tokens by which consoles fetch events as well.
  static let fetchedEvents = """
    alter table signalbox.receiver_secrets drop constraint receiver_secrets_kind_check;
    alter table signalbox.receiver_secrets add constraint receiver_secrets_kind_check
      check (kind in ('pagerduty', 'slack', 'slack_app'));
    """

  static let silences = """
    -- Silences in a receiver's own program by which incidents were acknowledged.
    create table signalbox.receiver_silences (
      receiver text not null,
      silence text not null,
      incident bigint not null references signalbox.incidents on delete cascade,
      author text not null,
      taken timestamptz not null,
      -- When the receiver had it no more; NULL while it is in force.
      ended timestamptz,
      primary key (receiver, silence, incident)
    );
    create index receiver_silences_incident on signalbox.receiver_silences (incident);
    """
}
