internal import FleetModel
internal import Logging

/// The warning of a loop that tries again several times a second: the first ones are logged at once, further ones twice a minute with how
/// many were left out, so that a database that is away for a day does not fill the disk with its log.
struct RepeatedWarning {
  private static let limit = RateLimit(perSecond: 1.0 / 30, burst: 3)
  private var meter = RateMeter()
  private var omitted = 0

  /// - Parameter nowNs: monotonic.
  /// - Returns: what to log with the warning; nil where it is left out.
  mutating func metadata(_ error: some CustomStringConvertible, nowNs: Int64) -> Logger.Metadata? {
    guard meter.take(1, of: Self.limit, nowNs: nowNs) == 1 else {
      omitted += 1
      return nil
    }
    defer { omitted = 0 }
    let metadata: Logger.Metadata = ["error": "\(error)"]
    return omitted > 0 ? metadata.merging(["omitted": "\(omitted)"]) { $1 } : metadata
  }
}
