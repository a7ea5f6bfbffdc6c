internal import EventLoop
internal import Files
internal import FleetModel
internal import Store

/// The section `paging:`.
///
/// ```yaml
/// paging:
///   receivers:
///     duty:  { webhook: { url: "https://…", secret_file: /etc/signalbox/webhook-secret } }
///     lead:  { email: { smtp: "smtp://mail:25", from: a@b, to: [c@d], user: u, password_env: SMTP_PASSWORD, tls: required, ca: mail-ca.pem } }
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
///   reply_to: signalbox@example.org
/// ```
extension ConfigurationReader {
  mutating func paging(_ node: DocumentNode) -> PagingConfiguration {
    let fields = fields(node, PagingKeys.paging)
    var paging = PagingConfiguration()
    // Known also where they have mistakes of their own: what names one of them has none.
    let receivers = named(fields, "receivers")
    let schedules = named(fields, "schedules")
    let names = PagingNames(receivers: receivers.map(\.name), schedules: schedules.map(\.name))
    for (name, value) in receivers { paging.receivers[name] = receiver(value, name, &paging.eventSecrets) }
    for (name, value) in schedules {
      if names.receivers.contains(name) {
        mistake(value, "'\(name)' is a receiver as well; give the schedule a name of its own")
      }
      paging.schedules[name] = schedule(value, names)
    }
    if let value = fields["policies"] { paging.policies = policies(value, names) }
    noteUnpaged(paging.policies, fields["policies"] ?? node)
    if let value = fields["fallback"] {
      paging.fallback = target(value, "fallback", names.receivers)
      noteFallbackAlone(paging, value)
    }
    paging.messagesPerMinute = integer(fields, "messages_per_minute").map(Int.init) ?? paging.messagesPerMinute
    if let value = fields["digest"] { digest(value, &paging) }
    if let value = fields["watchdog"] {
      let fields = self.fields(value, PagingKeys.watchdog)
      paging.watchdog = PagingConfiguration.Watchdog(
        to: fields["to"].map { target($0, "to", names.all) } ?? "",
        everyNs: duration(fields, "every") ?? Self.everyDefaultNs)
    }
    if let value = fields["heartbeat"] {
      let fields = self.fields(value, PagingKeys.heartbeat)
      paging.heartbeat = PagingConfiguration.Heartbeat(
        url: url(fields, "url", Self.web), everyNs: duration(fields, "every") ?? Self.everyDefaultNs)
    }
    if let value = fields["reply_to"] { paging.replyTo = replyAddress(value) }
    if fields["console"] != nil { paging.console = url(fields, "console", Self.web) }
    return paging
  }

  private static let everyDefaultNs: Int64 = 60_000_000_000
  private static let web = ["http", "https"]

  // MARK: Receivers

  /// - Parameter events: with what receivers sign their events; one is added where there is one.
  private mutating func receiver(
    _ node: DocumentNode, _ name: String, _ events: inout [ReceiverSecret]
  ) -> Receiver? {
    let fields = fields(node, PagingKeys.receiver)
    guard let kind = PagingKeys.receiverKinds.first(where: { fields[$0.name] != nil }), let value = fields[kind.name]
    else { return nil }
    let inner = self.fields(value, kind.table)
    switch kind.name {
    case "webhook":
      var secrets = secret(inner, "secret").map { [$0] } ?? []
      if let one = secrets.first { checkKey(one, place(of: "secret", inner)) }
      if let more = inner["secrets"] {
        let all = texts(more, "secrets")
        for one in all { checkKey(one, more) }
        secrets += all
      }
      return .webhook(url: url(inner, "url", Self.web), secrets: secrets)
    case "pagerduty":
      if let secret = secret(inner, "webhook_secret") { events.append(.init(name, .pagerDuty, secret)) }
      return .pagerDuty(
        url: inner["url"] == nil ? "https://events.pagerduty.com/v2/enqueue" : url(inner, "url", Self.web),
        routingKey: secret(inner, "routing_key") ?? "")
    case "slack":
      if let secret = secret(inner, "signing_secret") { events.append(.init(name, .slack, secret)) }
      if let token = secret(inner, "app_token") {
        checkAppToken(token, place(of: "app_token", inner))
        events.append(.init(name, .slackApp, token))
      }
      return .slack(url: url(inner, "url", Self.web))
    case "email": return .email(email(inner))
    case "alertmanager": return .alertmanager(url: url(inner, "url", Self.web))
    default: return .alertmanagerWebhook(url: url(inner, "url", Self.web))
    }
  }

