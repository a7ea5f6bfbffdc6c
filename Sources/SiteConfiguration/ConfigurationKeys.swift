package import FleetModel
internal import Store

/// Every key of `signalbox.yaml` but those of paging and probes. The reader, its messages and the JSON Schema are made of these tables.
package enum ConfigurationKeys {
  package static let file = KeyTable(
    "the file",
    [
      DocumentKey("retention", .map(retention), "How long the fleet's data are kept."),
      DocumentKey("profiles", .list(of: .map(profile)), "What hosts are asked to report, by their labels."),
      DocumentKey("hosts", .named(.map(host)), "Labels of hosts, by a host's name or one with a *."),
      DocumentKey("quotas", .map(quotas), "What one host may make the fleet keep."),
      DocumentKey(
        "rules", .list(of: .text),
        "Files, directories and patterns of them, relative to this file; the shipped rules if not given."),
      DocumentKey("maintenance", .list(of: .map(maintenance)), "Silences that come back or happen once."),
      DocumentKey("paging", .map(PagingKeys.paging), "Who is paged of incidents."),
    ])

  // MARK: Retention and quotas

  private static let keep = ValueShape.durationOr(
    word: "forever", 3_600_000_000_000...TimeSpan.longestNs, example: "30d")
  static let retention = KeyTable(
    "retention",
    [
      DocumentKey("logs", .map(logRetention), "Log lines, by their level."),
      DocumentKey("samples", keep, "Samples; 30d if not given."),
      DocumentKey("aggregates", keep, "Hourly and daily aggregates; 400d if not given."),
      DocumentKey("probes", keep, "Answers of probes; 30d if not given."),
      DocumentKey("events", keep, "Events; 90d if not given."),
    ])
  static let logRetention = KeyTable(
    "retention.logs",
    [
      DocumentKey("error", keep, "90d if not given."), DocumentKey("warn", keep, "60d if not given."),
      DocumentKey("info", keep, "Also of lines without a level; 30d if not given."),
      DocumentKey("debug", keep, "7d if not given."),
    ])

  /// A million a second; ten times that of the largest foreseen host.
  private static let perDayMax: Int64 = 86_400_000_000
  private static let burstMax: Int64 = 1_000_000_000_000
  /// Of 2^31 numbers of runs or files, one host uses up no more than half in three years.
  private static let numberedPerDayMax: Int64 = 1_000_000
  private static let numberedBurstMax: Int64 = 50_000_000

  static let quotas = KeyTable(
    "quotas",
    HostQuota.Kind.allCases.map { kind in
      DocumentKey(kind.text, .map(quota(kind)), "Rows of one host; what is not given stays as shipped.")
    })

  static func quota(_ kind: HostQuota.Kind) -> KeyTable {
    KeyTable(
      "quotas.\(kind.text)",
      [
        DocumentKey("per_day", .integer(1...(kind.isNumbered ? numberedPerDayMax : perDayMax)), "Rows a day."),
        DocumentKey("burst", .integer(1...(kind.isNumbered ? numberedBurstMax : burstMax)), "Rows at once."),
      ])
  }

  // MARK: Hosts

  static let profile = KeyTable(
    "a profile",
    [
      DocumentKey("match", .labels, "Labels that a host must have, its name as host; a * stands for any text."),
      DocumentKey("logs", .list(of: .map(log)), "Files that are followed."),
      DocumentKey(
        "exclude", .list(of: .text), "Files that are left alone; without a slash: a name in any directory."),
      DocumentKey(
        "metrics", .list(of: .map(metric)), "Lines of logs whose numbers are rows of a run; at most 16 for a host."),
      DocumentKey("interval", .duration(100_000_000...3_600_000_000_000, example: "1s"), "Between two samples."),
      DocumentKey("probes", .list(of: .map(ProbeKeys.probe)), "What is asked of the host's services and files."),
    ])
  static let log = KeyTable(
    "an entry of logs", required: ["path"],
    [DocumentKey("path", .text, "An absolute path with wildcards.", example: "/srv/train/**/*.log")])
  static let metric = KeyTable(
    "an entry of metrics", required: ["match"],
    [
      DocumentKey(
        "match", .text, "A pattern with a name for each number; step is the row's step.",
        example: #"'it (?<step>\d+) cost=(?<cost>\S+)'"#),
      DocumentKey(
        "file", .text, "The logs that are meant, an absolute path with wildcards; all that are followed if not given.",
        example: "/srv/train/**/*.log"),
    ])
  static let host = KeyTable(
    "a host", required: ["labels"],
    [DocumentKey("labels", .labels, "Labels by which profiles and rules choose.", example: "{ role: trainer }")])

  // MARK: Maintenance

  /// More would be a mistake of whatever writes the file, and each is asked of every incident.
  static let maintenanceMax = 200
  static let maintenanceNameBytes = 64
  static let maintenanceLongestNs: Int64 = 366 * 86_400_000_000_000

  static let maintenance = KeyTable(
    "an entry of maintenance", required: ["name", "match", "reason"], oneOf: [["cron", "from"]],
    [
      DocumentKey("name", .text, "Its own among the entries.", example: "sunday-updates"),
      DocumentKey("match", .map(maintenanceMatch), "Incidents that do not page.", example: "{ host: \"trainer-*\" }"),
      DocumentKey("cron", .text, "When it begins: minute, hour, day of month, month, day of week, as in crontab(5)."),
      DocumentKey("zone", .text, "Whose clocks cron means, such as Europe/Berlin; UTC if not given."),
      DocumentKey("for", .duration(60_000_000_000...maintenanceLongestNs, example: "2h"), "How long, with cron."),
      DocumentKey("from", .text, "When it begins, once, such as 2026-12-01T08:00Z."),
      DocumentKey("until", .text, "When it ends, with from."),
      DocumentKey("reason", .text, "For whoever wonders why there was no page.", example: "updates"),
    ])
  static let maintenanceMatch = KeyTable(
    "match",
    [
      DocumentKey("rule", .text, "A rule's id, or one with a *."),
      DocumentKey("host", .text, "A host's name, or one with a *."),
      DocumentKey("entity", .text, "What on the host, or a pattern of it with a *."),
      DocumentKey("severity", .word(Severity.allCases.map(\.word)), "Of this severity only."),
    ])
}

/// The keys of `paging:`.
enum PagingKeys {
  static let paging = KeyTable(
    "paging",
    [
      DocumentKey("receivers", .named(.map(receiver)), "Where messages go, by names of your own."),
      DocumentKey("schedules", .named(.map(schedule)), "Who takes turns, by names of your own."),
      DocumentKey("policies", .map(policies), "Who is paged of an incident's severity, and when."),
      DocumentKey("fallback", .text, "A receiver that is paged as well where another one refuses or fails."),
      DocumentKey(
        "messages_per_minute", .integer(1...1_000_000),
        "To one receiver; what is more becomes one message with a list. 5 if not given."),
      DocumentKey("digest", .map(digest), "When digests go out."),
      DocumentKey("watchdog", .map(watchdog), "A message again and again, whose absence shows that paging is dead."),
      DocumentKey("heartbeat", .map(heartbeat), "A GET to a service that alarms when it stays away."),
      DocumentKey("console", .text, "Address of the console, for links."),
      DocumentKey(
        "reply_to", .text,
        "Where mails are answered, with +TOKEN before the @; signalbox incidents reply acts on them.",
        example: "signalbox@example.org"),
    ])

  // MARK: Receivers

  private static func secret(_ name: String, _ doc: String) -> [DocumentKey] {
    [
      DocumentKey(name, .text, doc), DocumentKey("\(name)_file", .text, "The same, from a file's first line."),
      DocumentKey("\(name)_env", .text, "The same, from this variable of the collector's environment."),
    ]
  }
  private static func group(_ name: String) -> [String] { [name, "\(name)_file", "\(name)_env"] }
  private static func addressed(_ what: String, _ doc: String) -> KeyTable {
    KeyTable(what, oneOf: [group("url")], secret("url", doc))
  }

  static let receiverKinds: [(name: String, table: KeyTable, doc: String)] = [
    ("webhook", webhook, "Standard Webhooks."), ("pagerduty", pagerDuty, "PagerDuty Events v2."),
    ("slack", slack, "Slack's incoming webhook."),
    ("email", email, "SMTP."),
    ("alertmanager", addressed("alertmanager", "Its base address."), "POST /api/v2/alerts of an Alertmanager."),
    (
      "alertmanager_webhook", addressed("alertmanager_webhook", "Where to POST."),
      "What Alertmanager sends to a webhook, version 4."
    ),
  ]
  static let receiver = KeyTable(
    "a receiver", oneOf: [receiverKinds.map(\.name)],
    receiverKinds.map { DocumentKey($0.name, .map($0.table), $0.doc) })
  static let webhook = KeyTable(
    "webhook", oneOf: [group("url")], atMostOneOf: [group("secret")],
    secret("url", "Where to POST.") + secret("secret", "What each message is signed with.") + [
      DocumentKey("secrets", .list(of: .text), "Further ones while one is replaced: each signs.")
    ])
  static let pagerDuty = KeyTable(
    "pagerduty", oneOf: [group("routing_key")], atMostOneOf: [group("webhook_secret")],
    secret("routing_key", "The service's integration key.") + [
      DocumentKey("url", .text, "https://events.pagerduty.com/v2/enqueue if not given.")
    ] + secret("webhook_secret", "Of a webhook subscription to the console: acknowledgements there count here."))
  static let slack = KeyTable(
    "slack", oneOf: [group("url")], atMostOneOf: [group("signing_secret") + group("app_token")],
    secret("url", "The incoming webhook's address.")
      + secret("signing_secret", "Of the app that sends its buttons to the console: pages get a button then.")
      + secret("app_token", "The app's token xapp-…: the console fetches presses of buttons by Socket Mode."))
  static let email = KeyTable(
    "email", required: ["smtp", "from", "to"], atMostOneOf: [group("password")],
    [
      DocumentKey("smtp", .text, "The server.", example: "smtp://mail.example.org:587"),
      DocumentKey("from", .text, "The sender's address.", example: "signalbox@example.org"),
      DocumentKey("to", .textOrList, "One address or a list of them.", example: "[duty@example.org]"),
      DocumentKey("user", .text, "Who logs in."),
    ] + secret("password", "Of the user.") + [
      DocumentKey(
        "tls", .word(["required", "optional"]),
        "required refuses a server without STARTTLS; the default where there is a password or a ca."),
      DocumentKey(
        "ca", .text, "File of the authorities that the server's certificate may come from (PEM); else the system's.",
        example: "/etc/signalbox/mail-ca.pem"),
    ])

  // MARK: Policies and schedules

  private static let every = ValueShape.duration(1_000_000_000...86_400_000_000_000, example: "60s")
  static let policies = KeyTable(
    "policies",
    Severity.allCases.map { DocumentKey($0.word, .list(of: .map(step)), "Steps, in their order.") })
  static let step = KeyTable(
    "a step", required: ["to"],
    [
      DocumentKey("to", .text, "A receiver or a schedule.", example: "duty"),
      DocumentKey(
        "after", .duration(0...366 * 86_400_000_000_000, example: "15m"), "So long after the incident began; 0s."),
      DocumentKey("digest", .flag, "true: with the next business day's digest."),
    ])
  static let schedule = KeyTable(
    "a schedule", required: ["rotation"],
    [
      DocumentKey("rotation", .list(of: .text), "Receivers, in the order of their turns.", example: "[duty, lead]"),
      DocumentKey(
        "turn", .duration(3_600_000_000_000...366 * 86_400_000_000_000, example: "1w"), "A turn; 1w if not given."),
      DocumentKey("start", .text, "Local time of the first hand-over, such as 2026-01-05T09:00."),
      DocumentKey("time_zone", .text, "Such as Europe/Berlin; UTC if not given."),
    ])
  static let digest = KeyTable(
    "digest",
    [
      DocumentKey("at", .text, "Time of day, such as 09:00."),
      DocumentKey("time_zone", .text, "Such as Europe/Berlin; UTC if not given."),
      DocumentKey("holidays", .list(of: .text), "Days without a digest, such as 2026-12-25."),
    ])
  static let watchdog = KeyTable(
    "watchdog", required: ["to"],
    [
      DocumentKey("to", .text, "A receiver or a schedule.", example: "duty"),
      DocumentKey("every", every, "60s if not given."),
    ])
  static let heartbeat = KeyTable(
    "heartbeat", required: ["url"],
    [
      DocumentKey("url", .text, "What is asked with GET.", example: "https://heartbeat.example.org/signalbox"),
      DocumentKey("every", every, "60s if not given."),
    ])
}

/// The keys of `probes:` in a profile.
enum ProbeKeys {
  static let probe = KeyTable(
    "a probe", required: ["name"], oneOf: [ProbeKind.allCases.map(\.word)],
    [
      DocumentKey("name", .text, "Its own among those of its kind; rules know it as KIND/NAME.", example: "dashboard"),
      DocumentKey("every", .duration(ProbeSetting.everyRangeNs, example: "30s"), "Between two questions."),
      DocumentKey("timeout", .duration(ProbeSetting.timeoutRangeNs, example: "5s"), "How long an answer may take."),
    ]
      + ProbeKind.allCases.map { kind in
        DocumentKey(kind.word, table(kind).map { .map($0) } ?? .list(of: .anything), doc(kind))
      })

  private static let address = DocumentKey("address", .text, "HOST:PORT.", example: "127.0.0.1:6379")
  private static let path = DocumentKey("path", .text, "An absolute path with wildcards.", example: "/srv/models/*.pth")
  private static let socket = DocumentKey("socket", .text, "An absolute path.")

  /// - Returns: nil for the kind that is a list.
  static func table(_ kind: ProbeKind) -> KeyTable? {
    switch kind {
    case .http:
      KeyTable(
        "http", required: ["url"],
        [
          DocumentKey("url", .text, "What is asked with GET.", example: "http://127.0.0.1:8000/"),
          DocumentKey("expect", .integer(100...599), "The status; 200 if not given."),
          DocumentKey("body", .text, "The answer holds this."),
        ])
    case .tcp, .redis: KeyTable(kind.word, required: ["address"], [address])
    case .postgres:
      KeyTable(
        "postgres", oneOf: [["address", "socket", "service"]],
        [
          address, socket,
          DocumentKey("service", .text, "A section of the host's pg_service.conf, for figures of the server."),
        ])
    case .file, .backup, .queue: KeyTable(kind.word, required: ["path"], [path])
    case .json:
      KeyTable(
        "json", required: ["path"],
        [
          DocumentKey("path", .text, "An absolute path that ends in .json.", example: "/srv/models/**/*.json"),
          DocumentKey(
            "settle", .duration(0...ProbeSetting.settleNsMax, example: "60s"), "A file is judged once it is so old."),
        ])
    case .certificate: KeyTable("certificate", oneOf: [["path", "address"]], [path, address])
    case .container:
      KeyTable(
        "container", required: ["name"],
        [
          DocumentKey("name", .text, "The container's name.", example: "worker"),
          DocumentKey("socket", .text, "Of the engine; /var/run/docker.sock if not given."),
        ])
    case .prometheus:
      KeyTable(
        "prometheus", required: ["url"],
        [
          DocumentKey("url", .text, "Where the metrics are.", example: "http://127.0.0.1:8000/metrics"),
          DocumentKey(
            "keep", .list(of: .text),
            "Which series are kept beside the figures of serving: NAME or NAME{label=\"value\"}, each with * for anything."
          ),
        ])
    case .unit:
      KeyTable(
        "unit", required: ["name"], [DocumentKey("name", .text, "A unit of systemd.", example: "api.service")])
    case .command: nil
    }
  }

  private static func doc(_ kind: ProbeKind) -> String {
    switch kind {
    case .http: "A page answers as it should."
    case .tcp: "A port takes connections."
    case .redis: "A Redis answers PING."
    case .postgres: "A PostgreSQL takes connections."
    case .file: "Files are there, and how old they are."
    case .json: "Files are whole JSON documents."
    case .certificate: "How long a certificate is valid."
    case .backup: "The newest backup's age and size."
    case .queue: "Depth and age of a SQLite queue."
    case .container: "A container runs."
    case .unit: "A unit of systemd is active."
    case .prometheus: "Metrics in Prometheus' text formats, of what serves models or of an exporter."
    case .command: "A program of your own: its path and arguments."
    }
  }
}
