internal import Postgres

/// With what a receiver signs the events that it sends to the console, or with what the console fetches them.
package struct ReceiverSecret: Sendable, Equatable {
  /// Who signs how. The raw values are stored.
  package enum Kind: String, Sendable {
    case pagerDuty = "pagerduty"
    case slack
    /// An app-level token of Slack, with which a console fetches the events by Socket Mode.
    case slackApp = "slack_app"
  }

  /// Of the button in messages to Slack, by which the console knows a press of it.
  package static let slackAction = "acknowledge"

  package var receiver: String
  package var kind: Kind
  package var secret: String

  package init(_ receiver: String, _ kind: Kind, _ secret: String) {
    self.receiver = receiver
    self.kind = kind
    self.secret = secret
  }
}

extension Store {
  /// Consoles have no configuration of receivers: they read it here. What is no longer configured is deleted.
  package func publishReceiverSecrets(_ secrets: [ReceiverSecret]) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      try run(
        "delete from signalbox.receiver_secrets where receiver <> all($1)", [.texts(secrets.map(\.receiver))])
      // Written only where it differs: this is asked for every few seconds.
      try run(
        """
        insert into signalbox.receiver_secrets as r (receiver, kind, secret)
        select * from unnest($1::text[], $2::text[], $3::text[])
        on conflict (receiver) do update set kind = excluded.kind, secret = excluded.secret
          where (r.kind, r.secret) is distinct from (excluded.kind, excluded.secret)
        """,
        [.texts(secrets.map(\.receiver)), .texts(secrets.map(\.kind.rawValue)), .texts(secrets.map(\.secret))])
    }
  }

  package func receiverSecrets(_ kind: ReceiverSecret.Kind) throws(StoreError) -> [ReceiverSecret] {
    let rows = try ask(
      "select receiver, secret from signalbox.receiver_secrets where kind = $1 order by receiver",
      [.text(kind.rawValue)])
    return (0..<rows.count).map { ReceiverSecret(rows.text($0, 0) ?? "", kind, rows.text($0, 1) ?? "") }
  }
}
