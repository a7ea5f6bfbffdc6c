internal import Glibc

/// `signalbox-bench MODE …`: each mode prints its own figures.
@main enum Main {
  private static let modes: [String: @Sendable ([String]) -> Void] = [
    "following": { _ in FollowingBench.run() },
    "sampling": { _ in SamplingBench.run() },
    "schema": { _ in SchemaBench.run() },
    "transport": { TransportBench.run($0) },
    "transport-clients": { TransportBench.holdConnections($0) },
  ]

  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard let name = arguments.first, let mode = modes[name] else {
      print("usage: signalbox-bench MODE, one of: \(modes.keys.sorted().joined(separator: ", "))")
      exit(2)
    }
    mode(Array(arguments.dropFirst()))
  }
}
