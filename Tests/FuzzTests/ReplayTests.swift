import FuzzTargets
import Foundation
import Testing

/// Every input that once failed, and every seed, goes through its target again. A failure ends the test process: its name is
/// the last one printed.
@Suite(.serialized) struct ReplayTests {
  private static let folder = String(#filePath.prefix(upTo: #filePath.range(of: "/FuzzTests/")!.lowerBound)) + "/Fuzz"

  @Test("inputs that once failed, and the seeds, pass", arguments: FuzzTarget.all.map(\.name))
  func replay(name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    var count = 0
    for kind in ["Seeds", "FailCases"] {
      let path = "\(Self.folder)/\(name)/\(kind)"
      for file in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] where !file.hasPrefix(".") {
        target.run([UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(file)"))))
        count += 1
      }
    }
    #expect(count > 0, "no seeds for \(name)")
    target.run([])
  }
}
