internal import FleetModel
internal import Outbound
internal import SiteConfiguration
internal import Store

extension Message {
  // MARK: PagerDuty

  /// Source: PagerDuty developer docs, Events API v2: summary ≤ 1024 characters, the whole event ≤ 512 KB. They do not say of
  /// which encoding, so bytes are counted: no other measure gives more. `source` and `component` are names; one as long as a path may be is
  /// cut.
  func pagerDuty(_ routingKey: String) -> JSON {
    let action =
      switch delivery.event {
      case .resolve: "resolve"
      case .acknowledge: "acknowledge"
      default: "trigger"
      }
    var fields: [(String, JSON)] = [
      ("routing_key", .text(routingKey)), ("event_action", .text(action)), ("dedup_key", .text(dedupKey)),
      ("client", .text("Signalbox")),
    ]
    if let console { fields.append(("client_url", .text(console))) }
    if action == "trigger" {
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
      if let first, let link = link(first) {
        fields.append(("links", .list([.object([("href", .text(link)), ("text", .text("Incident"))])])))
      }
    }
    return .object(fields)
  }

  // MARK: Slack

  /// Source: docs.slack.dev, incoming webhooks; `&`, `<` and `>` are Slack's own, nothing else is. A section takes 3000
  /// characters.
  var slack: JSON {
    let shown = Self.slackEscaped(headline, limit: 2900)
    let body = Self.slackEscaped(text(limit: 2900), limit: 2900)
    return .object([
      ("text", .text(shown)),
      (
        "blocks",
        .list([
          .object([
            ("type", .text("section")), ("text", .object([("type", .text("plain_text")), ("text", .text(shown))])),
          ]),
          .object([
            ("type", .text("section")),
            ("text", .object([("type", .text("mrkdwn")), ("text", .text("```\(body)```"))])),
          ]),
        ])
      ),
    ])
  }

  /// Cut where Slack would refuse the whole message: its limit counts what is sent, not what is shown. Scalar by scalar: a `<` with a
  /// combining mark is another Character, and `<!channel>` to Slack all the same. A backtick becomes a mark that looks like one: three
  /// end the block, and an apostrophe would end the quotes of a name in a command.
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

  /// What a person reads: what, since when, the lines, the steps.
  /// - Parameter limit: UTF-16 units.
  func text(limit: Int) -> String {
    var lines = [headline, ""]
    if !delivery.isList, let first {
      // Paged from a collector's memory: it has no number yet.
      let name = first.number > 0 ? "incident \(first.number)" : "not numbered yet: the database does not answer"
      lines += ["Since \(Timestamp.text(first.openedNs, digits: 0)), \(name)"]
      if let link = link(first) { lines.append(link) }
      if !first.evidence.isEmpty { lines += ["", "Evidence:"] + first.evidence.map { "  \($0)" } }
      if !first.steps.isEmpty {
        lines += ["", "Steps:"] + first.steps.enumerated().map { "  \($0.offset + 1). \($0.element)" }
      }
      if first.number > 0 { lines += ["", "Answer with: signalbox incidents ack \(first.number)"] }
    } else {
      lines += delivery.incidents.map(line)
      let more = delivery.incidentCount - delivery.incidents.count
      if more > 0 { lines.append("… and \(more) more: signalbox incidents list") }
    }
    // Log lines are hostile: what a terminal or a mail reader obeys is not sent.
    return PlainText.cut(PlainText.lines(lines.joined(separator: "\n")), unitsMax: limit)
  }

  // MARK: E-mail

  /// Source: RFC 5322, RFC 2047, RFC 2045; one thread an incident by stable Message-ID and References.
  func mail(_ receiver: EmailReceiver) -> MailRequest {
    let thread = "<incident-\(first.map { String($0.number) } ?? delivery.messageID)@signalbox>"
    let head = [
      "From: \(Self.headerText(receiver.from))", "To: \(Self.headerText(receiver.to.joined(separator: ", ")))",
      "Subject: \(Self.encodedWord(headline))", "Date: \(Self.mailDate(nowNs))",
      "Message-ID: <\(delivery.messageID)@signalbox>", "References: \(thread)", "Auto-Submitted: auto-generated",
      "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64",
    ]
    // RFC 2045, 6.8: line breaks of text are CR LF before it is encoded.
    let body = Self.folded(Array(text(limit: 100_000).replacing("\n", with: "\r\n").utf8))
    var request = MailRequest(
      url: receiver.server, from: receiver.from, to: receiver.to,
      message: Array((head.joined(separator: "\r\n") + "\r\n\r\n" + body + "\r\n").utf8))
    request.user = receiver.user
    request.password = receiver.password
    request.requiresTLS = receiver.requiresTLS
    return request
  }

  private static func headerText(_ text: String) -> String { PlainText.line(text) }
}

/// What receivers take, by their own documentation.
enum ReceiverLimits {
  static let pagerDutySummaryBytes = 1024
  /// Names of hosts and entities where the receiver documents no limit: as a file system has it for one name.
  static let nameBytes = 255
  /// Texts of one incident, each kind: more is refused by those that a webhook or an Alertmanager passes them on to.
  static let textsBytes = 16 << 10
  /// The same in a list of a hundred.
  static let listedTextsBytes = 1 << 10
  /// A subject of so many scalars fills three lines of encoded words; readers show one.
  static let subjectScalars = 200
}
