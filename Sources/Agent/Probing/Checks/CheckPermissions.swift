internal import Files

/// What this host's owner allows configured probes, whatever the centre asks: given on the agent's command line.
package struct CheckPermissions: Sendable, Equatable {
  /// Directories and files that may be read, and sockets that may be asked (`--allow`).
  package var paths: [String] = []
  /// Directories below which programs may be run, and single programs (`--allow-command`).
  package var programs: [String] = []
  /// Hosts beside this one that may be asked over the network (`--allow-address`); "any" is all of them.
  package var addresses: [String] = []

  package init() {}

  /// For the process that asks.
  package var words: [String] {
    paths.flatMap { ["--allow", $0] } + programs.flatMap { ["--allow-command", $0] }
      + addresses.flatMap { ["--allow-address", $0] }
  }

  /// - Parameter path: as it is configured; its wildcards, if any, begin below.
  /// - Returns: whether what the path leads to, its links followed, is or lies below what may be read. What does not exist is judged by
  ///   the deepest directory above it that does.
  func allowsReading(_ path: String) -> Bool { Self.isBelow(path, paths) }
  func allowsRunning(_ path: String) -> Bool { Self.isBelow(path, programs) }

  /// - Parameters:
  ///   - host: as it is configured.
  ///   - numeric: the address that it leads to.
  func allowsAsking(_ host: String, numeric: String) -> Bool {
    numeric.hasPrefix("127.") || numeric == "::1" || addresses.contains { $0 == host || $0 == numeric || $0 == "any" }
  }

  private static func isBelow(_ path: String, _ allowed: [String]) -> Bool {
    let target = resolved(path)
    return allowed.contains { directory in
      let root = resolved(directory)
      return target == root || root == "/" || target.utf8.starts(with: (root + "/").utf8)
    }
  }

  /// The part of the path that exists with its links followed, and the rest as it is.
  private static func resolved(_ path: String) -> String {
    if let whole = try? HostFiles.resolve(path) { return whole }
    let parent = HostFiles.directory(of: path)
    let name = HostFiles.name(of: path)
    // A component that goes up cannot be judged before what is below it exists.
    if parent == path || parent == "." || name == ".." || name == "." { return "" }
    let above = resolved(parent)
    return above.isEmpty ? "" : above == "/" ? "/" + name : above + "/" + name
  }
}
