import FleetModel
import Testing

@Suite struct TimeSpanTests {
  @Test(
    arguments: [
      ("1s", 1_000_000_000), ("500ms", 500_000_000), ("1h30m", 5_400_000_000_000), ("30d", 2_592_000_000_000_000),
      ("2w", 1_209_600_000_000_000),
    ] as [(String, Int64)])
  func readsWhatPeopleWrite(_ text: String, _ ns: Int64) {
    #expect(TimeSpan.parse(text) == ns)
  }

  @Test(arguments: ["", "1", "s", "-1s", "1 s", "1x", "0s", "99999999999999999999s", "9999999999w", "１s"])
  func refusesWhatIsNone(_ text: String) {
    #expect(TimeSpan.parse(text) == nil)
  }

  @Test(
    arguments: [
      (0, "0s"), (90_000_000_000, "1m30s"), (3_600_000_000_000, "1h"), (90_061_000_000_000, "1d1h"), (1_500_000, "1ms"),
    ] as [(Int64, String)])
  func saysTheTwoLargestUnits(_ ns: Int64, _ text: String) {
    #expect(TimeSpan.text(ns) == text)
  }
}
