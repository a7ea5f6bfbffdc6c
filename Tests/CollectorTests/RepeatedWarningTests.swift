import Logging
import Testing

@testable import Collector

@Suite struct RepeatedWarningTests {
  /// Five tries a second for an hour of an outage.
  @Test func anOutageOfAnHourIsAHundredLines() {
    var warning = RepeatedWarning()
    var logged: [(second: Int64, omitted: String?)] = []
    for attempt in Int64(0)..<18_000 {
      let nowNs = attempt * 200_000_000
      if let metadata = warning.metadata("gone", nowNs: nowNs) {
        #expect(metadata["error"] == "gone")
        logged.append((nowNs / 1_000_000_000, metadata["omitted"]?.description))
      }
    }
    #expect(logged.prefix(3).allSatisfy { $0.second == 0 && $0.omitted == nil })
    #expect((110...130).contains(logged.count), "\(logged.count)")
    let omitted = logged.compactMap { $0.omitted.flatMap(Int.init) }
    #expect(omitted.reduce(0, +) + logged.count > 17_800)
  }
}
