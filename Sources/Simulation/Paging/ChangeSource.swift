internal import FleetModel

/// Stands in for the rules: conditions begin, end and return. Changes are posted at least once: those that are not
/// recorded when their collector ends are posted again to the host's next collector.
final class ChangeSource {
  struct Opening {
    let change: IncidentChange
    let postedNs: Int64
    var endedNs: Int64?
  }

  private unowned let world: PagingWorld
  /// Changes of each host that are not recorded, oldest first.
  private var waiting: [[IncidentChange]]
  private var collectorOf: [Int]
  private var isConnected: [Bool]
  private(set) var openings: [Opening] = []
  /// Each host's open conditions: indexes into `openings`, by entity.
  private var open: [[Int: Int]]
  private let entities: Int
  private var returns: [Int: Int] = [:]
  /// Event time of the newest change; no two changes have the same.
  private var eventNs: Int64 = 0
  /// Collectors that the changes of each condition were posted to.
  private var collectorsOf: [Substring: Set<Int>] = [:]

  private var posts: [String: Int] = [:]

  /// Whether a condition was posted to several collectors, or again to the same one after a kill.
  /// - Parameter dedupKey: `rule|host|entity|start`.
  func isPostedAgain(_ dedupKey: String) -> Bool {
    (collectorsOf[Self.condition(dedupKey)]?.count ?? 0) > 1 || (posts[dedupKey] ?? 0) > 1
  }

  private static func condition(_ dedupKey: String) -> Substring {
    dedupKey[..<(dedupKey.lastIndex(of: "|") ?? dedupKey.endIndex)]
  }

  init(world: PagingWorld, hosts: Int, entities: Int) {
    self.world = world
    self.entities = entities
    waiting = Array(repeating: [], count: hosts)
    open = Array(repeating: [:], count: hosts)
    isConnected = Array(repeating: true, count: hosts)
    collectorOf = (0..<hosts).map { $0 % world.plan.collectors }
  }

  private func change(_ kind: IncidentChange.Kind, _ host: Int, _ entity: Int) -> IncidentChange {
    eventNs = max(eventNs + 1000, world.wallNs / 1000 * 1000)
    var change = IncidentChange(
      kind, rule: "R", severity: .p0, hostNumber: Int32(host), hostName: "h\(host)", entity: "e\(entity)",
      eventNs: eventNs, detectedNs: world.wallNs)
    change.summary = "s"
    return change
  }

  func step() {
    let host = world.random.within(0...waiting.count - 1)
    let entity = world.random.within(0...entities - 1)
    if open[host][entity] != nil { return end(host, entity) }
    // No further beginnings once the condition flaps: by then the store and memory differ on whether it is paged.
    returns[host * entities + entity, default: 0] += 1
    if returns[host * entities + entity] ?? 0 <= 3 { begin(host, entity) }
  }

  private func begin(_ host: Int, _ entity: Int) {
    let change = change(.opened, host, entity)
    open[host][entity] = openings.count
    openings.append(Opening(change: change, postedNs: world.nowNs))
    post(change, host)
  }

  private func end(_ host: Int, _ entity: Int) {
    guard let opening = open[host].removeValue(forKey: entity) else { return }
    openings[opening].endedNs = world.nowNs
    post(change(.cleared, host, entity), host)
  }

  func endAll() {
    for host in open.indices {
      for entity in open[host].keys.sorted() { end(host, entity) }
    }
  }

  private func post(_ change: IncidentChange, _ host: Int) {
    world.log { "\(change.kind == .opened ? "opened" : "cleared") \(change.dedupKey)" }
    waiting[host].append(change)
    // While the host is disconnected, its changes wait, so that their order is kept.
    if isConnected[host] {
      send(change, host)
    }
  }

  private func send(_ change: IncidentChange, _ host: Int) {
    let number = collectorOf[host]
    sent[number].append(host)
    posts[change.dedupKey, default: 0] += 1
    collectorsOf[Self.condition(change.dedupKey), default: []].insert(number)
    world.collectors[number].post([change])
  }

  /// Hosts of the changes that were posted to each collector and are not recorded, oldest first.
  private lazy var sent: [[Int]] = Array(repeating: [], count: world.plan.collectors)

  func recorded(_ collector: Int, _ count: Int) {
    for _ in 0..<count where !sent[collector].isEmpty {
      let host = sent[collector].removeFirst()
      if !waiting[host].isEmpty { waiting[host].removeFirst() }
    }
  }

  /// To be called when a collector has ended: its hosts connect to another one, or to the same one when it is back, and
  /// post their unrecorded changes again.
  func lost(_ collector: Int) {
    sent[collector] = []
    for host in collectorOf.indices where collectorOf[host] == collector && isConnected[host] {
      isConnected[host] = false
      if world.random.chance(0.5) { collectorOf[host] = world.random.within(0...world.plan.collectors - 1) }
      connect(host, after: world.random.within(100 * .millisecond...3 * .second))
    }
  }

  private func connect(_ host: Int, after delayNs: Int64) {
    world.scheduler.after(delayNs) { [self] in
      let number = collectorOf[host]
      guard world.collectors[number].isRunning else { return connect(host, after: .second) }
      isConnected[host] = true
      for change in waiting[host] { send(change, host) }
    }
  }

  var isRecorded: Bool { waiting.allSatisfy(\.isEmpty) }
}