  /// A key that is no Base64 would sign with other bytes than the receiver checks with. Its text is a secret, so it is
  /// not repeated.
  private mutating func checkKey(_ secret: String, _ node: DocumentNode) {
    if Receiver.signingKey(secret) == nil {
      mistake(
        node,
        "a secret that begins with whsec_ goes on with the key in Base64, padded with =; copy the whole of it, or write a key that does not begin so"
      )
    }
  }

  /// Its text is a secret, so it is not repeated.
  private mutating func checkAppToken(_ token: String, _ node: DocumentNode) {
    if secrets != .none, !token.hasPrefix("xapp-") || !token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) {
      mistake(node, "an app-level token begins with xapp-; the app's page at Slack has it under Basic Information")
    }
  }

  private mutating func email(_ fields: DocumentFields) -> EmailReceiver {
    var to: [String] = []
    if let node = fields["to"] {
      let items = node.list == nil ? [node] : list(node, "to")
      if items.isEmpty { mistake(node, "to names nobody; write such as [duty@example.org]") }
      to = items.map { address($0, "to") }
    }
    var receiver = EmailReceiver(
      server: url(fields, "smtp", ["smtp", "smtps"]), from: fields["from"].map { address($0, "from") } ?? "", to: to)
    receiver.user = text(fields, "user")
    receiver.password = secret(fields, "password")
    if receiver.password != nil, fields["user"] == nil {
      mistake(fields.node, "email has a password and no 'user', who logs in with it; write such as user: signalbox")
    }
    receiver.authorities = authorities(fields)
    // A password is sent over an unencrypted connection only where `tls` allows it.
    receiver.requiresTLS =
      word(fields, "tls").map { $0 == "required" } ?? (receiver.password != nil || receiver.authorities != nil)
    return receiver
  }

  /// The path of `ca`, relative to this file.
  private mutating func authorities(_ fields: DocumentFields) -> String? {
    guard let node = fields["ca"], let word = text(fields, "ca"), !word.isEmpty else { return nil }
    let path = word.hasPrefix("/") ? word : HostFiles.directory(of: self.file) + "/" + word
    if secrets == .none { return path }
    do throws(FileError) {
      let bytes = try HostFiles.read(path, limitBytes: 4 << 20)
      if !String(decoding: bytes, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----") {
        mistake(node, "\(path) holds no certificate in PEM")
      }
    } catch {
      mistake(node, "\(error)")
    }
    return path
  }

  private mutating func address(_ node: DocumentNode, _ what: String) -> String {
    let word = text(node, what)
    let isAddress =
      word.contains("@") && word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x3c && $0 != 0x3e && $0 != 0x2c }
    if !isAddress, !word.isEmpty { mistake(node, "'\(word)' is no mail address, such as duty@example.org") }
    return word
  }

  /// The token and a + have 49 of the 64 bytes that may stand before the @ (RFC 5321, 4.5.3.1.1).
  private static let replyNameBytes = 15

  private mutating func replyAddress(_ node: DocumentNode) -> String? {
    let word = address(node, "reply_to")
    let name = word.prefix { $0 != "@" }
    if word.isEmpty { return nil }
    if name.isEmpty || name.utf8.count > Self.replyNameBytes || name.contains("+") {
      mistake(
        node,
        "reply_to takes an address with 1 to \(Self.replyNameBytes) characters before the @ and no +, such as signalbox@example.org"
      )
    }
    return word
  }

  private mutating func url(_ fields: DocumentFields, _ key: String, _ schemes: [String]) -> String {
    guard let word = secret(fields, key) else { return "" }
    let isURL =
      schemes.contains { word.hasPrefix("\($0)://") && word.utf8.count > $0.utf8.count + 3 }
      && word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    // Its text may be a secret, so it is not repeated.
    if !isURL {
      mistake(
        place(of: key, fields),
        "this is no URL that begins with \(schemes.map { "\($0)://" }.joined(separator: " or "))"
      )
    } else if !ProbeSetting.isAuthority(Self.authority(word)) {
      mistake(
        place(of: key, fields),
        "this URL names no host and port that there can be; write such as \(schemes[0])://host.example.org:2525, with a port from 1 to 65535 or without one"
      )
    }
    return word
  }

  /// Host and port of a URL, without the user before them.
  private static func authority(_ url: String) -> Substring {
    let rest = url[(url.firstRange(of: "://")?.upperBound ?? url.startIndex)...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    return authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
  }

  /// Where a value that may come from a file or a variable is named.
  private func place(of key: String, _ fields: DocumentFields) -> DocumentNode {
    fields[key] ?? fields["\(key)_file"] ?? fields["\(key)_env"] ?? fields.node
  }

  /// A value that may come from a file (`NAME_file`) or from the environment (`NAME_env`).
  ///
  /// - Returns: nil where none is named, or it has a mistake.
  private mutating func secret(_ fields: DocumentFields, _ key: String) -> String? {
    if let value = text(fields, key) { return value }
    // What the value would be is not known; a URL is what every use of it takes.
    let standIn = "https://not-read.invalid"
    if let node = fields["\(key)_env"], let name = text(fields, "\(key)_env") {
      if secrets == .none { return standIn }
      // An env file with CR LF leaves the CR in the variable.
      let value = ValueFile.firstLine(Array((Process.environment(name) ?? "").utf8))
      if value.isEmpty { mistake(node, "the environment has no \(name)") }
      return value.isEmpty ? nil : value
    }
    guard let node = fields["\(key)_file"], let path = text(fields, "\(key)_file") else { return nil }
    if secrets == .none { return standIn }
    do throws(FileError) {
      let line = ValueFile.firstLine(try HostFiles.read(path, limitBytes: 64 << 10))
      if line.isEmpty { mistake(node, "the first line of \(path) is empty") }
      return line.isEmpty ? nil : line
    } catch {
      mistake(node, "\(error)")
      return nil
    }
  }

  // MARK: Policies

  private mutating func policies(
    _ node: DocumentNode, _ names: PagingNames
  ) -> [Severity: [PagingConfiguration.Step]] {
    let fields = fields(node, PagingKeys.policies)
    var policies: [Severity: [PagingConfiguration.Step]] = [:]
    for severity in Severity.allCases {
      guard let steps = list(fields, severity.word), !steps.isEmpty else { continue }
      policies[severity] = steps.map { step($0, names) }
    }
    return policies
  }

  private mutating func noteUnpaged(_ policies: [Severity: [PagingConfiguration.Step]], _ node: DocumentNode) {
    for severity in [Severity.p0, .p1] where policies[severity] == nil {
      unpaged.append(
        DocumentMistake(
          file: file, line: node.line, column: node.column, path: node.path,
          message:
            "\(severity.word) has no policy: such incidents page nobody; write such as \(severity.word): [{ to: duty }]",
          weight: severity == .p0 ? .warning : .note))
    }
  }

  /// A fallback helps where others fail: a policy that leads to it alone pages no one where it fails itself.
  private mutating func noteFallbackAlone(_ paging: PagingConfiguration, _ node: DocumentNode) {
    for severity in [Severity.p0, .p1] {
      let reached = (paging.policies[severity] ?? []).flatMap { paging.schedules[$0.to]?.rotation ?? [$0.to] }
      guard let fallback = paging.fallback, !reached.isEmpty, reached.allSatisfy({ $0 == fallback }) else { continue }
      unpaged.append(
        DocumentMistake(
          file: file, line: node.line, column: node.column, path: node.path,
          message:
            "\(severity.word) pages '\(fallback)' alone, which is the fallback too: where it fails, nobody is paged; name another receiver here or in \(severity.word)",
          weight: .warning))
    }
  }

  private mutating func step(_ node: DocumentNode, _ names: PagingNames) -> PagingConfiguration.Step {
    let fields = fields(node, PagingKeys.step)
    let step = PagingConfiguration.Step(
      to: fields["to"].map { target($0, "to", names.all) } ?? "", afterNs: duration(fields, "after") ?? 0,
      isDigest: flag(fields, "digest") ?? false)
    if step.isDigest, let after = fields["after"] {
      mistake(after, "a step with digest: true waits for the next digest; remove after")
    }
    return step
  }

  private mutating func target(_ node: DocumentNode, _ what: String, _ known: [String]) -> String {
    let name = text(node, what)
    if !name.isEmpty, !known.contains(name) {
      let all = known.sorted()
      let hint = Self.hint(
        name, among: all, otherwise: all.isEmpty ? "there is none yet" : "there are: \(all.joined(separator: ", "))")
      mistake(node, "no receiver\(what == "to" ? " or schedule" : "") is called '\(name)'; \(hint)")
    }
    return name
  }

  private mutating func schedule(_ node: DocumentNode, _ names: PagingNames) -> Schedule? {
    let fields = fields(node, PagingKeys.schedule)
    let rotation = (list(fields, "rotation") ?? []).map { target($0, "rotation", names.receivers) }
    if rotation.isEmpty, let node = fields["rotation"] {
      mistake(node, "rotation names nobody; write such as [duty, lead]")
    }
    // A Monday, nine o'clock.
    var start: Int64 = 1_767_603_600
    if let node = fields["start"], let word = text(fields, "start") {
      // A zone of its own would move the hand-over by it: `time_zone` says whose clocks are meant.
      let hasZone = word.dropFirst("2026-01-05".count).contains { "Zz+-".contains($0) }
      if word.utf8.count <= "2026-01-05T09:00:00".utf8.count, !hasZone, let ns = Timestamp.parse(word) {
        start = ns / 1_000_000_000
      } else {
        mistake(node, "'\(word)' is no local time, such as 2026-01-05T09:00")
      }
    }
    let zone = fields["time_zone"].map { timeZone($0, "time_zone") } ?? .utc
    let turn = (duration(fields, "turn") ?? 7 * 86_400_000_000_000) / 1_000_000_000
    return rotation.isEmpty
      ? nil : Schedule(rotation: rotation, turnSeconds: turn, startLocalSeconds: start, zone: zone)
  }

  mutating func timeZone(_ node: DocumentNode, _ what: String) -> TimeZoneRules {
    let name = text(node, what)
    if name.isEmpty { return .utc }
    if let zone = TimeZoneRules(named: name) { return zone }
    mistake(node, "this machine knows no time zone '\(name)'; write one such as Europe/Berlin")
    return .utc
  }

  private mutating func digest(_ node: DocumentNode, _ paging: inout PagingConfiguration) {
    let fields = fields(node, PagingKeys.digest)
    if let zone = fields["time_zone"] { paging.digestZone = timeZone(zone, "time_zone") }
    for item in list(fields, "holidays") ?? [] {
      let word = text(item, "an entry of holidays")
      if let day = LocalTime.day(word) {
        paging.holidays.insert(day)
      } else if !word.isEmpty {
        mistake(item, "'\(word)' is no day, such as 2026-12-25")
      }
    }
    guard let at = fields["at"], let word = text(fields, "at") else { return }
    if let ns = Timestamp.parse("1970-01-01T\(word)"), word.utf8.count == 5 {
      paging.digestSecond = ns / 1_000_000_000
    } else {
      mistake(at, "'\(word)' is no time of day, such as 09:00")
    }
  }
}

/// What steps and rotations may name.
private struct PagingNames {
  let receivers: [String]
  let schedules: [String]

  var all: [String] { receivers + schedules }
}
