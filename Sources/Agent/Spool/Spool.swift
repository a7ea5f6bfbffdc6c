package import FleetModel
package final class Spool {
  package let id = SpoolID(high: 0, low: 0)
  func append(_ encoded: [UInt8], lane: Lane, nowNs: Int64) {}
  func resume(from: [LaneMark], nowNs: Int64, random: inout any RandomNumberGenerator) -> Bool { true }
  func acked(_ lane: Lane, through: UInt64) {}
  func next(_ lane: Lane, budgetBytes: Int) -> SpooledItem? { nil }
  func hasUnsent(_ lane: Lane) -> Bool { false }
  func unsentBytes(_ lane: Lane) -> Int { 0 }
  var syncAtNs: Int64? { nil }
}
