internal import Answers
internal import FleetModel
internal import HTTPTypes
internal import Store
internal import TLS

/// What programs of others subscribe to: calendars, Prometheus, and the client for Python.
extension RouteTable {
  static let feeds: [Route] = [
    Route(
      method: .get, path: "/api/v1/oncall.ics", role: nil,
      summary: "Who is on call, as a calendar: at the secret address that signalbox oncall calendar prints.",
      parameters: [
        .init(
          "key", .query, .text, "The address's secret; signalbox tokens revoke ends it.", example: "sbk_…",
          isRequired: true)
      ], shape: .document("text/calendar")
    ) { question in
      try await requireCalendarKey(question)
      let answers = try await question.database.answers([
        (IncidentQueries.turns(), []), (IncidentQueries.overrides(includingEnded: false), []),
      ])
      let calendar = OnCallCalendar(nowNs: question.nowNs)
      return .document(
        Array(calendar.text(turns: answers[0], overrides: answers[1]).utf8),
        contentType: "text/calendar; charset=utf-8")
    },
    Route(
      method: .get, path: "/metrics", role: .viewer, summary: "The fleet in figures, for Prometheus.",
      shape: .document("text/plain")
    ) { question in
      let answer = try await question.database.answer(FleetQueries.figures())
      return .document(
        Array(
          (FleetMetrics.text(
            answer, live: question.console.live.figures,
            searches: question.console.tails.figures.searches, ended: question.console.limits.ended
          ) + FleetMetrics.text(question.console.slack)).utf8),
        contentType: "text/plain; version=0.0.4; charset=utf-8")
    },
    Route(
      method: .get, path: "/client/signalbox.py", role: nil, summary: "A client for Python, in one file.",
      shape: .document("text/x-python")
    ) { _ in .document(PackageResources.signalbox_py, contentType: "text/x-python; charset=utf-8") },
  ]

  /// A calendar's address goes to calendar services: its secret opens nothing else.
  private static func requireCalendarKey(_ question: Question) async throws {
    let refused = Problem(
      .unauthorized, "this calendar's address was mistyped, revoked, or has expired: ask for a new one")
    guard let key = AccessToken(question["key"] ?? "") else { throw refused }
    let nowNs = question.nowNs
    let owner = try await question.database.change { store throws(StoreError) in
      try store.authenticate(id: key.id, secretHash: key.secretHash, kinds: [.calendar], nowNs: nowNs)
    }
    if owner == nil { throw refused }
  }
}

/// The text exposition format 0.0.4. Source: prometheus.io/docs/instrumenting/exposition_formats.
enum FleetMetrics {
  private static let families: [(name: String, help: String, label: String)] = [
    ("signalbox_fleet_hosts", "Hosts of the fleet by state.", "state"),
    ("signalbox_fleet_incidents_open", "Incidents that nobody has taken or muted, by severity.", "severity"),
    ("signalbox_fleet_incidents_acked", "Incidents that somebody has taken, by severity.", "severity"),
    ("signalbox_fleet_agents", "Hosts by the version of their agent.", "version"),
    ("signalbox_fleet_runs_live", "Training runs that reported within 15 minutes.", ""),
    ("signalbox_fleet_newest_sample_age_seconds", "Age of the newest report of any host.", ""),
  ]

  /// - Parameters:
  ///   - answer: the rows of `FleetQueries.figures`.
  ///   - live, searches, ended: of this console.
  static func text(
    _ answer: Answer, live: (streams: Int, lostFrames: Int), searches: Int,
    ended: [(limit: ConnectionLimits.Limit, count: Int)]
  ) -> String {
    let info =
      "# HELP signalbox_console_info This console.\n# TYPE signalbox_console_info gauge\n"
      + "signalbox_console_info{version=\"\(escaped(Build.version))\"} 1\n"
      + "# HELP signalbox_console_live_streams Live streams that are open.\n# TYPE signalbox_console_live_streams gauge\n"
      + "signalbox_console_live_streams \(live.streams)\n"
      + "# HELP signalbox_console_live_lost_frames_total Frames that viewers read too slowly for.\n"
      + "# TYPE signalbox_console_live_lost_frames_total counter\nsignalbox_console_live_lost_frames_total \(live.lostFrames)\n"
      + "# HELP signalbox_console_log_searches Searches of log lines that are followed.\n"
      + "# TYPE signalbox_console_log_searches gauge\nsignalbox_console_log_searches \(searches)\n"
      + "# HELP signalbox_console_limits_hit_total Connections and requests that a limit of this console has ended.\n"
      + "# TYPE signalbox_console_limits_hit_total counter\n"
      + ended.map { "signalbox_console_limits_hit_total{limit=\"\($0.limit.rawValue)\"} \($0.count)\n" }.joined()
    return info
      + families.map { family in
        let rows = answer.rows.filter { $0.first == .text(family.name) }
        return "# HELP \(family.name) \(family.help)\n# TYPE \(family.name) gauge\n"
          + rows.map { row in
            var label = ""
            if !family.label.isEmpty, case .text(let text) = row[1] { label = "{\(family.label)=\"\(escaped(text))\"}" }
            return "\(family.name)\(label) \(number(row[2]))\n"
          }.joined()
      }.joined()
  }

  /// Of this console's connections to Slack.
  static func text(_ slack: SlackFigures) -> String {
    let counts = slack.counts
    let outcomes = ReceiverEventOutcome.allCases.map { outcome in
      (label: "{outcome=\"\(outcome.rawValue)\"}", value: counts.presses[outcome, default: 0])
    }
    let families: [(name: String, kind: String, help: String, values: [(label: String, value: Int)])] = [
      ("signalbox_console_slack_apps", "gauge", "Slack apps whose buttons are fetched here.", [("", slack.apps)]),
      (
        "signalbox_console_slack_apps_connected", "gauge", "Those of them that have a connection.",
        [("", slack.appsConnected)]
      ),
      ("signalbox_console_slack_presses_total", "counter", "Buttons pressed in Slack, by what came of it.", outcomes),
      (
        "signalbox_console_slack_presses_refused_total", "counter", "Presses that were not carried out.",
        [("", counts.refused)]
      ),
      (
        "signalbox_console_slack_envelopes_unused_total", "counter", "Envelopes of Slack that are no press.",
        [("", counts.unused)]
      ),
      (
        "signalbox_console_slack_messages_unread_total", "counter", "Messages of Slack that were not read.",
        [("", counts.unread)]
      ),
      (
        "signalbox_console_slack_failures_total", "counter", "Connections to Slack that failed.",
        [("", counts.failures)]
      ),
      (
        "signalbox_console_slack_refreshes_total", "counter", "Connections that Slack has asked to replace.",
        [("", counts.refreshes)]
      ),
    ]
    return families.map { family in
      "# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(family.kind)\n"
        + family.values.map { "\(family.name)\($0.label) \($0.value)\n" }.joined()
    }.joined()
  }

  private static func number(_ cell: Cell) -> String {
    switch cell {
    case .integer(let number): String(number)
    case .real(let number): String(number)
    default: "NaN"
    }
  }

  static func escaped(_ text: String) -> String {
    PlainText.visible(text).unicodeScalars.map { $0 == "\\" || $0 == "\"" ? "\\\($0)" : "\($0)" }.joined()
  }
}
