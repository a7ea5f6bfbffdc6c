import FleetModel
import Testing

@Suite struct HostQuotaTests {
  private static let second: Int64 = 1_000_000_000

  private static func quota(_ burst: Int64) -> HostQuota {
    HostQuota { _ in RateLimit(perSecond: 1, burst: burst) }
  }

  @Test func whatIsBeyondIsLeftOutAndToldOncePerMinute() {
    var quota = Self.quota(3)
    var records = Records()
    records.disks = [DiskSample](repeating: DiskSample(), count: 5)
    records.events = [Event](repeating: Event(), count: 2)
    quota.trim(&records, nowNs: 0)
    #expect(records.disks.count == 3 && records.events.count == 2)
    let first = quota.takeRefusals(nowNs: 0)
    #expect(first == [HostQuota.Refusal(kind: .samples, rows: 2)])
    quota.refuse(7, of: .samples)
    let soon = quota.takeRefusals(nowNs: 59 * Self.second)
    #expect(soon.isEmpty)
    let later = quota.takeRefusals(nowNs: 60 * Self.second)
    #expect(later == [HostQuota.Refusal(kind: .samples, rows: 7)])
  }

  @Test func aRefusedFileIsRememberedUntilItMayBegin() {
    var quota = Self.quota(1)
    let keys = (1...3 as ClosedRange<UInt64>).map { FileKey(high: 0, low: $0) }
    let taken = keys.map { quota.takeFile($0, nowNs: 0) }
    #expect(taken == [true, false, false] && quota.refusedFiles == Set(keys[1...]))
    let again = quota.takeFile(keys[1], nowNs: Self.second)
    #expect(again && quota.refusedFiles == [keys[2]])
  }

  /// What the field's largest honest hosts need must never be refused.
  @Test(arguments: [
    // Rows a day, and at once after an outage or at first sight.
    (HostQuota.Kind.samples, 500 * 86_400, 3 * 500 * 86_400), (.steps, 1000 * 86_400, 250_000_000),
    (.files, 20_000, 100_000), (.runs, 1000, 10_000), (.episodes, 2_000_000, 10_000_000),
  ])
  func honestHostsAreWithinTheirQuotas(kind: HostQuota.Kind, perDay: Int, atOnce: Int) {
    var quota = HostQuota()
    var taken = 0
    let parts = 100
    for _ in 0..<parts { taken += quota.take(atOnce / parts, of: kind, nowNs: 0) }
    #expect(taken == atOnce / parts * parts)
    for day in 1...60 as ClosedRange<Int64> {
      let count = quota.take(perDay, of: kind, nowNs: day * 86_400 * Self.second)
      #expect(count == perDay)
    }
  }

  /// 2^31 numbers of runs and of files.
  @Test func noHostUsesUpTheNumbers() {
    for kind in [HostQuota.Kind.runs, .files] {
      let perYear = 365 * 86_400 * Self.second / kind.limit.intervalNs
      #expect(kind.limit.burst + 50 * perYear < Int64(Int32.max) / 2)
    }
  }
}
