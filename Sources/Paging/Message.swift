internal import FleetModel
package import Outbound
package import Incidents
package import SiteConfiguration
internal import Store
internal import TLS

/// Turns a delivery into the request that its receiver understands. Pure.
package struct Message: Sendable {
  package var delivery: Delivery
  /// ns since 1970, of this attempt.
  package var nowNs: Int64
  /// Base address of the console, for links; nil for none.
  package var console: String?
  /// Of what its receiver acknowledges with; nil where no console answers.
  package var links: PageLinks?

  package init(_ delivery: Delivery, nowNs: Int64, console: String? = nil, links: PageLinks? = nil) {
    self.delivery = delivery
    self.nowNs = nowNs
    self.console = console ?? links?.console
    self.links = links
  }

  /// - Returns: nil where no request is needed: PagerDuty keeps one alert for a list, which stays as it is until all
  ///   incidents of the list have ended or are acknowledged.
  package func request(to receiver: Receiver) -> OutboundRequest? {
    switch receiver {
    case .webhook(let url, let secrets): .http(webhook(url, secrets))
    case .pagerDuty(let url, let routingKey): pagerDuty(routingKey).map { .http(Self.post(url, $0)) }
    case .slack(let url): .http(Self.post(url, slack))
    case .email(let receiver): .mail(mail(receiver))
    case .alertmanagerWebhook(let url): .http(Self.post(url, alertmanagerWebhook))
    case .alertmanager(let url):
      .http(Self.post(Self.alertmanagerAddress(url, "alerts"), alerts))
    }
  }

  /// - Parameter base: of an Alertmanager, as it is configured.
  static func alertmanagerAddress(_ base: String, _ what: String) -> String {
    (base.hasSuffix("/") ? String(base.dropLast()) : base) + "/api/v2/" + what
  }

  static func post(_ url: String, _ body: JSON) -> HTTPRequest {
    HTTPRequest(url: url, headers: ["Content-Type: application/json"], body: Array(body.written.utf8))
  }

  var first: IncidentRecord? { delivery.incidents.first }

  /// One sentence on one line, without control characters, which a log line or a name in it could hold and a terminal,
  /// a phone or a mail header would obey.
  var headline: String { PlainText.line(sentence) }

  private var sentence: String {
    switch delivery.event {
    case .test: return "Test page from Signalbox: \(delivery.detail)"
    case .watchdog: return "Signalbox watchdog: paging works"
    case .resolve where delivery.incidents.isEmpty: return "Test page from Signalbox: over"
    default: break
    }
    guard let first else { return "Signalbox" }
    if delivery.isList { return listSentence(first) }
    let start =
      switch delivery.event {
      case .resolve: "RESOLVED "
      case .acknowledge: "ACKED by \(first.ackedBy ?? "somebody") "
      case .escalate: "ESCALATED "
      default: first.state == .resolved ? "(over by now) " : pageMark
      }
    return start + line(first)
  }

  /// Why a page is sent that is no escalation.
  private var pageMark: String {
    delivery.wasMuted ? "UNMUTED " : delivery.detail == Delivery.flapping ? "FLAPPING " : ""
  }

  /// The headline of a list: its incidents, and the list that paged them where it is news.
  private func listSentence(_ first: IncidentRecord) -> String {
    let count = delivery.incidentCount
    let incidents = count == 1 ? "1 incident" : "\(count) incidents"
    if delivery.event.isPage {
      return (delivery.event == .escalate ? "ESCALATED " : pageMark) + "\(incidents), the first: \(line(first))"
    }
    let ended = delivery.incidents.count { $0.state == .resolved }
    let isAllOver = ended == delivery.incidents.count
    // Of more than are named, it is not known how many have ended.
    let parts = count == delivery.incidents.count ? "RESOLVED \(ended), ACKED \(count - ended)" : "RESOLVED or ACKED"
    let verb = delivery.event == .acknowledge || ended == 0 ? "ACKED" : parts
    let rest = delivery.list.map { list in
      list.open == 0
        ? ", the whole list has ended"
        : ", \(list.open) of the list go on" + (list.unacknowledged == 0 ? ", all acknowledged" : "")
    }
    return "\(isAllOver ? "RESOLVED" : verb): \(incidents)\(rest ?? ""), the first: \(line(first))"
  }

  func line(_ incident: IncidentRecord) -> String {
    let what = incident.summary.isEmpty ? incident.title : incident.summary
    // A lock screen shows the beginning alone: what the summary names, as rules end it, is not named before it. A name may
    // hold a line break, and would look like a line of its own in a list.
    func isNamed(_ words: String) -> Bool {
      what.hasSuffix(words) || what.contains(words + " (") || what.contains(words + ": ")
    }
    let host = isNamed(" on \(incident.hostName)") ? "" : incident.hostName
    let entity = isNamed(": \(incident.entity)") ? "" : incident.entity
    let names = [host, entity].filter { !$0.isEmpty }
    let subject = names.map(PlainText.line).joined(separator: " ")
    return "[\(incident.severity.word)] \(incident.rule)\(subject.isEmpty ? "" : " \(subject)"): \(what)"
  }

  /// The key under which a receiver keeps the alert.
  package var dedupKey: String {
    if delivery.isList {
      let list = delivery.list?.id ?? delivery.messageID
      // The alert was paged from memory under its own key, and the rows of the incident have another one.
      return PageID.isOne(list) ? Store.listKeyPrefix + list : list
    }
    // The end of a test has the test's key.
    let event = delivery.event == .resolve ? Delivery.Event.test : delivery.event
    return first?.dedupKey ?? "signalbox|\(event.rawValue)|\(delivery.receiver)"
  }

  /// Texts of an incident without control characters, cut to the number and length that all receivers accept.
  func bounded(_ texts: [String]) -> [String] {
    var left = delivery.isList ? ReceiverLimits.listedTextsBytes : ReceiverLimits.textsBytes
    var shown: [String] = []
    for text in texts where left > 0 {
      shown.append(PlainText.cut(PlainText.lines(text), bytesMax: left))
      left -= shown.last?.utf8.count ?? 0
    }
    return shown
  }

  /// The address of the runbook, or without a console the name of the file that comes with Signalbox; "" for a rule
  /// without one.
  func runbook(_ incident: IncidentRecord) -> String {
    let named = PlainText.line(incident.runbook)
    // The console has a page for each rule that runs; an address of the site's own comes before it.
    guard let links, Self.address(named) == nil, Self.isPlain(incident.rule) else { return named }
    return "\(links.console)/rules/\(incident.rule)"
  }

  /// It may stand in an address as it is.
  private static func isPlain(_ rule: String) -> Bool {
    !rule.isEmpty
      && rule.unicodeScalars.allSatisfy { scalar in
        scalar.isASCII && (scalar.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains(scalar))
      }
  }

  /// The runbook where it is an address; nil for the name of a file.
  static func address(_ runbook: String) -> String? {
    runbook.hasPrefix("https://") || runbook.hasPrefix("http://") ? runbook : nil
  }

  func link(_ incident: IncidentRecord) -> String? {
    incident.number > 0 ? console.map { "\($0)/incidents/\(incident.number)" } : nil
  }

  // MARK: Webhook

  /// Source: standardwebhooks.com, specification 1.0.0: `webhook-id`, `-timestamp`, `-signature: v1,BASE64…`.
  private func webhook(_ url: String, _ secrets: [String]) -> HTTPRequest {
    var request = Self.post(url, body)
    let seconds = nowNs / 1_000_000_000
    request.headers += ["webhook-id: \(delivery.messageID)", "webhook-timestamp: \(seconds)"]
    let signed = Array("\(delivery.messageID).\(seconds).".utf8) + request.body
    let signatures = secrets.compactMap(Receiver.signingKey).map { key in
      "v1," + Base64.standard.encode(Digest.hmacSHA256(key: key, signed))
    }
    if !signatures.isEmpty { request.headers.append("webhook-signature: \(signatures.joined(separator: " "))") }
    return request
  }

  private var body: JSON {
    var fields: [(String, JSON)] = [
      ("event", .text(delivery.event.rawValue)), ("dedup_key", .text(dedupKey)), ("message", .text(headline)),
      ("attempt", .number(Int64(delivery.attempts))), ("detail", .text(delivery.detail)),
    ]
    if let acknowledging { fields.append(("acknowledge_url", .text(acknowledging))) }
    if let list = delivery.list {
      fields += [
        ("list", .text(Store.listKeyPrefix + list.id)), ("still_open", .number(Int64(list.open))),
        ("unacknowledged", .number(Int64(list.unacknowledged))),
      ]
    }
    if delivery.isList {
      fields.append(("count", .number(Int64(delivery.incidentCount))))
      fields.append(("incidents", .list(delivery.incidents.map { .object(self.fields($0)) })))
    } else if let first {
      fields += self.fields(first).filter { $0.0 != "dedup_key" }
    }
    return .object(fields)
  }

  private func fields(_ incident: IncidentRecord) -> [(String, JSON)] {
    [
      ("incident_id", .number(incident.number)), ("dedup_key", .text(incident.dedupKey)),
      ("rule", .text(incident.rule)), ("title", .text(incident.title)), ("severity", .text(incident.severity.word)),
      ("state", .text(incident.state.rawValue)), ("host", .text(incident.hostName)), ("entity", .text(incident.entity)),
      ("summary", .text(PlainText.line(bounded([incident.summary]).joined()))),
      ("steps", .texts(bounded(incident.steps))),
      ("causes", .texts(bounded(incident.causes))), ("runbook", .text(runbook(incident))),
      ("evidence", .texts(bounded(incident.evidence))),
      ("opened", .text(Timestamp.text(incident.openedNs))),
      ("resolved", .optional(incident.resolvedNs.map { Timestamp.text($0) })),
      ("acked_by", .optional(incident.ackedBy)),
      ("links", .list(link(incident).map { [.object([("href", .text($0)), ("text", .text("incident"))])] } ?? [])),
    ]
  }
}
