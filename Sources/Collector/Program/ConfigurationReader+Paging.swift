internal import Files
internal import FleetModel
internal import Paging

/// The section `paging:`.
///
/// ```yaml
/// paging:
///   receivers:
///     duty:  { webhook: { url: "https://…", secret_file: /etc/signalbox/webhook-secret } }
///     lead:  { email: { smtp: "smtp://mail:25", from: a@b, to: [c@d], user: u, password_env: SMTP_PASSWORD, tls: required } }
///     pd:    { pagerduty: { routing_key_env: PD_KEY } }
///     chat:  { slack: { url_file: /etc/signalbox/slack-url } }
///     am:    { alertmanager: { url: "http://alertmanager:9093" } }
///     hook:  { alertmanager_webhook: { url: "http://…" } }
///   schedules:
///     primary: { rotation: [duty, lead], turn: 1w, start: "2026-01-05T09:00", time_zone: Europe/Berlin }
///   policies:
///     P0: [{ to: primary }, { to: lead, after: 15m }]
///     P3: [{ to: chat, digest: true }]
///   fallback: lead
///   messages_per_minute: 5
///   digest: { at: "09:00", time_zone: Europe/Berlin, holidays: ["2026-12-25"] }
///   watchdog: { to: hook, every: 60s }
///   heartbeat: { url: "https://…", every: 60s }
///   console: "https://signalbox.example"
/// ```
extension ConfigurationReader {
  func paging(_ node: DocumentNode) throws(DocumentMistake) -> PagingConfiguration {
    let keys = [
      "receivers", "schedules", "policies", "fallback", "messages_per_minute", "digest", "watchdog", "heartbeat",
      "console",
    ]
    let sections = Dictionary(try entries(node, "paging", keys).map { ($0.key, $0.value) }) { first, _ in first }
    var paging = PagingConfiguration()
    if let node = sections["receivers"] {
      for (name, value) in try entries(node, "receivers", nil) { paging.receivers[name] = try receiver(value, name) }
    }
    if let node = sections["schedules"] {
      for (name, value) in try entries(node, "schedules", nil) {
        paging.schedules[name] = try schedule(value, name, paging)
      }
    }
    if let node = sections["policies"] {
      for (name, value) in try entries(node, "policies", Severity.allCases.map(\.word)) {
        guard let severity = Severity(word: name) else { continue }
        for step in try list(value, name) { paging.policies[severity, default: []].append(try self.step(step, paging)) }
      }
    }
    if let node = sections["fallback"] { paging.fallback = try target(node, paging, schedules: false) }
    if let node = sections["messages_per_minute"] { paging.messagesPerMinute = try count(node) }
    if let node = sections["digest"] { try digest(node, &paging) }
    if let node = sections["watchdog"] { paging.watchdog = try watchdog(node, paging) }
    if let node = sections["heartbeat"] { paging.heartbeat = try heartbeat(node) }
    if let node = sections["console"] { paging.console = try url(node, ["http", "https"]) }
    return paging
  }

  // MARK: Receivers

  private func receiver(_ node: DocumentNode, _ name: String) throws(DocumentMistake) -> Receiver {
    let kinds = ["webhook", "pagerduty", "slack", "email", "alertmanager", "alertmanager_webhook"]
    guard let (kind, value) = try entries(node, "receiver '\(name)'", kinds).first else {
      throw mistake(node, "receiver '\(name)' is empty; name one of \(kinds.joined(separator: ", "))")
    }
    switch kind {
    case "webhook":
      let fields = try Fields(self, value, "webhook", ["url", "secret", "secrets"], secrets: ["url", "secret"])
      var secrets: [String] = []
      if let secret = try fields.text("secret") { secrets.append(secret) }
      if let more = fields.values["secrets"] {
        for item in try list(more, "secrets") { secrets.append(try text(item, "a secret")) }
      }
      return .webhook(url: try fields.url("url", ["http", "https"]), secrets: secrets)
    case "pagerduty":
      let fields = try Fields(self, value, "pagerduty", ["routing_key", "url"], secrets: ["routing_key"])
      let address =
        fields.values["url"] == nil
        ? "https://events.pagerduty.com/v2/enqueue" : try fields.url("url", ["http", "https"])
      return .pagerDuty(url: address, routingKey: try fields.required("routing_key"))
    case "slack":
      let fields = try Fields(self, value, "slack", ["url"], secrets: ["url"])
      return .slack(url: try fields.url("url", ["http", "https"]))
    case "email": return .email(try email(value))
    default:
      let fields = try Fields(self, value, kind, ["url"], secrets: ["url"])
      let address = try fields.url("url", ["http", "https"])
      return kind == "alertmanager" ? .alertmanager(url: address) : .alertmanagerWebhook(url: address)
    }
  }

