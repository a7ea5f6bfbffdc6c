internal import Files
internal import FleetModel
internal import Logging
internal import ServiceLifecycle
internal import Store

/// Where Slack's Web API is.
package struct SlackSettings: Sendable {
  /// Without a slash at its end.
  package var api = "https://slack.com/api"
  /// PEM file of the authorities that its certificates may come from, and no others; nil: the system's.
  package var authorities: String?

  package init() {}
}

/// A connection to Slack for each app whose token the collector has published.
///
/// It runs in the console: what a press does is what `/hooks/slack` does there, with the same rights and the same code, and the collector,
/// which must page when all else fails, gets no further way in. The token opens connections and reads nothing (scope `connections:write`).
struct SlackSockets: Service {
  /// An app, and the receivers whose messages have its buttons.
  private struct App: Hashable {
    let token: String
    let receivers: [String]
  }

  private static let refresh = Duration.seconds(15)
  /// Apps beyond are not connected to; a site has one, or one a team.
  private static let appsMax = 16

  let settings: SlackSettings
  let database: DatabasePool
  let outgoing: OutgoingRequests
  let figures: SlackFigures
  let logger: Logger

  /// Until the console ends.
  func run() async throws { await cancelWhenGracefulShutdown { await keep() } }

  private func keep() async {
    var running: [App: Task<Void, Never>] = [:]
    var configured = 0
    while !Task.isCancelled {
      // While the database is away the connections that there are go on.
      if let wanted = try? await apps() {
        if wanted.count > Self.appsMax, wanted.count != configured {
          logger.warning(
            "more Slack apps are configured than are connected to",
            metadata: ["connected": "\(Self.appsMax)", "configured": "\(wanted.count)"])
        }
        configured = wanted.count
        await change(&running, to: Array(wanted.prefix(Self.appsMax)))
      }
      try? await Task.sleep(for: Self.refresh)
    }
    await change(&running, to: [])
  }

  /// - Returns: by their tokens, so that those beyond the limit stay the same ones.
  private func apps() async throws -> [App] {
    let secrets = try await database.change { store throws(StoreError) in try store.receiverSecrets(.slackApp) }
    return Dictionary(grouping: secrets, by: \.secret).sorted { $0.key < $1.key }.map { token, secrets in
      App(token: token, receivers: secrets.map(\.receiver))
    }
  }

  /// What is no longer configured ends before what takes its place begins: both may have one name.
  private func change(_ running: inout [App: Task<Void, Never>], to wanted: [App]) async {
    let ended = running.filter { !wanted.contains($0.key) }
    for task in ended.values { task.cancel() }
    for (app, task) in ended {
      await task.value
      running[app] = nil
    }
    for app in wanted where running[app] == nil { running[app] = start(app) }
  }

  private func start(_ app: App) -> Task<Void, Never> {
    let name = app.receivers.joined(separator: ", ")
    let connection = SlackConnection(name, settings, token: app.token, outgoing, figures, logger) { [database] press in
      try await press.carryOut(of: app.receivers, database, nowNs: Clock.wallNs())
    }
    return Task { await connection.run() }
  }
}
