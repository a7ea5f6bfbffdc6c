/// PostgreSQL counts µs from 2000-01-01 UTC; Signalbox µs and ns from 1970. Its infinities stay the greatest and the least number.
package enum PostgresTime {
  /// 2000-01-01 in µs since 1970.
  @inlinable package static var epochUs: Int64 { 946_684_800_000_000 }

  @inlinable package static func fromUnix(us: Int64) -> Int64 {
    let (difference, isTooFar) = us.subtractingReportingOverflow(epochUs)
    return isTooFar ? .min : difference
  }

  @inlinable package static func toUnix(us: Int64) -> Int64 {
    let (sum, isTooFar) = us.addingReportingOverflow(epochUs)
    return isTooFar ? .max : sum
  }

  /// - Parameter us: µs since 1970.
  /// - Returns: ns since 1970; the greatest or the least where 64 bits do not hold it (before 1677, after 2262).
  package static func ns(us: Int64) -> Int64 {
    let (product, isTooFar) = us.multipliedReportingOverflow(by: 1000)
    return isTooFar ? (us < 0 ? .min : .max) : product
  }
}
