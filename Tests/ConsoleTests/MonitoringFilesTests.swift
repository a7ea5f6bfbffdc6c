import FleetModel
import Foundation
import Testing

/// What `deploy/` holds for Prometheus and Grafana names metrics that there are, and is what these programs take.
@Suite struct MonitoringFilesTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  private static func names(in text: String) -> Set<String> {
    Set(text.matches(of: /signalbox_[a-z]+_[a-z_]+/).map { String($0.output) })
  }

  @Test func everyMetricThatIsAskedForIsExposed() throws {
    let exposed = try Self.names(
      in: Self.text("Sources/Collector/Program/Metrics.swift")
        + Self.text("Sources/Console/Routes/RouteTable+Feeds.swift"))
    let rules = try Self.names(in: Self.text("deploy/prometheus/signalbox.rules.yml"))
    let board = try Self.names(in: Self.text("deploy/grafana/dashboards/fleet.json"))
    #expect(rules.count > 5 && board.count > 8)
    for name in rules.union(board) {
      // A histogram's series have names of their own.
      let family = name.hasSuffix("_bucket") ? String(name.dropLast("_bucket".count)) : name
      #expect(exposed.contains(family), "\(name)")
    }
  }

  @Test func theDashboardAsksItsDataSourceOnPlacesOfItsOwn() throws {
    let document = try #require(JSON.read(Array(Self.text("deploy/grafana/dashboards/fleet.json").utf8)))
    let sources = try Self.text("deploy/grafana/provisioning/datasources/signalbox.yaml")
    let panels = try #require(document["panels"]?.items)
    #expect(panels.count > 10 && document["uid"]?.text == "signalbox-fleet")
    var taken: Set<[Int64]> = []
    for panel in panels {
      let uid = try #require(panel["datasource"]?["uid"]?.text)
      #expect(sources.contains("uid: \(uid)\n"), "\(uid)")
      #expect(panel["targets"]?.items?.isEmpty == false && panel["title"]?.text?.isEmpty == false)
      let place = try #require(panel["gridPos"])
      let (x, y) = (place["x"]?.integer ?? -1, place["y"]?.integer ?? -1)
      let (width, height) = (place["w"]?.integer ?? 0, place["h"]?.integer ?? 0)
      #expect(x >= 0 && x + width <= 24)
      for column in x..<x + width {
        for row in y..<y + height { #expect(taken.insert([column, row]).inserted, "\(panel["title"]?.text ?? "")") }
      }
    }
  }

  /// Debian's own promtool, where the dependencies were installed.
  @Test func promtoolTakesRulesAndConfiguration() throws {
    let tool = Self.root.appendingPathComponent(".build/alertmanager/usr/bin/promtool").path
    guard FileManager.default.isExecutableFile(atPath: tool) else { return }
    for words in [
      ["check", "rules", "signalbox.rules.yml"], ["test", "rules", "signalbox.test.yml"],
      ["check", "config", "--syntax-only", "prometheus.yml"],
    ] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: tool)
      process.arguments = words
      process.currentDirectoryURL = Self.root.appendingPathComponent("deploy/prometheus")
      process.standardOutput = FileHandle.nullDevice
      let errors = Pipe()
      process.standardError = errors
      try process.run()
      let said = errors.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0, "\(words): \(String(decoding: said, as: UTF8.self))")
    }
  }
}
