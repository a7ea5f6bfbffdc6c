internal import Files
internal import FleetModel

/// Reads /dev/kmsg and turns records that report trouble into events, a bounded number of them.
struct KernelLogReader: ~Copyable {
  private let path: String
  private var device: Descriptor?
  private var bytes = [UInt8](repeating: 0, count: 8 << 10)
  private var budget = EventBudget()
  /// The last record read: what a restarted agent has already reported.
  private(set) var sequence: UInt64?
  /// Records that the kernel overwrote before they were read, since the start.
  private(set) var overruns: UInt64 = 0

  /// Older records than this at the first opening were never reported, but are no longer news.
  static let lookBackNs: Int64 = 300_000_000_000

  /// - Parameter after: the last record that was reported in this boot; nil where none was.
  init(path: String, after: UInt64?) {
    self.path = path
    sequence = after
  }

  /// Without CAP_SYSLOG, or where the unit protects the kernel's log, there is nothing to read.
  var isOpen: Bool { device != nil }

  mutating func read(wallNs: Int64, monotonicNs: Int64, into events: inout [Event]) {
    if device == nil { device = try? Descriptor.open(path, .read) }
    for _ in 0..<SamplingLimits.kernelRecordsPerSample {
      guard let got = next(), got > 0 else { break }
      appendEvents(count: got, wallNs, monotonicNs, &events)
    }
    budget.settle(wallNs: wallNs, into: &events)
  }

  /// One read gives one record.
  private mutating func next() -> Int? {
    do {
      return try device?.reread(into: &bytes, from: 0, at: nil)
    } catch {
      // The next read goes on at the oldest record that is left.
      if error.isOverrun || error.isTooShort {
        overruns += 1
        return next(again: ())
      }
      device = nil
      return nil
    }
  }

  private mutating func next(again: Void) -> Int? {
    do { return try device?.reread(into: &bytes, from: 0, at: nil) } catch { return nil }
  }

  private mutating func appendEvents(count: Int, _ wallNs: Int64, _ monotonicNs: Int64, _ events: inout [Event]) {
    // Read in place through a second reference, which ends here: nothing is copied.
    let bytes = bytes
    var last = sequence
    var budget = budget
    let text = bytes.span.extracting(0..<count)
    var cursor = ProcCursor()
    while cursor.at < count {
      guard let record = KernelRecord.next(text, &cursor) else { continue }
      if let last, record.sequence <= last { continue }
      last = record.sequence
      let age = monotonicNs - Int64(min(record.timeUs, 1 << 50)) * 1000
      guard age <= Self.lookBackNs, let finding = KernelMessages.finding(text, record.text) else { continue }
      var event = Event()
      event.timeNs = wallNs - max(0, age)
      event.kind = finding.kind
      event.level = finding.level
      event.subject = finding.subject
      event.message = finding.message
      budget.offer(event, monotonicNs: monotonicNs, into: &events)
    }
    sequence = last
    self.budget = budget
  }
}

/// Lets a burst of events through, then one every few seconds; what is held back is counted and reported.
struct EventBudget {
  static let burst = 30
  static let refillNs: Int64 = 2_000_000_000

  private var left = EventBudget.burst
  private var refilledNs: Int64 = 0
  private var heldBack = 0

  mutating func offer(_ event: Event, monotonicNs: Int64, into events: inout [Event]) {
    let steps = max(0, (monotonicNs - refilledNs) / Self.refillNs)
    if steps > 0 {
      left = Int(min(Int64(Self.burst), Int64(left) + steps))
      refilledNs = monotonicNs
    }
    guard left > 0 else {
      heldBack += 1
      return
    }
    left -= 1
    events.append(event)
  }

  mutating func settle(wallNs: Int64, into events: inout [Event]) {
    guard heldBack > 0, left > 0 else { return }
    var event = Event()
    event.timeNs = wallNs
    event.kind = .kernel
    event.level = .warn
    event.subject = "kmsg"
    event.message = "\(heldBack) kernel messages of trouble were left out: more than one every two seconds"
    events.append(event)
    left -= 1
    heldBack = 0
  }
}
