/// PostgreSQL counts µs from 2000-01-01 UTC; Signalbox µs and ns from 1970.
package enum PostgresTime {
  /// 2000-01-01 in µs since 1970.
  @inlinable package static var epochUs: Int64 { 946_684_800_000_000 }
  @inlinable package static func fromUnix(us: Int64) -> Int64 { us &- epochUs }
  @inlinable package static func toUnix(us: Int64) -> Int64 { us &+ epochUs }
}
