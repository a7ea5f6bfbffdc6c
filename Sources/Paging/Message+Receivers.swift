internal import FleetModel
internal import Incidents
internal import Outbound
internal import SiteConfiguration

extension Message {
  // MARK: PagerDuty

  /// Source: PagerDuty developer docs, Events API v2: summary ≤ 1024 characters, the whole event ≤ 512 KB. They name no
  /// encoding, so bytes are counted, which is the strictest measure. `source` and `component` are names; one as long as
  /// a path may be is cut.
  /// - Returns: nil for news of a list of which some incidents are open and unacknowledged: the alert of the list stays
  ///   as it is.
  func pagerDuty(_ routingKey: String) -> JSON? {
    guard let action = alertAction else { return nil }
    var fields: [(String, JSON)] = [
      ("routing_key", .text(routingKey)), ("event_action", .text(action.rawValue)), ("dedup_key", .text(dedupKey)),
      ("client", .text("Signalbox")),
    ]
    if let console { fields.append(("client_url", .text(console))) }
    if action == .trigger {
      let severity = ["critical", "error", "warning", "info"][Int(first?.severity.rawValue ?? 3)]
      fields.append(
        (
          "payload",
          .object([
            ("summary", .text(PlainText.cut(headline, bytesMax: ReceiverLimits.pagerDutySummaryBytes))),
            ("source", .text(first.flatMap { $0.hostName.isEmpty ? nil : $0.hostName } ?? "signalbox")),
            ("severity", .text(severity)), ("class", .text(first?.rule ?? "signalbox")),
            (
              "component", .text(PlainText.cut(PlainText.line(first?.entity ?? ""), bytesMax: ReceiverLimits.nameBytes))
            ),
            ("custom_details", .object([("text", .text(text(limit: 8000)))])),
          ])
        ))
      if let first {
        let links = [
          ("Incident", link(first)), ("I have it", acknowledging), ("Runbook", Self.address(runbook(first))),
        ].compactMap { name, link in link.map { JSON.object([("href", .text($0)), ("text", .text(name))]) } }
        if !links.isEmpty { fields.append(("links", .list(links))) }
      }
    }
    return .object(fields)
  }

  /// How the message changes the alert that a receiver keeps under `dedupKey`. The raw values are PagerDuty's.
  package enum AlertAction: String, Sendable { case trigger, acknowledge, resolve }

  /// nil where the alert stays as it is (`pagerDuty`).
  package var alertAction: AlertAction? {
    if let list = delivery.list {
      return list.open == 0 ? .resolve : list.unacknowledged == 0 ? .acknowledge : nil
    }
    return switch delivery.event {
    case .resolve: .resolve
    case .acknowledge: .acknowledge
    default: .trigger
    }
  }

  // MARK: Slack

  /// Source: docs.slack.dev, incoming webhooks; `&`, `<` and `>` are Slack's own, nothing else is. A section takes 3000
  /// characters.
  ///
  /// Text that a host or a file may have supplied is sent as plain text or in a code block; mrkdwn holds fixed text
  /// only, so that no host can mention people or format a message.
  var slack: JSON {
    let shown = Self.slackEscaped(headline, limit: Self.slackSectionMax)
    var sections = [Self.section("plain_text", shown)]
    if !delivery.isList, let first {
      sections.append(
        Self.section(
          "mrkdwn",
          Self.slackEscaped(
            context(limit: Self.slackSectionMax).joined(separator: "\n"), limit: Self.slackSectionMax)))
      let steps = Self.slackEscaped(
        PlainText.lines(instructions.dropFirst().joined(separator: "\n")), limit: Self.slackSectionMax)
      if !steps.isEmpty { sections.append(Self.section("plain_text", steps)) }
      let evidence = first.evidence.isEmpty ? "" : evidence(limit: Self.slackEvidenceMax)
      if !evidence.isEmpty {
        sections.append(Self.section("mrkdwn", "```\(Self.slackEscaped(evidence, limit: Self.slackSectionMax - 6))```"))
      }
    } else {
      let lines = context(limit: Self.slackSectionMax) { Self.slackEscaped($0, limit: .max).utf16.count }
      let text = Self.slackEscaped(PlainText.lines(lines.joined(separator: "\n")), limit: Self.slackSectionMax)
      if !text.isEmpty { sections.append(Self.section("plain_text", text)) }
    }
    // Right behind the headline: on a phone's screen the rest comes later.
    if let slackButton { sections.insert(slackButton, at: 1) }
    return .object([("text", .text(shown)), ("blocks", .list(sections))])
  }

