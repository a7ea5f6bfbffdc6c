import FleetModel
import Testing

@Suite struct RateLimitTests {
  private static let second: Int64 = 1_000_000_000

  @Test func aBurstIsTakenAtOnceAndTheRestComesBackWithTime() {
    let limit = RateLimit(perSecond: 2, burst: 3)
    var meter = RateMeter()
    let atOnce = [meter.take(5, of: limit, nowNs: Self.second), meter.take(1, of: limit, nowNs: Self.second)]
    #expect(atOnce == [3, 0])
    #expect(meter.nextNs(limit) == Self.second + Self.second / 2)
    let later = [meter.take(5, of: limit, nowNs: 2 * Self.second), meter.take(5, of: limit, nowNs: 100 * Self.second)]
    #expect(later == [2, 3])
    #expect(!meter.isIdle(nowNs: 100 * Self.second) && meter.isIdle(nowNs: 102 * Self.second))
  }

  @Test func noCountAndNoClockIsTooLarge() {
    for limit in [
      RateLimit(perDay: 1, burst: .max), RateLimit(perSecond: 1e12, burst: .max), RateLimit(perDay: .max, burst: 1),
    ] {
      for nowNs in [Int64.min, -1, 0, 1, .max] {
        var meter = RateMeter()
        for count in [Int.max, .min, 0, 1] {
          let taken = meter.take(count, of: limit, nowNs: nowNs)
          #expect(taken >= 0)
        }
        _ = meter.nextNs(limit)
        _ = meter.isIdle(nowNs: nowNs)
      }
    }
  }

  @Test func aClockThatIsSetBackBlocksForNoLongerThanTheBurst() {
    let limit = RateLimit(perSecond: 1, burst: 10)
    var meter = RateMeter()
    let taken = [1_000_000, 5, 15].map { meter.take(10, of: limit, nowNs: $0 * Self.second) }
    #expect(taken == [10, 0, 10])
  }

  @Test func subjectsThatAreIdleAreForgottenAndTooManyGetNothing() {
    var meters = RateMeters<Int>(RateLimit(perSecond: 1, burst: 1), subjectsMax: 2000)
    var first = 0
    for subject in 0..<2000 where meters.take(subject, nowNs: 0) { first += 1 }
    #expect(first == 2000 && meters.count == 2000)
    let beyond = meters.take(2000, nowNs: 0)
    let later = meters.take(2000, nowNs: 2 * Self.second)
    #expect(!beyond && later && meters.count == 1)
  }
}
