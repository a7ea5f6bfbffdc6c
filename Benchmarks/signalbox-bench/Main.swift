internal import Glibc

/// `signalbox-bench MODE …`: each mode prints its own figures.
@main enum Main {
  private static let modes: [String: @Sendable ([String]) -> Void] = [
    "following": { _ in FollowingBench.run() },
    "rules": { RulesBench.run($0) },
    "sampling": { _ in SamplingBench.run() },
    "schema": { _ in SchemaBench.run() },
    "transport": { TransportBench.run($0) },
    "transport-clients": { TransportBench.holdConnections($0) },
  ]

  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    let parts = EndToEndBench.parts.map(\.name)
    // The rules alone need no programs and no database.
    if let name = arguments.first, modes[name] == nil, name == "all" || parts.contains(name) {
      return EndToEndBench.run(name == "all" ? parts : [name], Array(arguments.dropFirst()))
    }
    guard let name = arguments.first, let mode = modes[name] else {
      let names = ["all"] + parts + modes.keys.sorted()
      print("usage: signalbox-bench MODE, one of: \(names.joined(separator: ", "))")
      exit(2)
    }
    mode(Array(arguments.dropFirst()))
  }
}
