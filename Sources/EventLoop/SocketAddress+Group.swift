extension SocketAddress {
  /// Whom this address counts for where a limit is "per address": an IPv4 address itself, the /64 of an IPv6 one, of which
  /// every machine has 2^64.
  package var group: String {
    guard host.utf8.contains(UInt8(ascii: ":")), !host.utf8.contains(UInt8(ascii: ".")) else { return host }
    let parts = host.split(separator: ":", omittingEmptySubsequences: false)
    let gap = parts.firstIndex { $0.isEmpty } ?? parts.endIndex
    let tail = parts[gap...].filter { !$0.isEmpty }
    let zeros = max(0, 8 - gap - tail.count)
    let groups = parts[..<gap] + [Substring](repeating: "0", count: zeros) + tail
    return groups.prefix(4).joined(separator: ":") + "::/64"
  }
}
