internal import Files

/// What this host's owner allows configured probes, whatever the centre asks: given on the agent's command line.
package struct CheckPermissions: Sendable, Equatable {
  /// Directories and files that may be read, and sockets that may be asked (`--allow`).
  package var paths: [String] = []
  /// Files that may be read, as patterns (`--follow`).
  package var patterns: [String] = []
  /// Directories below which programs may be run, and single programs (`--allow-command`).
  package var programs: [String] = []
  /// Hosts beside this one that may be asked over the network (`--allow-address`); "any" is all of them.
  package var addresses: [String] = []

  /// Every host but the link-local addresses (RFC 3927, RFC 4291), where clouds hand out a machine's credentials: those are named.
  static let anyAddress = "any"

  package init() {}

  /// For the process that asks.
  package var words: [String] {
    paths.flatMap { ["--allow", $0] } + patterns.flatMap { ["--follow", $0] }
      + programs.flatMap { ["--allow-command", $0] }
      + addresses.flatMap { ["--allow-address", $0] }
  }

  var allowed: AllowedPaths { AllowedPaths(roots: paths, patterns: patterns) }

  /// - Parameter path: as it is configured, without wildcards.
  /// - Returns: whether what the path leads to, its links followed, may be read. What does not exist is judged by the deepest
  ///   directory above it that does.
  func allowsReading(_ path: String) -> Bool { AllowedPaths.real(path).map(allowed.allowsFile) ?? false }

  /// The same for the names in a directory.
  func allowsListing(_ directory: String) -> Bool { AllowedPaths.real(directory).map(allowed.allowsListing) ?? false }

  func allowsRunning(_ path: String) -> Bool {
    AllowedPaths.real(path).map(AllowedPaths(roots: programs).allowsFile) ?? false
  }

  /// - Parameters:
  ///   - host: as it is configured.
  ///   - numeric: the address that it leads to; asked before each connection, so that no name leads elsewhere meanwhile.
  func allowsAsking(_ host: String, numeric: String) -> Bool {
    if numeric.hasPrefix("127.") || numeric == "::1" { return true }
    if addresses.contains(where: { $0 == host || $0 == numeric }) { return host != Self.anyAddress }
    return addresses.contains(Self.anyAddress) && !Self.isLinkLocal(numeric)
  }

  private static func isLinkLocal(_ numeric: String) -> Bool {
    let address = numeric.lowercased()
    let isIPv6 = ["fe8", "fe9", "fea", "feb"].contains { address.hasPrefix($0) }
    return isIPv6 || address.hasPrefix("169.254.") || address.contains(":169.254.") || address == "fd00:ec2::254"
  }
}
