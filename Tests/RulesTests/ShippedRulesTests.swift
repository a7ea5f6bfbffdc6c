import Foundation
import RuleFiles
import Testing

/// Where the programs look for the rules that come with them.
@Suite struct ShippedRulesTests {
  @Test(arguments: [
    ("/usr/bin/signalbox", "/usr/share/signalbox/rules"),
    ("/opt/signalbox/bin/signalbox-collector", "/opt/signalbox/share/signalbox/rules"),
    ("/srv/tree/.build/x86_64-unknown-linux-gnu/debug/signalbox", "/srv/tree/deploy/rules"),
    ("/srv/tree/.build/debug/signalbox", "/srv/tree/deploy/rules"),
    ("/x/signalbox", "/usr/share/signalbox/rules"),
  ])
  func theyAreFoundFromWhereverAProgramCame(_ executable: String, _ place: String) {
    #expect(RuleDirectory.places(executable: executable, named: nil).contains(place))
  }

  @Test func aNamedPlaceIsTheOnlyOne() {
    #expect(RuleDirectory.places(executable: "/usr/bin/signalbox", named: "/etc/rules") == ["/etc/rules"])
  }

  @Test func aDirectoryWithoutRulesIsNotOne() throws {
    let directory = NSTemporaryDirectory() + "signalbox-shipped-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory + "/full", withIntermediateDirectories: true)
    try FileManager.default.createDirectory(atPath: directory + "/empty", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try Data("[]".utf8).write(to: URL(fileURLWithPath: directory + "/full/a.yaml"))
    let places = [directory + "/none", directory + "/empty", directory + "/full"]
    #expect(RuleDirectory.shipped(among: places) == directory + "/full")
    #expect(RuleDirectory.shipped(among: Array(places.prefix(2))) == nil)
  }
}
