internal import ArgumentParser

/// Of commands that can be asked about some hosts only. A name, or a pattern, that no host has ends them with 3: see
/// `FleetSource.requireHosts`.
struct HostFilter: ParsableArguments {
  @Option(name: .customLong("host"), help: "Only of this host; a * stands for any text, as in 'gpu-*'.")
  var pattern: String?
}

/// As `HostFilter`, of commands that take it several times.
struct HostsFilter: ParsableArguments {
  @Option(
    name: .customLong("host"), help: "Only of this host; a * stands for any text, as in 'gpu-*'. May be repeated.")
  var patterns: [String] = []
}
