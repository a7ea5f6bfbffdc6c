internal import FleetModel
internal import Schema

/// What bounds the work of the control thread.
struct ControlLimits: Sendable {
  /// Hellos of one host: a restart or two at once, then one a second. Further ones wait, the newest alone.
  var hellos = RateLimit(perSecond: 1, burst: 5)
  /// Renewals of one host; it needs one a month.
  var renewals = RateLimit(perSecond: 1.0 / 60, burst: 4)
  /// Joins of one address: a rack behind one router joins within a minute.
  var joinsPerAddress = RateLimit(perSecond: 4, burst: 32)
  /// Joins in all: at about 10 ms each, a fifth of the thread.
  var joins = RateLimit(perSecond: 20, burst: 64)
  /// Joins that wait for their turn; more are answered with "try again".
  var waitingJoins = 64
  /// Hosts or addresses whose limits are in use at once. More than a fleet has, about 10 MB.
  var subjectsMax = 1 << 17
}

/// What the control thread has to do, in the order in which it is done: established hosts first.
///
/// 1. ends and first uses, because a Hello of the same host is judged by them, one statement each; a renewed authority;
/// 2. Hellos, one for each host, the host that came first before the others;
/// 3. pages of marks, of hosts that are welcome already;
/// 4. renewals, then joins.
///
/// So a known host waits for at most one statement of a stranger's, and one that sends Hello without end takes a second's
/// place in each second and no more. No I/O; time is passed in.
struct ControlQueue {
  private var notes = FIFO<ControlMessage>()
  private var hellos: [HostID: ControlMessage] = [:]
  private var helloOrder = FIFO<HostID>()
  /// Wait for their limit, and are in no queue until then.
  private var parked: [HostID] = []
  private var parkedUntilNs = Int64.max
  private var marks = FIFO<ControlMessage>()
  private var renewals = FIFO<ControlMessage>()
  private var joins = FIFO<ControlMessage>()
  private var helloRates: RateMeters<HostID>
  private var renewalRates: RateMeters<HostID>
  private var addressRates: RateMeters<String>
  private var joinRate = RateMeter()
  private let limits: ControlLimits
  private(set) var isStopping = false

  init(limits: ControlLimits = ControlLimits()) {
    self.limits = limits
    helloRates = RateMeters(limits.hellos, subjectsMax: limits.subjectsMax)
    renewalRates = RateMeters(limits.renewals, subjectsMax: limits.subjectsMax)
    addressRates = RateMeters(limits.joinsPerAddress, subjectsMax: limits.subjectsMax)
  }

  /// - Returns: what is not going to be done: this one, or the one that it replaces.
  mutating func add(_ message: ControlMessage, nowNs: Int64) -> RefusedControl? {
    switch message {
    case .ended, .firstUsed, .authority: notes.append(message)
    case .fence(let host, _, _, _): return addHello(message, of: host)
    case .marks: marks.append(message)
    case .renew(_, _, let host, _):
      guard renewalRates.take(host, nowNs: nowNs) else { return RefusedControl(message, .tooOften) }
      renewals.append(message)
    case .join(_, let address, _): return addJoin(message, from: address, nowNs: nowNs)
    case .stop: isStopping = true
    }
    return nil
  }

  private mutating func addHello(_ message: ControlMessage, of host: HostID) -> RefusedControl? {
    // The newer stream fences the older one anyway: the older one's turn would be wasted.
    if let older = hellos.updateValue(message, forKey: host) { return RefusedControl(older, .replaced) }
    helloOrder.append(host)
    return nil
  }

  private mutating func addJoin(_ message: ControlMessage, from address: String, nowNs: Int64) -> RefusedControl? {
    guard joins.count < limits.waitingJoins else { return RefusedControl(message, .busy) }
    guard addressRates.take(address, nowNs: nowNs) else { return RefusedControl(message, .tooOften) }
    guard joinRate.take(1, of: limits.joins, nowNs: nowNs) == 1 else { return RefusedControl(message, .busy) }
    joins.append(message)
    return nil
  }

  /// What is to be done now; nil where nothing is due.
  mutating func next(nowNs: Int64) -> ControlMessage? {
    if let note = notes.popFirst() { return note }
    if isStopping { return nil }
    return nextHello(nowNs) ?? marks.popFirst() ?? renewals.popFirst() ?? joins.popFirst()
  }

  private mutating func nextHello(_ nowNs: Int64) -> ControlMessage? {
    if nowNs >= parkedUntilNs { unpark(nowNs) }
    while let host = helloOrder.popFirst() {
      if helloRates.take(host, nowNs: nowNs) { return hellos.removeValue(forKey: host) }
      parked.append(host)
      parkedUntilNs = min(parkedUntilNs, max(nowNs + 1, helloRates.nextNs(host)))
    }
    return nil
  }

  private mutating func unpark(_ nowNs: Int64) {
    let due = parked.filter { helloRates.nextNs($0) <= nowNs }
    parked.removeAll { helloRates.nextNs($0) <= nowNs }
    parkedUntilNs = parked.map { helloRates.nextNs($0) }.min() ?? .max
    for host in due { helloOrder.append(host) }
  }

  /// When `next` may have something although nothing new comes; nil: not before then.
  var dueNs: Int64? {
    if isStopping { return notes.isEmpty ? nil : .min }
    let isReady = !(notes.isEmpty && helloOrder.isEmpty && marks.isEmpty && renewals.isEmpty && joins.isEmpty)
    if isReady { return .min }
    return parkedUntilNs == .max ? nil : parkedUntilNs
  }
}

/// What the control thread does not do, and why.
struct RefusedControl {
  enum Reason {
    /// A newer Hello of the same host came.
    case replaced
    /// More than this host or address may ask for.
    case tooOften
    /// More than all may ask for together.
    case busy
  }

  let message: ControlMessage
  let reason: Reason

  init(_ message: ControlMessage, _ reason: Reason) {
    self.message = message
    self.reason = reason
  }

  /// The gRPC status message: what to do.
  var sentence: String {
    switch reason {
    case .replaced: FleetProtocol.fencedMessage
    case .tooOften: "too many requests from here; try again in a few seconds"
    case .busy: "many hosts join at once; try again in a few seconds"
    }
  }
}

/// First in, first out, without moving what waits.
struct FIFO<Element> {
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func popFirst() -> Element? {
    guard head < elements.count else { return nil }
    defer {
      // Slots of what was given out go in large pieces.
      if head == elements.count || head > 1024 {
        elements.removeFirst(head)
        head = 0
      }
    }
    let element = elements[head]
    elements[head] = nil
    head += 1
    return element
  }
}
