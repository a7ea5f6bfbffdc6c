import FleetModel
import Testing

@Suite struct TimestampTests {
  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000000Z"), (1_795_229_452_783_955_000, "2026-11-21T02:50:52.783955Z"),
      (-1, "1969-12-31T23:59:59.999999Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
      (4_102_444_799_000_000_000, "2099-12-31T23:59:59.000000Z"),
    ] as [(Int64, String)])
  func writesUTC(_ ns: Int64, _ text: String) {
    #expect(Timestamp.text(ns) == text)
    #expect(Timestamp.parse(text) == ns / 1000 * 1000 - (ns == -1 ? 1000 : 0))
  }

  @Test(
    arguments: [
      ("2026-11-21", 1_795_219_200), ("2026-11-21 02:50", 1_795_229_400), ("2026-11-21T04:50:00+02:00", 1_795_229_400),
      ("2026-11-20T21:20:00-0530", 1_795_229_400), ("2028-02-29", 1_835_395_200), ("2000-02-29", 951_782_400),
      ("2026-12-31T23:59", 1_798_761_540),
    ] as [(String, Int64)])
  func readsTheCommonForms(_ text: String, _ seconds: Int64) {
    #expect(Timestamp.parse(text) == seconds * 1_000_000_000)
  }

  /// What a calendar or a clock does not have is not rounded to what it has.
  @Test(
    arguments: [
      "2026-02-29", "2026-02-30", "2026-04-31", "2026-06-31T12:00", "2100-02-29", "2026-01-32", "2026-00-10",
      "2026-01-00", "2026-11-21T24:00", "2026-11-21T24:60", "2026-11-21T23:60", "2026-11-21T23:59:61",
      "2026-11-21T12:00+24:00", "2026-11-21T12:00+02:60",
    ])
  func refusesWhatNoCalendarHas(_ text: String) { #expect(Timestamp.parse(text) == nil) }

  @Test(arguments: ["", "2026", "2026-13-01", "2026-11-21T25:00", "2026-11-21X", "2026-11-21T02:50:00Q", "9999-99-99"])
  func refusesWhatIsNone(_ text: String) {
    #expect(Timestamp.parse(text) == nil)
  }
}