  private func email(_ node: DocumentNode) throws(DocumentMistake) -> EmailReceiver {
    let fields = try Fields(
      self, node, "email", ["smtp", "from", "to", "user", "password", "tls"], secrets: ["password"])
    guard let toNode = fields.values["to"] else { throw mistake(node, "email needs 'to'") }
    var to: [String] = []
    if toNode.list != nil {
      for item in try list(toNode, "to") { to.append(try address(item)) }
    } else {
      to = [try address(toNode)]
    }
    guard let fromNode = fields.values["from"] else { throw mistake(node, "email needs 'from'") }
    var receiver = EmailReceiver(
      server: try fields.url("smtp", ["smtp", "smtps"]), from: try address(fromNode), to: to)
    receiver.user = try fields.text("user")
    receiver.password = try fields.text("password")
    if let tls = fields.values["tls"] {
      let word = try text(tls, "tls")
      guard ["required", "optional"].contains(word) else { throw mistake(tls, "tls is 'required' or 'optional'") }
      receiver.requiresTLS = word == "required"
    } else {
      // A password never goes over an open line unless somebody says so.
      receiver.requiresTLS = receiver.password != nil
    }
    return receiver
  }

  private func address(_ node: DocumentNode) throws(DocumentMistake) -> String {
    let word = try text(node, "an address")
    let isAddress =
      word.contains("@") && word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x3c && $0 != 0x3e && $0 != 0x2c }
    guard isAddress else { throw mistake(node, "'\(word)' is no mail address, such as duty@example.org") }
    return word
  }

  func url(_ node: DocumentNode, _ schemes: [String]) throws(DocumentMistake) -> String {
    let word = try text(node, "a URL")
    try checkURL(word, schemes, node)
    return word
  }

  fileprivate func checkURL(_ word: String, _ schemes: [String], _ node: DocumentNode) throws(DocumentMistake) {
    let isURL =
      schemes.contains { word.hasPrefix("\($0)://") && word.utf8.count > $0.utf8.count + 3 }
      && word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    // Its text may be a secret, so it is not repeated.
    guard isURL else {
      throw mistake(node, "this is no URL that begins with \(schemes.map { "\($0)://" }.joined(separator: " or "))")
    }
  }

  // MARK: Policies

  private func step(_ node: DocumentNode, _ paging: PagingConfiguration) throws(DocumentMistake)
    -> PagingConfiguration.Step
  {
    var step = PagingConfiguration.Step(to: "")
    for (key, value) in try entries(node, "a step", ["to", "after", "digest"]) {
      switch key {
      case "to": step.to = try target(value, paging, schedules: true)
      case "after": step.afterNs = try span(value, "after")
      default: step.isDigest = try text(value, "digest") == "true"
      }
    }
    guard !step.to.isEmpty else { throw mistake(node, "a step needs 'to'") }
    return step
  }

  private func target(
    _ node: DocumentNode, _ paging: PagingConfiguration, schedules: Bool
  ) throws(DocumentMistake) -> String {
    let name = try text(node, "to")
    let known = paging.receivers.keys.sorted() + (schedules ? paging.schedules.keys.sorted() : [])
    guard known.contains(name) else {
      let hint =
        Nearest.name(to: name, among: known).map { "did you mean '\($0)'?" }
        ?? "there are: \(known.joined(separator: ", "))"
      throw mistake(node, "no receiver\(schedules ? " or schedule" : "") is called '\(name)'; \(hint)")
    }
    return name
  }

  private func schedule(
    _ node: DocumentNode, _ name: String, _ paging: PagingConfiguration
  ) throws(DocumentMistake) -> Schedule {
    var rotation: [String] = []
    var turn: Int64 = 7 * 86_400
    // A Monday, nine o'clock.
    var start: Int64 = 1_767_603_600
    var zone = TimeZoneRules.utc
    for (key, value) in try entries(node, "schedule '\(name)'", ["rotation", "turn", "start", "time_zone"]) {
      switch key {
      case "rotation":
        for item in try list(value, "rotation") { rotation.append(try target(item, paging, schedules: false)) }
      case "turn":
        turn = try span(value, "turn") / 1_000_000_000
        guard turn >= 3600 else { throw mistake(value, "a turn takes at least 1h") }
      case "start":
        let word = try text(value, "start")
        guard let ns = Timestamp.parse(word), !word.hasSuffix("Z") else {
          throw mistake(value, "'\(word)' is no local time, such as 2026-01-05T09:00")
        }
        start = ns / 1_000_000_000
      default: zone = try timeZone(value)
      }
    }
    guard !rotation.isEmpty else { throw mistake(node, "schedule '\(name)' needs a rotation: [receiver, …]") }
    return Schedule(rotation: rotation, turnSeconds: turn, startLocalSeconds: start, zone: zone)
  }

  func timeZone(_ node: DocumentNode) throws(DocumentMistake) -> TimeZoneRules {
    let name = try text(node, "time_zone")
    guard let zone = TimeZoneRules(named: name) else {
      throw mistake(node, "this machine knows no time zone '\(name)'; write one such as Europe/Berlin")
    }
    return zone
  }

  private func digest(_ node: DocumentNode, _ paging: inout PagingConfiguration) throws(DocumentMistake) {
    for (key, value) in try entries(node, "digest", ["at", "time_zone", "holidays"]) {
      if key == "time_zone" {
        paging.digestZone = try timeZone(value)
      } else if key == "holidays" {
        for item in try list(value, "holidays") {
          let word = try text(item, "a holiday")
          guard let day = LocalTime.day(word) else { throw mistake(item, "'\(word)' is no day, such as 2026-12-25") }
          paging.holidays.insert(day)
        }
      } else {
        let word = try text(value, "at")
        guard let ns = Timestamp.parse("1970-01-01T\(word)"), word.utf8.count == 5 else {
          throw mistake(value, "'\(word)' is no time of day, such as 09:00")
        }
        paging.digestSecond = ns / 1_000_000_000
      }
    }
  }

  private func watchdog(
    _ node: DocumentNode, _ paging: PagingConfiguration
  ) throws(DocumentMistake) -> PagingConfiguration.Watchdog {
    var watchdog = PagingConfiguration.Watchdog(to: "", everyNs: 60_000_000_000)
    for (key, value) in try entries(node, "watchdog", ["to", "every"]) {
      if key == "to" {
        watchdog.to = try target(value, paging, schedules: true)
      } else {
        watchdog.everyNs = try span(value, "every")
      }
    }
    guard !watchdog.to.isEmpty else { throw mistake(node, "watchdog needs 'to'") }
    return watchdog
  }

  private func heartbeat(_ node: DocumentNode) throws(DocumentMistake) -> PagingConfiguration.Heartbeat {
    var heartbeat = PagingConfiguration.Heartbeat(url: "", everyNs: 60_000_000_000)
    for (key, value) in try entries(node, "heartbeat", ["url", "every"]) {
      if key == "url" {
        heartbeat.url = try url(value, ["http", "https"])
      } else {
        heartbeat.everyNs = try span(value, "every")
      }
    }
    guard !heartbeat.url.isEmpty else { throw mistake(node, "heartbeat needs 'url'") }
    return heartbeat
  }

  private func span(_ node: DocumentNode, _ what: String) throws(DocumentMistake) -> Int64 {
    let word = try text(node, what)
    if word == "0s" || word == "0" { return 0 }
    guard let ns = TimeSpan.parse(word), ns <= 366 * 86_400_000_000_000 else {
      throw mistake(node, "'\(word)' is no length of time for \(what); write one such as 15m")
    }
    return ns
  }

  private func count(_ node: DocumentNode) throws(DocumentMistake) -> Int {
    let word = try text(node, "messages_per_minute")
    guard let number = Int(word), (1...1_000_000).contains(number) else {
      throw mistake(node, "'\(word)' is no number of messages from 1 to 1000000")
    }
    return number
  }
}

