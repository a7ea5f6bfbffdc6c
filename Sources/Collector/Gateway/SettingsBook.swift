internal import FleetModel
internal import Paging
internal import SiteConfiguration
internal import Store
internal import Synchronization

/// What the configuration asks of each host; replaced as a whole on reload.
final class SettingsBook: Sendable {
  private struct State {
    var configuration: Configuration
    var rulePages: [RulePage]
    var revision: UInt32
  }

  private let state: Mutex<State>

  /// - Parameter rulePages: of the rules that run with it, and of the collector's own.
  init(_ configuration: Configuration, rulePages: [RulePage] = []) {
    state = Mutex(State(configuration: configuration, rulePages: rulePages, revision: 1))
  }

  func replace(_ configuration: Configuration, rulePages: [RulePage]) {
    state.withLock {
      $0.configuration = configuration
      $0.rulePages = rulePages
      $0.revision += 1
    }
  }

  /// A file with settings was read: its retention counts, and not what was set in the database.
  var isConfigured: Bool {
    state.withLock {
      var configuration = $0.configuration
      if configuration.maintenance == [] { configuration.maintenance = nil }
      if configuration.hostLabels == [] { configuration.hostLabels = nil }
      return configuration != Configuration()
    }
  }

  var retention: Retention { state.withLock { $0.configuration.retention } }

  /// What one host may make the fleet keep of a kind.
  func quota(_ kind: HostQuota.Kind) -> RateLimit { state.withLock { $0.configuration.quotas[kind] } ?? kind.limit }

  var paging: PagingConfiguration? { state.withLock { $0.configuration.paging } }

  /// nil where no file was read.
  var hostLabels: [HostLabels]? { state.withLock { $0.configuration.hostLabels } }

  /// nil where no file was read.
  var maintenance: [ConfiguredSilence]? { state.withLock { $0.configuration.maintenance } }

  var rulePages: [RulePage] { state.withLock { $0.rulePages } }

  /// - Parameter labels: of the host, its name among them.
  func settings(of labels: [String: String]) -> Settings {
    state.withLock { $0.configuration.settings(labels: labels, revision: $0.revision) }
  }
}
