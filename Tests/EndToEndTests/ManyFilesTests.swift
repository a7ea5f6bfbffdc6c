import Files
import Foundation
import Testing

extension EndToEndTests {
  /// A host whose marks do not fit one frame, and a collector that is killed again and again.
  @Suite(.timeLimit(.minutes(30))) struct ManyFiles {
    /// `SIGNALBOX_MANY_FILES` files of 108 bytes of path, `SIGNALBOX_MANY_RESTARTS` kills; else few files with long paths.
    private static func setting(_ name: String) -> Int? {
      ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }

    @Test func aHostWithManyFilesComesBackAfterEachRestartOfTheCollector() throws {
      let fleet = try TestFleet("many-files")
      defer { fleet.tearDown() }
      let count = Self.setting("SIGNALBOX_MANY_FILES") ?? 400
      try Self.makeFiles(fleet, count, pathBytes: Self.setting("SIGNALBOX_MANY_FILES") == nil ? 3600 : 108)
      try fleet.startCollector()
      try fleet.join()
      try fleet.startAgent()
      try fleet.eventually("all files", within: 600) {
        try fleet.value("select count(*) from signalbox.followed_files") == Int64(count)
      }
      // All marks together are larger than a frame may be.
      #expect(try fleet.value("select sum(octet_length(path) + 90) from signalbox.followed_files") > 1 << 20)
      for restart in 1...(Self.setting("SIGNALBOX_MANY_RESTARTS") ?? 3) {
        fleet.killCollector()
        try fleet.startCollector()
        let readyAt = Date()
        try fleet.eventually("a fresh sample after restart \(restart)", within: 120) {
          try fleet.value(
            "select count(*) from host_samples where time > to_timestamp(\(readyAt.timeIntervalSince1970))") > 0
        }
        print("restart \(restart): a fresh sample after \(Date().timeIntervalSince(readyAt)) s")
        try fleet.append("line of restart \(restart)", to: "one.log")
        try fleet.eventually("the line after restart \(restart)", within: 120) {
          try fleet.value("select count(*) from log_lines where message like '%of restart \(restart)'") == 1
        }
      }
      // Every file went on from its mark.
      #expect(try fleet.value("select count(*) from log_lines where message like 'first line%'") == Int64(count))
      #expect(try fleet.value("select count(*) from loss_ledger") == 0)
    }

    /// One line each; one of them has a short name.
    private static func makeFiles(_ fleet: TestFleet, _ count: Int, pathBytes: Int) throws {
      var directory = fleet.logs
      while directory.utf8.count + 300 < pathBytes { directory += "/" + String(repeating: "d", count: 200) }
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      let padding = String(repeating: "f", count: max(1, pathBytes - directory.utf8.count - 13))
      for number in 1..<count {
        let path = "\(directory)/\(padding)-\(String(100_000 + number)).log"
        try Descriptor.open(path, .append, mode: 0o644).write(Array("first line \(number)\n".utf8).span)
      }
      try fleet.append("first line 0", to: "one.log")
    }
  }
}

extension TestFleet {
  fileprivate func append(_ line: String, to name: String) throws { try write(name, Array((line + "\n").utf8)) }
}