  private static let slackSectionMax = 2900
  /// Escaping makes a character up to five characters, so that evidence is cut well below the limit of a section.
  private static let slackEvidenceMax = 2000

  private static func section(_ type: String, _ text: String) -> JSON {
    .object([
      ("type", .text("section")), ("text", .object([("type", .text(type)), ("text", .text(text))])),
    ])
  }

  /// Escapes and cuts a text. The limit counts escaped characters, because Slack counts those and refuses a longer
  /// message as a whole. It works by scalars: a `<` with a combining mark is another Character, but Slack still reads
  /// `<!channel>`. A backtick is replaced by a similar mark, because three would end the block; not by an apostrophe,
  /// which would end the quotes around a name in a command.
  private static func slackEscaped(_ text: String, limit: Int) -> String {
    var escaped = ""
    var count = 0
    for scalar in text.unicodeScalars {
      let piece =
        switch scalar {
        case "&": "&amp;"
        case "<": "&lt;"
        case ">": "&gt;"
        case "`": "\u{2cb}"
        default: String(scalar)
        }
      count += piece.utf16.count
      if count > limit { break }
      escaped += piece
    }
    return escaped
  }

  // MARK: Text

  /// The message as plain text for people: headline, time and address, steps, how to answer, and last the evidence,
  /// which is cut first where the text is too long.
  /// - Parameter limit: UTF-16 units.
  func text(limit: Int) -> String {
    // Log lines are untrusted: control characters that a terminal or a mail reader would obey are removed.
    let context = context(limit: limit - headline.utf16.count - 2)
    let fixed = PlainText.cut(
      PlainText.lines(([headline, ""] + (context + instructions)).joined(separator: "\n")), unitsMax: limit)
    guard !delivery.isList, let first, !first.evidence.isEmpty else { return fixed }
    let evidence = evidence(limit: limit - fixed.utf16.count - 2)
    return evidence.isEmpty ? fixed : fixed + "\n\n" + evidence
  }

  /// When it began and ended, its number and its links; of a list, its incidents.
  /// - Parameters:
  ///   - limit: of all lines, as `width` counts them; a list names fewer of its incidents where they do not fit.
  func context(limit: Int, width: (String) -> Int = { $0.utf16.count }) -> [String] {
    guard !delivery.isList, let first else { return listed(limit: limit, width) }
    // An incident paged from memory has no number yet.
    let name = first.number > 0 ? "incident \(first.number)" : "not numbered yet: the database does not answer"
    let end = delivery.event == .resolve ? first.resolvedNs.map { Timestamp.text($0, digits: 0) } : nil
    let by = first.resolvedBy.map { " by \(PlainText.line($0))" } ?? ""
    return ["Since \(Timestamp.text(first.openedNs, digits: 0)), \(name)"] + mutedBefore
      + (end.map { ["Ended \($0)\(by)"] } ?? [])
      + [link(first), acknowledging.map { "I have it: \($0)" }].compactMap { $0 }
      + (runbook(first).isEmpty ? [] : ["Runbook: \(runbook(first))"])
  }

  /// "Was muted until … by silence #7 by ann: new disks"; none for other messages.
  private var mutedBefore: [String] {
    delivery.wasMuted ? ["W" + PlainText.line(String(delivery.detail.dropFirst()))] : []
  }

  /// A longer line of a list is cut: a path may have 4 kB.
  private static let listedLineUnits = 240

  /// The incidents of a list, a line each, as many as fit, and how to see the others.
  private func listed(limit: Int, _ width: (String) -> Int) -> [String] {
    let lines = delivery.incidents.map { incident in
      let mark =
        switch incident.state {
        case .resolved where !delivery.event.isPage: "RESOLVED "
        case .acked where !delivery.event.isPage: "ACKED "
        default: ""
        }
      let text = (incident.number > 0 ? "#\(incident.number) " : "") + mark + line(incident)
      return PlainText.cut(PlainText.line(text), unitsMax: Self.listedLineUnits)
    }
    let isNumbered = delivery.incidents.contains { $0.number > 0 }
    var hint: [String] = []
    if delivery.event.isPage, !lines.isEmpty {
      hint = [
        "", isNumbered ? "See each with: signalbox incidents show N. \(Self.howToAcknowledge) N" : Self.notNumbered,
      ]
      if let acknowledging { hint += ["I have them all: \(acknowledging)"] }
    }
    func more(_ count: Int) -> String { "… and \(count) more: signalbox incidents list" }
    // With a line break each.
    func widths(_ lines: [String]) -> Int { lines.reduce(0) { $0 + width($1) + 1 } }
    let isWhole = delivery.incidentCount <= lines.count && widths(mutedBefore + lines + hint) <= limit
    var room = limit - widths(mutedBefore + hint) - (isWhole ? 0 : widths([more(delivery.incidentCount)]))
    let shown = lines.prefix { line in
      room -= width(line) + 1
      return room >= 0
    }
    let left = delivery.incidentCount - shown.count
    return mutedBefore + shown + (left > 0 ? [more(left)] : []) + hint
  }

