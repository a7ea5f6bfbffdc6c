import Files
import FleetModel
import Foundation
import TestSupport
import Testing

@testable import Agent

/// Listing in parts, roots that come later, and what is passed over.
@Suite(.timeLimit(.minutes(10))) struct PatternWalkTests {
  private final class Tree {
    let base: String
    init() throws {
      base = "/tmp/signalbox-walk-" + HostFiles.randomBytes(6).map { Hex.text($0) }.joined()
      try HostFiles.makeDirectory(base)
    }
    deinit { FollowingHarness.remove(base) }

    func put(_ path: String) throws {
      try HostFiles.makeDirectory(HostFiles.directory(of: base + "/" + path))
      try HostFiles.replace(base + "/" + path, with: [0x61])
    }
  }

  private func names(_ listing: any FileListing, _ tree: Tree, names: Int = 1000) -> [String] {
    var found: [String] = []
    while !listing.isOver {
      found += listing.next(names: names, withinNs: 10_000_000).map { String($0.path.dropFirst(tree.base.count + 1)) }
    }
    return found.sorted()
  }

  @Test("each directory is read once, whatever the patterns, and each file comes once")
  func overlappingPatterns() throws {
    let tree = try Tree()
    for path in ["a/x.log", "a/b/y.log", "a/b/c/z.log", "a/.hidden/h.log", "d/x.txt"] { try tree.put(path) }
    let files = LinuxFollowedFileSystem(allowed: [tree.base])
    let patterns = ["/**/*.log", "/a/*/y.log", "/a/x.log", "/**/y.log", "/a/.hidden/*.log"].map {
      GlobPattern(tree.base + $0)
    }
    let listing = files.startListing(patterns, excluding: [])
    #expect(names(listing, tree) == ["a/.hidden/h.log", "a/b/c/z.log", "a/b/y.log", "a/x.log"])
    #expect(listing.figures.names < 30)
  }

  @Test("a part looks at about as many names as it may, however many there are")
  func parts() throws {
    let tree = try Tree()
    for number in 0..<1000 { try tree.put("d\(number % 7)/f\(number).log") }
    let files = LinuxFollowedFileSystem(allowed: [tree.base], isWatching: false)
    let listing = files.startListing([GlobPattern(tree.base + "/**")], excluding: [])
    var (parts, found) = (0, 0)
    while !listing.isOver {
      let before = listing.figures.names
      found += listing.next(names: 50, withinNs: 10_000_000).count
      #expect(listing.figures.names - before <= 50 + 64)
      parts += 1
    }
    #expect(found == 1000)
    #expect(parts >= 9)
  }

  @Test(
    "a directory that is made after the start, and one that a link leads to later, are found, and missing ones are counted"
  )
  func rootsThatComeLater() throws {
    let tree = try Tree()
    let patterns = ["/later/**", "/link/*.log"].map { GlobPattern(tree.base + $0) }
    let files = LinuxFollowedFileSystem(
      allowed: AllowedPaths(roots: [tree.base + "/later"], patterns: [tree.base + "/link/*.log"]))
    let early = files.startListing(patterns, excluding: [])
    #expect(names(early, tree).isEmpty)
    #expect(early.figures.missingRoots.count == 2)
    try tree.put("later/run1/x.log")
    try tree.put("target/y.log")
    try HostFiles.link(tree.base + "/target", at: tree.base + "/link")
    let late = files.startListing(patterns, excluding: [])
    #expect(names(late, tree) == ["later/run1/x.log", "link/y.log"])
    #expect(late.figures.missingRoots.count == 0)
    #expect(files.open(tree.base + "/link/y.log") != nil)
    #expect(files.open(tree.base + "/later/run1/x.log") != nil)
  }

  @Test("links that lead outside, and directories that are too deep, are counted")
  func whatIsPassedOver() throws {
    let tree = try Tree()
    try tree.put("in/a.log")
    try tree.put("out/secret.log")
    try HostFiles.link(tree.base + "/out/secret.log", at: tree.base + "/in/link.log")
    try tree.put("in/" + (0..<30).map { "d\($0)/" }.joined() + "deep.log")
    let files = LinuxFollowedFileSystem(allowed: [tree.base + "/in"])
    let listing = files.startListing([GlobPattern(tree.base + "/in/**")], excluding: [])
    #expect(names(listing, tree) == ["in/a.log"])
    #expect(listing.figures.outside.count == 1)
    #expect(listing.figures.outside.first.hasSuffix("/in/link.log"))
    #expect(listing.figures.cut.count == 1)
  }

  @Test("what may not be read is counted", .enabled(if: !Process.isRoot))
  func unreadable() throws {
    let tree = try Tree()
    try tree.put("in/closed/a.log")
    try HostFiles.setMode(tree.base + "/in/closed", 0)
    defer { try? HostFiles.setMode(tree.base + "/in/closed", 0o700) }
    let files = LinuxFollowedFileSystem(allowed: [tree.base + "/in"])
    let listing = files.startListing([GlobPattern(tree.base + "/in/**")], excluding: [])
    #expect(names(listing, tree).isEmpty)
    #expect(listing.figures.unreadable.count == 1)
  }

  @Test("names that are not UTF-8, of files and of directories, are counted as what they are")
  func misnamed() throws {
    let tree = try Tree()
    try tree.put("in/a.log")
    let bytes = Array((tree.base + "/in/").utf8) + [0x63, 0xe9]
    let directory = (bytes + [0]).map { CChar(bitPattern: $0) }
    let file = (bytes + Array(".log".utf8) + [0]).map { CChar(bitPattern: $0) }
    #expect(unsafe mkdir(directory, 0o755) == 0)
    let descriptor = unsafe creat(file, 0o644)
    #expect(descriptor >= 0)
    close(descriptor)
    let files = LinuxFollowedFileSystem(allowed: [tree.base + "/in"])
    let listing = files.startListing([GlobPattern(tree.base + "/in/**/*.log")], excluding: [])
    #expect(names(listing, tree) == ["in/a.log"])
    #expect(listing.figures.misnamed.count == 2)
    #expect(listing.figures.misnamed.first.contains("/in/c\u{fffd}"))
    #expect(listing.figures.unreadable.count == 0)
  }

  // MARK: Roots through links

  @Test("a link of another user leads nowhere but to that user's own", .enabled(if: Process.isRoot))
  func linksOfOthers() throws {
    let tree = try Tree()
    for name in ["theirs", "ours"] { try HostFiles.makeDirectory(tree.base + "/" + name) }
    try HostFiles.link(tree.base + "/ours", at: tree.base + "/to-ours")
    try HostFiles.link(tree.base + "/theirs", at: tree.base + "/to-theirs")
    try HostFiles.link("/", at: tree.base + "/to-root")
    try HostFiles.link(tree.base + "/theirs", at: tree.base + "/root-to-theirs")
    for name in ["theirs", "to-ours", "to-theirs", "to-root"] {
      #expect(unsafe lchown(tree.base + "/" + name, 54_321, 54_321) == 0)
    }
    #expect(TrustedRoot.resolve(tree.base + "/to-ours") == .untrusted(link: tree.base + "/to-ours"))
    #expect(TrustedRoot.resolve(tree.base + "/to-root/etc") == .untrusted(link: tree.base + "/to-root"))
    #expect(TrustedRoot.resolve(tree.base + "/to-theirs") == .resolved(tree.base + "/theirs"))
    #expect(TrustedRoot.resolve(tree.base + "/root-to-theirs") == .resolved(tree.base + "/theirs"))
    #expect(TrustedRoot.resolve(tree.base + "/missing/deep") == .missing(tree.base + "/missing/deep"))
    #expect(TrustedRoot.resolve(tree.base + "/missing/../ours") == .missing(nil))
    #expect(TrustedRoot.resolve(tree.base + "/ours/../theirs/.") == .resolved(tree.base + "/theirs"))
    // A root that is not there yet is not there for whoever makes it a link to elsewhere.
    let files = LinuxFollowedFileSystem(allowed: [tree.base + "/later"])
    try tree.put("ours/a.log")
    try HostFiles.link(tree.base + "/ours", at: tree.base + "/later")
    #expect(unsafe lchown(tree.base + "/later", 54_321, 54_321) == 0)
    let listing = files.startListing([GlobPattern(tree.base + "/later/**")], excluding: [])
    #expect(names(listing, tree).isEmpty)
    #expect(listing.figures.outside.count >= 1)
    #expect(files.open(tree.base + "/later/a.log") == nil)
  }

  @Test func linksInACircleEnd() throws {
    let tree = try Tree()
    try HostFiles.link(tree.base + "/b", at: tree.base + "/a")
    try HostFiles.link(tree.base + "/a", at: tree.base + "/b")
    #expect(TrustedRoot.resolve(tree.base + "/a") == .missing(nil))
  }
}
