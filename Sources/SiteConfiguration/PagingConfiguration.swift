package import FleetModel
package import Store

/// Who is paged of incidents: the `paging:` section of `signalbox.yaml`, checked.
package struct PagingConfiguration: Sendable, Equatable {
  package var receivers: [String: Receiver] = [:]
  /// A severity that is missing pages no one; its incidents are shown all the same.
  package var policies: [Severity: [Step]] = [:]
  package var schedules: [String: Schedule] = [:]
  /// Told as well where a receiver refuses or has failed three times.
  package var fallback: String?
  /// To one receiver; what is more becomes one message with a list.
  package var messagesPerMinute = 5
  package var watchdog: Watchdog?
  package var heartbeat: Heartbeat?
  /// When digests go out, seconds after midnight on business days.
  package var digestSecond: Int64 = 9 * 3600
  package var digestZone = TimeZoneRules.utc
  /// Days without a digest, days since 1970 by the digest's zone.
  package var holidays: Set<Int64> = []
  /// Address of the console, for links.
  package var console: String?
  /// Where mails are answered: `name@host`, without the token of the message.
  package var replyTo: String?
  /// Of receivers that send events to the console.
  package var eventSecrets: [ReceiverSecret] = []
  /// Receivers whose messages carry a button: presses of it reach the console.
  package var buttons: Set<String> { Set(eventSecrets.filter { $0.kind != .pagerDuty }.map(\.receiver)) }

  package init() {}

  /// One step of a policy.
  package struct Step: Sendable, Equatable {
    /// A receiver or a schedule.
    package var to: String
    package var afterNs: Int64
    /// Waits for the next business day's digest.
    package var isDigest: Bool

    package init(to: String, afterNs: Int64 = 0, isDigest: Bool = false) {
      self.to = to
      self.afterNs = afterNs
      self.isDigest = isDigest
    }
  }

  /// A message through the real path, again and again, so that its absence shows that paging is dead.
  package struct Watchdog: Sendable, Equatable {
    package var to: String
    package var everyNs: Int64

    package init(to: String, everyNs: Int64) {
      self.to = to
      self.everyNs = everyNs
    }
  }

  /// A GET to an outside service that alarms when it stays away.
  package struct Heartbeat: Sendable, Equatable {
    package var url: String
    package var everyNs: Int64

    package init(url: String, everyNs: Int64) {
      self.url = url
      self.everyNs = everyNs
    }
  }
}

/// Where pages go.
package enum Receiver: Sendable, Equatable {
  /// Standard Webhooks. Several secrets while one is replaced: each signs.
  case webhook(url: String, secrets: [String])
  /// PagerDuty Events v2.
  case pagerDuty(url: String, routingKey: String)
  /// Slack's incoming webhook.
  case slack(url: String)
  case email(EmailReceiver)
  /// What Alertmanager sends to a webhook, version 4.
  case alertmanagerWebhook(url: String)
  /// `POST /api/v2/alerts` of an Alertmanager; the URL is its base.
  case alertmanager(url: String)

  /// The key that a webhook's messages are signed with: `whsec_` and the key in Base64 is the form of Standard Webhooks
  /// 1.0.0, any other text is the key itself.
  /// - Returns: nil for `whsec_` and what is no Base64, or none.
  package static func signingKey(_ secret: String) -> [UInt8]? {
    guard secret.hasPrefix("whsec_") else { return Array(secret.utf8) }
    return Base64.standard.decode(secret.utf8.dropFirst("whsec_".utf8.count)).flatMap { $0.isEmpty ? nil : $0 }
  }

  /// What it is sent stays open there until its end is sent.
  package var keepsAlerts: Bool {
    switch self {
    case .pagerDuty, .alertmanager: true
    case .webhook, .slack, .email, .alertmanagerWebhook: false
    }
  }

  /// A chat or a mailbox; the others are programs, which keep one alert for each incident.
  package var isReadByPeople: Bool {
    switch self {
    case .slack, .email: true
    case .webhook, .pagerDuty, .alertmanagerWebhook, .alertmanager: false
    }
  }
}

package struct EmailReceiver: Sendable, Equatable {
  package var server: String
  package var from: String
  package var to: [String]
  package var user: String?
  package var password: String?
  /// File of the authorities that the server's certificate may come from (PEM); nil for the system's.
  package var authorities: String?
  /// Refuses a server that does not offer STARTTLS.
  package var requiresTLS = false

  package init(server: String, from: String, to: [String]) {
    self.server = server
    self.from = from
    self.to = to
  }
}
