package import FleetModel
package import Paging

/// What `signalbox.yaml` says. Every key is optional; an unknown one is an error.
///
/// ```yaml
/// retention:
///   logs: { error: 90d, warn: 60d, info: 30d, debug: 7d }
///   samples: 30d            # "forever" keeps
///   aggregates: 400d
///   probes: 30d
///   events: 90d
/// profiles:
///   - match: {}             # host labels; {} = every host
///     logs: [{ path: "/srv/train/**/*.log" }]
///     interval: 1s
/// ```
package struct Configuration: Sendable, Equatable {
  package var retention = Retention()
  package var profiles: [Profile] = []
  /// nil where nobody is to be told.
  package var paging: PagingConfiguration?

  package init() {}

  /// What the hosts with certain labels are asked to do.
  package struct Profile: Sendable, Equatable {
    package var match: [String: String] = [:]
    package var follow: [String] = []
    package var intervalNs: Int64?

    package init() {}

    /// - Parameter labels: of the host; `host` is always among them.
    package func applies(to labels: [String: String]) -> Bool {
      match.allSatisfy { labels[$0.key] == $0.value }
    }
  }

  /// The settings of one host: all its profiles together.
  package func settings(labels: [String: String], revision: UInt32) -> Settings {
    var settings = Settings()
    settings.revision = revision
    for profile in profiles where profile.applies(to: labels) {
      settings.follow += profile.follow.filter { !settings.follow.contains($0) }
      if let interval = profile.intervalNs { settings.sampleIntervalMs = UInt32(clamping: interval / 1_000_000) }
    }
    return settings
  }
}
