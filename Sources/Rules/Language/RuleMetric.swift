internal import FleetModel

/// What a metric's numbers are.
package enum MetricUnit: String, Sendable, CaseIterable {
  case number, percent, ratio, bytes, seconds, milliseconds, celsius, watts, megahertz, flag
  case bytesPerSecond = "bytes_per_second"

  /// How a threshold of it may be written.
  var example: String {
    switch self {
    case .percent: "80 or 80%"
    case .ratio: "0.8 or 80%"
    case .bytes, .bytesPerSecond: "500MB or 2GiB"
    case .seconds, .milliseconds: "a number or a time such as 30s"
    case .flag: "0 or 1"
    case .number, .celsius, .watts, .megahertz: "a number"
    }
  }
}

/// What a condition looks at: kinds of entities of which a host has one or several.
package enum EntityKind: UInt8, Sendable, CaseIterable {
  case host = 0
  case run, gpu, disk, file, interface, process, probe, device
  /// A run whose name is shared by several hosts.
  case job
  case fleet

  /// The word in rule files.
  package var word: String { String(describing: self) }
}

/// The kinds of reports that carry metrics.
package enum MetricFamily: UInt8, Sendable, CaseIterable {
  case host, agent, gpu, disk, interface, process, probe, training, progress, episode

  /// What one report of it is about.
  package var kind: EntityKind {
    switch self {
    case .host, .agent: .host
    case .gpu: .gpu
    case .disk: .disk
    case .interface: .interface
    case .process: .process
    case .probe: .probe
    case .training, .progress, .episode: .run
    }
  }
}

/// How a metric is read from a report. NaN = not available.
enum MetricReader: Sendable {
  case host(@Sendable (borrowing HostSample) -> Double)
  case agent(@Sendable (borrowing AgentReport) -> Double)
  case gpu(@Sendable (borrowing GPUSample) -> Double)
  case disk(@Sendable (borrowing DiskSample) -> Double)
  case interface(@Sendable (borrowing NetworkSample) -> Double)
  case process(@Sendable (borrowing ProcessSample) -> Double)
  case probe(@Sendable (borrowing ProbeResult) -> Double)
  case training(@Sendable (borrowing TrainingStep) -> Double)
  case episode(@Sendable (borrowing EpisodeSummary) -> Double)
  /// Computed by the engine between two steps of a run.
  case progress(ProgressMetric)
  /// A named number beside a step: the first of those that fit the pattern, a non-finite one before all others.
  case named(Wildcard)

  var family: MetricFamily {
    switch self {
    case .host: .host
    case .agent: .agent
    case .gpu: .gpu
    case .disk: .disk
    case .interface: .interface
    case .process: .process
    case .probe: .probe
    case .training, .named: .training
    case .episode: .episode
    case .progress: .progress
    }
  }
}

/// What the engine itself computes of a run's progress.
enum ProgressMetric: Sendable {
  case stepsPerSecond
  /// |change of shares held| × price / portfolio value between two steps.
  case turnoverRatio
  case stepSeconds
  case elapsedRatio
  case completedEpisodesRatio
  case actionShare
}

/// What the agent reports of itself, with what the collector adds.
struct AgentReport {
  var health: AgentHealth
  /// The agent's clock less the collector's when the batch came in; NaN = unknown.
  var clockSkewSeconds: Double
}

/// How a test's case writes a metric into a report.
enum MetricWriter: Sendable {
  case host(@Sendable (inout HostSample, Double) -> Void)
  case agent(@Sendable (inout AgentHealth, Double) -> Void)
  case gpu(@Sendable (inout GPUSample, Double) -> Void)
  case disk(@Sendable (inout DiskSample, Double) -> Void)
  case interface(@Sendable (inout NetworkSample, Double) -> Void)
  case process(@Sendable (inout ProcessSample, Double) -> Void)
  case probe(@Sendable (inout ProbeResult, Double) -> Void)
  case training(@Sendable (inout TrainingStep, Double) -> Void)
  case episode(@Sendable (inout EpisodeSummary, Double) -> Void)
}

