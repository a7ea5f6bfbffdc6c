internal import FleetModel
internal import Incidents

extension Message {
  /// The payload that Alertmanager sends to webhooks. Source: prometheus.io/docs/alerting/latest/configuration,
  /// webhook_config, version 4.
  var alertmanagerWebhook: JSON {
    let isOver = shown.allSatisfy(isOver)
    let common = delivery.isList ? [] : labels(first)
    return .object([
      ("version", .text("4")), ("groupKey", .text(dedupKey)), ("truncatedAlerts", .number(Int64(truncated))),
      ("status", .text(isOver ? "resolved" : "firing")), ("receiver", .text(delivery.receiver)),
      ("groupLabels", .object(common)), ("commonLabels", .object(common)), ("commonAnnotations", .object([])),
      ("externalURL", .text(console ?? "")), ("alerts", .list(shown.map { alert($0, withStatus: true) })),
    ])
  }

  /// The body of a POST to Alertmanager. Source: api/v2/openapi.yaml of prometheus/alertmanager, postableAlerts.
  var alerts: JSON { .list(shown.map { alert($0, withStatus: false) }) }

  private var truncated: Int { max(0, delivery.incidentCount - delivery.incidents.count) }

  /// The incidents of the message, or the alert of a test or the watchdog.
  private var shown: [IncidentRecord] {
    if !delivery.incidents.isEmpty { return delivery.incidents }
    let event = delivery.event == .resolve ? Delivery.Event.test : delivery.event
    var record = IncidentRecord(
      number: 0, rule: "signalbox-\(event.rawValue)", severity: .p3, dedupKey: dedupKey, openedNs: nowNs)
    record.summary = headline
    return [record]
  }

  private func labels(_ incident: IncidentRecord?) -> [(String, JSON)] {
    guard let incident else { return [] }
    return Self.alertLabels(
      rule: incident.rule, severity: incident.severity, hostName: incident.hostName, entity: incident.entity
    ).map { ($0.name, .text($0.value)) }
  }

  /// The labels of an incident's alert.
  static func alertLabels(
    rule: String, severity: Severity, hostName: String, entity: String
  ) -> [(name: String, value: String)] {
    // Labels are the alert's identity, so a value must be cut the same way each time and end in a hash, as two long paths
    // may differ at their ends; and the incident's number is no
    // label, because an incident paged from memory has none yet. A label's value is one line of bounded length.
    let name = { (text: String) in IndexKey.bounded(PlainText.line(text), bytesMax: ReceiverLimits.nameBytes) }
    return [
      ("alertname", name(rule)), ("severity", severity.word), ("host", name(hostName)), ("entity", name(entity)),
    ]
  }

  /// Time after which Alertmanager resolves an alert that is not repeated, ns. An incident stays until it is resolved,
  /// a week at most; a watchdog ends soon, so that its absence is noticed; a test ends by itself.
  private var lifeNs: Int64 {
    let hourNs: Int64 = 3_600_000_000_000
    return switch delivery.event {
    case .watchdog: hourNs
    case .test: hourNs / 60
    default: 7 * 24 * hourNs
    }
  }

  /// Whether the alert ends: a list of news may hold both ends and acknowledgements.
  private func isOver(_ incident: IncidentRecord) -> Bool {
    incident.state == .resolved || delivery.event == .resolve && !delivery.isList
  }

  private func alert(_ incident: IncidentRecord, withStatus: Bool) -> JSON {
    let isOver = isOver(incident)
    var fields: [(String, JSON)] = [
      ("labels", .object(labels(incident))),
      (
        "annotations",
        .object(
          [
            ("summary", .text(PlainText.line(bounded([incident.summary]).joined()))),
            ("causes", .text(bounded(incident.causes).joined(separator: "; "))),
            ("incident", .text(incident.number > 0 ? String(incident.number) : "")),
            ("steps", .text(bounded(incident.steps).joined(separator: "\n"))),
            ("runbook_url", .text(Self.address(runbook(incident)) ?? "")),
            ("evidence", .text(bounded(incident.evidence).joined(separator: "\n"))),
          ] + acknowledgingAnnotation)
      ),
      ("startsAt", .text(Timestamp.text(incident.openedNs, digits: 3))),
      ("generatorURL", .text(link(incident) ?? "")),
    ]
    if withStatus {
      fields.append(("status", .text(isOver ? "resolved" : "firing")))
      fields.append(("fingerprint", .text(String(ContentHash.of(Array(incident.dedupKey.utf8).span), radix: 16))))
      let end = isOver ? Timestamp.text(incident.resolvedNs ?? nowNs, digits: 3) : "0001-01-01T00:00:00Z"
      fields.append(("endsAt", .text(end)))
    } else {
      let endNs = isOver ? incident.resolvedNs ?? nowNs : nowNs.addingClamped(lifeNs)
      fields.append(("endsAt", .text(Timestamp.text(endNs, digits: 3))))
    }
    return .object(fields)
  }
}
