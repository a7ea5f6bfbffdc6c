internal import FleetModel

/// What was sent and not yet acked, as marks only.
struct UplinkWindow: Sendable {
  struct InFlightBatch: Sendable {
    var number: UInt64
    var sentNs: Int64
    var bytes: Int
    /// Of `bytes`, backfill and file deltas.
    var bulkBytes: Int
    /// Last sequence of each lane in it.
    var lanes: [Lane: UInt64]
    var files: [(key: FileKey, offset: UInt64)]
  }

  private var batches: [InFlightBatch] = []
  private(set) var bytes = 0
  private(set) var bulkBytes = 0
  /// How much bulk may be un-acked: begins small, since it is not known how slow the link is, doubles with each round of
  /// timely acks, halves with a late one.
  private(set) var bulkLimitBytes: Int
  /// A late ack halves the limit once for all batches that were under way then.
  private var halvedAtNumber: UInt64 = 0
  private var lastNumber: UInt64 = 0
  private let limits: UplinkLimits

  init(limits: UplinkLimits) {
    self.limits = limits
    bulkLimitBytes = min(limits.bulkWindowFloorBytes, limits.windowBytes)
  }

  var isEmpty: Bool { batches.isEmpty }
  var count: Int { batches.count }
  var hasRoom: Bool { batches.count < limits.batchesMax && bytes < limits.windowBytes }
  /// How much bulk the next batch may take; 0 where there is not room for a piece that is worth a batch: only so many may
  /// be under way, and small ones would leave a fast link idle. One bulk batch may always be under way.
  var bulkRoomBytes: Int {
    let room = bulkLimitBytes - bulkBytes
    let worthwhile = min(limits.batchBytes, max(limits.bulkWindowFloorBytes, bulkLimitBytes / 4))
    return bulkBytes == 0 || room >= worthwhile ? room : 0
  }

  /// The oldest batch under way has waited for its ack for too long.
  func isStalled(nowNs: Int64) -> Bool {
    guard let first = batches.first else { return false }
    return nowNs - first.sentNs > limits.stalledAckNs
  }

  mutating func reset() {
    batches = []
    bytes = 0
    bulkBytes = 0
    halvedAtNumber = 0
    lastNumber = 0
  }

  mutating func sent(_ batch: InFlightBatch) {
    bytes += batch.bytes
    bulkBytes += batch.bulkBytes
    lastNumber = batch.number
    batches.append(batch)
  }

  /// Takes the oldest batch that `number` acks.
  mutating func acked(upTo number: UInt64, nowNs: Int64) -> InFlightBatch? {
    guard let first = batches.first, first.number <= number else { return nil }
    batches.removeFirst()
    bytes -= first.bytes
    bulkBytes -= first.bulkBytes
    if first.bulkBytes > 0 { adapt(first, nowNs: nowNs) }
    return first
  }

  private mutating func adapt(_ batch: InFlightBatch, nowNs: Int64) {
    if nowNs - batch.sentNs <= limits.slowAckNs {
      bulkLimitBytes = min(limits.windowBytes, bulkLimitBytes + batch.bulkBytes)
    } else if batch.number > halvedAtNumber {
      bulkLimitBytes = max(limits.bulkWindowFloorBytes, bulkLimitBytes / 2)
      halvedAtNumber = lastNumber
    }
  }
}