/// One number that conditions can ask for.
package struct RuleMetric: Sendable {
  /// As rule files write it.
  package let name: String
  package let unit: MetricUnit
  /// One sentence.
  package let doc: String
  let reader: MetricReader
  let writer: MetricWriter?

  /// What it is a number of.
  package var kind: EntityKind { reader.family.kind }

  init(_ name: String, _ unit: MetricUnit, _ doc: String, _ reader: MetricReader, write writer: MetricWriter?) {
    self.name = name
    self.unit = unit
    self.doc = doc
    self.reader = reader
    self.writer = writer
  }
}

/// Metrics as they are listed.
struct MetricList {
  private(set) var all: [RuleMetric] = []

  @inline(never)
  mutating func add(
    _ name: String, _ unit: MetricUnit, _ doc: String, _ reader: MetricReader, write writer: MetricWriter?
  ) { all.append(RuleMetric(name, unit, doc, reader, write: writer)) }
}

/// Every metric there is.
package enum MetricCatalogue {
  /// Names of numbers that training programs choose themselves begin so: `training.metrics.loss`; `*` fits any.
  package static let namedPrefix = "training.metrics."

  /// In the order of the documentation.
  package static let all: [RuleMetric] =
    host + gpu + disk + interface + process + probe + training + progress + episode + agent + skew

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// What the engine computes itself.
  static let progress: [RuleMetric] = [
    RuleMetric(
      "run.steps_per_second", .number, "Logged steps a second, over at least 10 s.", .progress(.stepsPerSecond),
      write: nil),
    RuleMetric(
      "run.turnover_ratio", .ratio, "|change of shares held| x price / portfolio value, from step to step.",
      .progress(.turnoverRatio), write: nil),
    RuleMetric("run.step_seconds", .seconds, "Time from step to step.", .progress(.stepSeconds), write: nil),
    RuleMetric(
      "run.elapsed_ratio", .ratio, "Time since its start / median of the last 5 finished runs of its kind on the host.",
      .progress(.elapsedRatio), write: nil),
    RuleMetric(
      "run.completed_episodes_ratio", .ratio, "Of the last 100 episodes that are not under way: how many ended.",
      .progress(.completedEpisodesRatio), write: nil),
    RuleMetric(
      "run.action_share", .ratio, "How often the commonest action of an episode was taken.", .progress(.actionShare),
      write: nil),
  ]

  static let skewName = "agent.clock_skew_seconds"
  private static let skew = [
    RuleMetric(
      skewName, .seconds, "How far the agent's clock and the collector's are apart.",
      .agent({ abs($0.clockSkewSeconds) }), write: nil)
  ]

  /// - Returns: nil where there is none of that name.
  package static func metric(_ name: String) -> RuleMetric? {
    if let metric = byName[name] { return metric }
    guard name.hasPrefix(namedPrefix), name.utf8.count > namedPrefix.utf8.count else { return nil }
    let pattern = Wildcard(String(name.dropFirst(namedPrefix.count)))
    return RuleMetric(
      name, .number, "A number that the training program itself writes.", .named(pattern), write: nil)
  }

  package static func nearest(to name: String) -> String? {
    if let near = Nearest.name(to: name, among: all.map(\.name)) { return near }
    let last = name.split(separator: ".").last.map(String.init) ?? name
    return all.first { $0.name.hasSuffix("." + last) || $0.name.hasSuffix("_" + last) }?.name
  }
}

extension Double {
  /// NaN where the whole is not known.
  static func known(_ part: UInt64, of whole: UInt64) -> Double { whole > 0 ? Double(part) : .nan }

  static func percent(_ part: UInt64, of whole: UInt64) -> Double {
    whole > 0 ? 100 * Double(part) / Double(whole) : .nan
  }

  static func usedPercent(_ whole: UInt64, free: UInt64) -> Double {
    whole > 0 ? 100 * (1 - Double(min(free, whole)) / Double(whole)) : .nan
  }
}

extension UInt64 {
  /// The nearest whole number of a product.
  static func scaled(_ number: Double, by factor: Double) -> UInt64 { UInt64(number: number * factor) }
}
