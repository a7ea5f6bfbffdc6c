internal import Answers
internal import FleetModel
internal import Store
internal import Synchronization

/// This console's connections to Slack, for `/metrics` and the page *Admin*.
final class SlackFigures: Sendable {
  struct Counts {
    /// Presses that were stored, by what came of them.
    var presses: [ReceiverEventOutcome: Int] = [:]
    /// Envelopes that are no press of the button: confirmed, and used for nothing.
    var unused = 0
    /// Messages that were not read.
    var unread = 0
    /// Presses that were not carried out, and not confirmed.
    var refused = 0
    /// Connections that failed.
    var failures = 0
    /// Further connections that Slack has asked for.
    var refreshes = 0
  }

  private struct App {
    /// Two while one replaces another.
    var ready = 0
    var sinceNs: Int64
    /// Why there is no connection; empty before the first attempt has ended.
    var failure = ""
  }

  private struct State {
    var counts = Counts()
    /// By the receivers whose messages have the app's buttons.
    var apps: [String: App] = [:]
  }

  private let state = Mutex(State())

  func add(_ change: (inout Counts) -> Void) { state.withLock { change(&$0.counts) } }
  var counts: Counts { state.withLock { $0.counts } }
  /// Apps that have a token here.
  var apps: Int { state.withLock { $0.apps.count } }
  var appsConnected: Int { state.withLock { $0.apps.values.count { $0.ready > 0 } } }
  /// Connections that are in use.
  var ready: Int { state.withLock { $0.apps.values.reduce(0) { $0 + $1.ready } } }

  func begin(_ app: String, nowNs: Int64) { state.withLock { $0.apps[app] = App(sinceNs: nowNs) } }
  func end(_ app: String) { state.withLock { $0.apps[app] = nil } }

  /// - Parameter change: 1 after `hello`, -1 at the end of that connection.
  func addReady(_ change: Int, _ app: String, nowNs: Int64) {
    state.withLock { state in
      guard var found = state.apps[app] else { return }
      let was = found.ready
      found.ready += change
      if (was == 0) != (found.ready == 0) { (found.sinceNs, found.failure) = (nowNs, "") }
      state.apps[app] = found
    }
  }

  /// - Parameter sentence: without secrets.
  func fail(_ app: String, _ sentence: String) {
    state.withLock { state in
      state.counts.failures += 1
      state.apps[app]?.failure = sentence
    }
  }

  /// nil where no app has a token here.
  var answer: Answer? {
    let apps = state.withLock { $0.apps }
    if apps.isEmpty { return nil }
    let columns: [Answer.Column] = [
      .init("receivers", "RECEIVERS", rank: 0), .init("state", "STATE", rank: 1),
      .init("since", "SINCE", .age, rank: 2), .init("reason", "REASON", rank: 3),
    ]
    return Answer(
      columns: columns,
      rows: apps.sorted { $0.key < $1.key }.map { name, app in
        [
          .text(PlainText.cut(name, scalarsMax: 200)), .text(app.ready > 0 ? "connected" : "not connected"),
          .time(app.sinceNs), .text(app.ready > 0 ? "" : app.failure),
        ]
      })
  }
}