/// The values of a mapping, where some may come from a file (`NAME_file`) or from the environment (`NAME_env`).
private struct Fields {
  let reader: ConfigurationReader
  let node: DocumentNode
  let what: String
  let values: [String: DocumentNode]

  init(
    _ reader: ConfigurationReader, _ node: DocumentNode, _ what: String, _ known: [String], secrets: [String]
  ) throws(DocumentMistake) {
    let keys = known + secrets.flatMap { ["\($0)_file", "\($0)_env"] }
    self.reader = reader
    self.node = node
    self.what = what
    values = Dictionary(try reader.entries(node, what, keys).map { ($0.key, $0.value) }) { first, _ in first }
  }

  func text(_ key: String) throws(DocumentMistake) -> String? {
    if let node = values[key] { return try reader.text(node, key) }
    if let node = values["\(key)_env"] {
      let name = try reader.text(node, "\(key)_env")
      // An env file with CR LF leaves the CR in the variable.
      let value = ValueFile.firstLine(Array((Process.environment(name) ?? "").utf8))
      if value.isEmpty { throw reader.mistake(node, "the environment has no \(name)") }
      return value
    }
    guard let node = values["\(key)_file"] else { return nil }
    let path = try reader.text(node, "\(key)_file")
    do {
      let line = ValueFile.firstLine(try HostFiles.read(path, limitBytes: 64 << 10))
      guard !line.isEmpty else { throw reader.mistake(node, "the first line of \(path) is empty") }
      return line
    } catch let error as DocumentMistake {
      throw error
    } catch {
      throw reader.mistake(node, "\(error)")
    }
  }

  func required(_ key: String) throws(DocumentMistake) -> String {
    guard let value = try text(key) else { throw reader.mistake(node, "\(what) needs '\(key)'") }
    return value
  }

  func url(_ key: String, _ schemes: [String]) throws(DocumentMistake) -> String {
    let value = try required(key)
    try reader.checkURL(value, schemes, values[key] ?? node)
    return value
  }
}