  private static let howToAcknowledge = "Acknowledge, which stops the escalation, with: signalbox incidents ack"
  private static let notNumbered =
    "It can be acknowledged once the database answers again: signalbox incidents list shows its number"

  /// The steps in order, likely causes, and how to acknowledge.
  var instructions: [String] {
    // What has ended needs no steps, and what somebody has taken on asks nothing of others.
    guard !delivery.isList, delivery.event.isPage, let first else { return [] }
    var lines: [String] = []
    if !first.steps.isEmpty {
      lines += ["", "Steps:"] + first.steps.enumerated().map { "  \($0.offset + 1). \($0.element)" }
    }
    if !first.causes.isEmpty { lines += ["", "Often: " + first.causes.joined(separator: "; ")] }
    return lines + ["", first.number > 0 ? "\(Self.howToAcknowledge) \(first.number)" : Self.notNumbered]
  }

  /// The first lines that fit, and the number of the others.
  func evidence(limit: Int) -> String {
    guard let first else { return "" }
    var text = "Evidence:"
    let lines = first.evidence.flatMap { PlainText.lines($0).split(separator: "\n", omittingEmptySubsequences: false) }
    for (index, line) in lines.enumerated() {
      let left = lines.count - index
      let rest = "\n  … \(left) more" + (first.number > 0 ? ": signalbox incidents show \(first.number)" : " lines")
      guard text.utf16.count + line.utf16.count + 3 + rest.utf16.count <= limit else {
        if text.utf16.count + rest.utf16.count > limit { return "" }
        let room = limit - text.utf16.count - rest.utf16.count - 3
        let piece = index == 0 && room > 0 ? "\n  " + PlainText.cut(String(line), unitsMax: room) : ""
        return text + piece + rest
      }
      text += "\n  " + line
    }
    return text
  }

  // MARK: E-mail

  /// Source: RFC 5322, RFC 2047, RFC 2045; one thread an incident by stable Message-ID and References.
  func mail(_ receiver: EmailReceiver) -> MailRequest {
    // Named by the key, which an incident has before it has a number; a list has a thread of its own.
    let thread = "<\(delivery.isList ? delivery.list?.id ?? delivery.messageID : "incident-" + threadName)@signalbox>"
    let head =
      [
        "From: \(Self.headerText(receiver.from))", "To: \(Self.headerText(receiver.to.joined(separator: ", ")))",
        "Subject: \(Self.encodedWord(headline))", "Date: \(Self.mailDate(nowNs))",
        "Message-ID: <\(delivery.messageID)@signalbox>", "References: \(thread)", "Auto-Submitted: auto-generated",
      ] + (replyAddress.map { ["Reply-To: \($0)"] } ?? []) + [
        "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64",
      ]
    let hint = replyAddress == nil ? "" : "\n\nReply with ack, resolve, or note and its text, in the first line."
    // RFC 2045, 6.8: line breaks of text are CR LF before it is encoded.
    let body = Self.folded(Array((text(limit: 100_000) + hint).replacing("\n", with: "\r\n").utf8))
    var request = MailRequest(
      url: receiver.server, from: receiver.from, to: receiver.to.filter { !delivery.reached.contains($0) },
      message: Array((head.joined(separator: "\r\n") + "\r\n\r\n" + body + "\r\n").utf8))
    request.user = receiver.user
    request.password = receiver.password
    request.requiresTLS = receiver.requiresTLS
    request.authorities = receiver.authorities
    return request
  }

  private var threadName: String { String(ContentHash.of(Array(dedupKey.utf8).span), radix: 16) }

  private static func headerText(_ text: String) -> String { PlainText.line(text) }
}

/// Limits of receivers, by their documentation.
enum ReceiverLimits {
  static let pagerDutySummaryBytes = 1024
  /// Names of hosts and entities where the receiver documents no limit: the length of a file name on Linux.
  static let nameBytes = 255
  /// Texts of one incident, of each kind: services behind a webhook or an Alertmanager refuse more.
  static let textsBytes = 16 << 10
  /// The same for each incident of a list.
  static let listedTextsBytes = 1 << 10
  /// A subject of so many scalars fills three lines of encoded words, of which mail readers show one.
  static let subjectScalars = 200
}
