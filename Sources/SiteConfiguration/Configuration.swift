package import FleetModel
internal import Incidents
package import Store

/// The contents of `signalbox.yaml`. Every key is optional; an unknown one is an error.
///
/// ```yaml
/// retention:
///   logs: { error: 90d, warn: 60d, info: 30d, debug: 7d }
///   samples: 30d            # "forever" keeps
///   aggregates: 400d
///   probes: 30d
///   events: 90d
/// profiles:
///   - match: {}             # host labels, with * for any text: { host: "gpu-*" }; {} = every host
///     logs: [{ path: "/srv/train/**/*.log" }]
///     metrics: [{ match: 'it (?<step>\d+) cost=(?<cost>\S+)', file: "/srv/train/**/*.log" }]
///     interval: 1s
///     probes: [{ name: dashboard, http: { url: "http://127.0.0.1:8501/_stcore/health" } }]
/// hosts:
///   "gpu-*": { labels: { role: trainer } }   # a host's name, or one with a *
/// quotas:
///   files: { per_day: 100000, burst: 500000 }
/// rules: ["rules/*.yaml"]   # relative to this file; the shipped ones if it is not there
/// maintenance: [{ name: updates, match: { host: "trainer-*" }, cron: "0 2 * * 0", zone: Europe/Berlin, for: 2h, reason: updates }]
/// ```
package struct Configuration: Sendable, Equatable {
  package var retention = Retention()
  package var profiles: [Profile] = []
  /// Files, directories and patterns of them; nil = the shipped rules.
  package var rules: [String]?
  /// What a host may make the fleet keep, where that is another limit than the shipped one.
  package var quotas: [HostQuota.Kind: RateLimit] = [:]
  /// nil where paging is off.
  package var paging: PagingConfiguration?
  /// Silences; nil where no file was read, so that those of another collector's stay.
  package var maintenance: [ConfiguredSilence]?
  /// Labels of hosts by their names, in the file's order; nil where no file was read.
  package var hostLabels: [HostLabels]?
  /// Severities that need an answer at any hour and page no one, or the fallback alone, each with its line in the file.
  ///
  /// The configuration is accepted all the same: an empty policy may be intended, and a collector that stops paging at a
  /// reload would be worse.
  package var unpaged: [DocumentMistake] = []
  /// Rules that `maintenance` names.
  package var silencedRules: [NamedRule] = []

  package init() {}

  /// What the hosts with certain labels are asked to do.
  package struct Profile: Sendable, Equatable {
    /// Patterns of labels (`StarPattern`).
    package var match: [String: String] = [:]
    package var follow: [String] = []
    /// Files that are left alone; a pattern without a slash means a name in any directory.
    package var exclude: [String] = []
    /// Rows among the lines of logs.
    package var metrics: [MetricPattern] = []
    package var intervalNs: Int64?
    package var probes: [ProbeSetting] = []

    package init() {}

    /// - Parameter labels: of the host; `host` is always among them.
    package func applies(to labels: [String: String]) -> Bool {
      StarPattern.match(match, labels)
    }
  }

  /// The settings of one host: all its profiles together.
  package func settings(labels: [String: String], revision: UInt32) -> Settings {
    var settings = Settings()
    settings.revision = revision
    for profile in profiles where profile.applies(to: labels) {
      settings.follow += profile.follow.filter { !settings.follow.contains($0) }
      settings.metrics += profile.metrics.filter { !settings.metrics.contains($0) }
      settings.exclude += profile.exclude.filter { !settings.exclude.contains($0) }
      if let interval = profile.intervalNs { settings.sampleIntervalMs = UInt32(clamping: interval / 1_000_000) }
      for probe in profile.probes { Self.set(probe, &settings.probes) }
    }
    // Of several profiles together; each has no more. The first are those of the first profile.
    settings.metrics = Array(settings.metrics.prefix(MetricPattern.patternsPerHost))
    return settings
  }

  /// A later profile's probe of the same name takes the place of an earlier one's, as its interval does.
  private static func set(_ probe: ProbeSetting, _ probes: inout [ProbeSetting]) {
    if let place = probes.firstIndex(where: { $0.resultName == probe.resultName }) {
      probes[place] = probe
    } else if probes.count < ProbeSetting.probesPerHost {
      // The reader refuses more.
      probes.append(probe)
    }
  }
}
