import Files
import Testing

@testable import Agent

@Suite struct FollowingGlobTests {
  private static let cases: [(String, String, Bool)] = [
    ("/logs/*.log", "/logs/a.log", true), ("/logs/*.log", "/logs/.a.log", false),
    ("/logs/*.log", "/logs/x/a.log", false),
    ("/logs/**/*.log", "/logs/a.log", true), ("/logs/**/*.log", "/logs/x/y/a.log", true),
    ("/logs/**/*.log", "/logs/.x/a.log", false), ("/logs/**", "/logs/x/y", true), ("/a/**/b/**/c", "/a/b/c", true),
    ("/a/**/b/**/c", "/a/x/b/y/z/c", true), ("/a/**/b/**/c", "/a/x/c", false), ("/logs/a?c", "/logs/abc", true),
    ("/logs/a?c", "/logs/ac", false), ("/logs/[a-c]x", "/logs/bx", true), ("/logs/[!a-c]x", "/logs/bx", false),
    ("/logs/[]x]", "/logs/]", true), ("/logs/[x", "/logs/[x", true), ("/logs/a*b*c", "/logs/a1b2b3c", true),
    ("/logs/a*b*c", "/logs/a1b2b3", false), ("logs/*", "/logs/a", false), ("/logs/*", "/logs", false),
    ("/logs/.*", "/logs/.hidden", true),
  ]

  @Test(arguments: cases.indices) func matchesAsAShellDoes(_ index: Int) {
    let (pattern, path, matches) = Self.cases[index]
    #expect(GlobPattern(pattern).matches(path) == matches, "\(pattern) \(path)")
  }

  @Test func namesOfRotatedFilesLeadToTheirOriginal() {
    for name in ["app.log.1", "app.log-20250514", "app-2025.log", "app.1.log", "app.log.bak"] {
      #expect(Followers.originals(of: "/logs/" + name).contains("/logs/app.log"), "\(name)")
      #expect(Followers.isRelated("/logs/" + name, to: "/logs/app.log"))
    }
    #expect(!Followers.isRelated("/logs/app2.log", to: "/logs/app.log"))
    #expect(!Followers.originals(of: "/logs/rank1.log").contains("/logs/rank0.log"))
  }

  @Test func nothingOutsideTheAllowedDirectoriesIsListedOrOpened() throws {
    let base = "/tmp/signalbox-following-allow-\(HostFiles.randomBytes(4).map(String.init).joined())"
    defer { FollowingHarness.remove(base) }
    try HostFiles.makeDirectory(base + "/in/deep")
    try HostFiles.makeDirectory(base + "/inside")
    for name in ["in/a.log", "in/deep/b.log", "inside/c.log"] { try HostFiles.replace(base + "/" + name, with: [0x61]) }
    try HostFiles.link(base + "/inside/c.log", at: base + "/in/link.log")
    try HostFiles.link(base + "/inside", at: base + "/in/directory")
    try HostFiles.link(base + "/in/a.log", at: base + "/in/good.log")
    let files = LinuxFollowedFileSystem(allowed: [base + "/in"])
    #expect(
      files.list([
        GlobPattern(base + "/**/*.log"), GlobPattern(base + "/in/**/*.log"), GlobPattern(base + "/in/*/*.log"),
      ]).map(\.path)
        == ["/in/a.log", "/in/deep/b.log", "/in/good.log"].map { base + $0 })
    #expect(files.open(base + "/in/link.log") == nil)
    #expect(files.open(base + "/inside/c.log") == nil)
    #expect(files.open(base + "/in/../inside/c.log") == nil)
    #expect(files.open(base + "/in/good.log") != nil)
    #expect(files.refusedTotal > 0)
  }
}
