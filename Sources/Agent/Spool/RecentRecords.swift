/// The newest records of a lane, one after the other: those that the disk would not take yet among them.
struct RecentRecords {
  private var payloads: [[UInt8]] = []
  private var head = 0
  /// Sequence of the oldest one here.
  private(set) var first: UInt64
  private(set) var bytes = 0

  init(next: UInt64) {
    first = next
  }

  var isEmpty: Bool { head == payloads.count }
  var count: Int { payloads.count - head }

  func payload(of sequence: UInt64) -> [UInt8]? {
    guard sequence >= first, sequence - first < UInt64(count) else { return nil }
    return payloads[head + Int(sequence - first)]
  }

  mutating func append(_ payload: [UInt8]) {
    payloads.append(payload)
    bytes += payload.count
  }

  mutating func removeFirst() {
    bytes -= payloads[head].count
    payloads[head] = []
    head += 1
    first += 1
    if head >= 64, head * 2 >= payloads.count {
      payloads.removeFirst(head)
      head = 0
    }
  }

  /// Bytes from `sequence` on; nil where some of them are no longer here.
  func bytes(from sequence: UInt64) -> Int? {
    guard sequence >= first else { return nil }
    var sum = 0
    var index = sequence - first
    while index < UInt64(count) {
      sum += payloads[head + Int(index)].count
      index += 1
    }
    return sum
  }
}
