internal import Files

/// Where a directory that the host's owner named leads, as far as its links can be trusted.
///
/// Roots are resolved again and again, so whoever can make a link on the way could lead the agent anywhere that it may read. A link counts
/// where it is root's or the agent's own, or where what it leads to belongs to the link's owner, who then shows nothing that is not theirs.
enum TrustedRoot: Equatable {
  /// An absolute path without links.
  case resolved(String)
  /// Not there; where it would be, as far as that is known before it is.
  case missing(String?)
  case untrusted(link: String)

  /// As the kernel's own limit, path_resolution(7).
  private static let linksMax = 40

  static func resolve(_ path: String) -> TrustedRoot {
    var rest = parts(path)
    var real = ""
    var doubtful: [(link: String, owner: UInt32)] = []
    var links = 0
    while let name = rest.popLast() {
      if name == ".." {
        real = real.isEmpty ? "" : HostFiles.directory(of: real)
        if real == "/" { real = "" }
        continue
      }
      let next = real + "/" + name
      guard let status = try? FileStatus.of(path: next, followingLinks: false) else {
        // Where a component that does not exist leads to is not known before it exists.
        guard doubtful.isEmpty, !rest.contains("..") else { return .missing(nil) }
        return .missing(([next] + rest.reversed()).joined(separator: "/"))
      }
      guard status.kind == .link else {
        real = next
        continue
      }
      links += 1
      guard links <= linksMax, let target = try? HostFiles.readLink(next) else { return .missing(nil) }
      if status.uid != 0, status.uid != Process.effectiveUser { doubtful.append((next, status.uid)) }
      if target.hasPrefix("/") { real = "" }
      rest += parts(target)
    }
    let whole = real.isEmpty ? "/" : real
    guard !doubtful.isEmpty else { return .resolved(whole) }
    guard let status = try? FileStatus.of(path: whole, followingLinks: false) else { return .missing(nil) }
    return doubtful.first { $0.owner != status.uid }.map { .untrusted(link: $0.link) } ?? .resolved(whole)
  }

  /// The last name first.
  private static func parts(_ path: String) -> [String] {
    path.split(separator: "/").map(String.init).filter { $0 != "." }.reversed()
  }
}
