import FleetModel
import Incidents
import Store

@testable import Simulation

/// One seed: a random sequence of operations on the model of the outbox and, where there is one, on the store.
final class OutboxRun {
  /// A process that writes changes, claims and sends.
  struct Collector {
    let number: Int
    var process = 1
    var groups = 0
    var lease: SimulatedOutbox.Lease?
    var storedLease: Lease?
    var claimed: [Claimed] = []
    /// Whose rows memory may still send.
    var reservations: [String] = []

    var holder: String { "c\(number)/\(process)" }
  }

  /// A message that is under way.
  struct Claimed {
    let delivery: Delivery
    let stored: Delivery?
    let lease: SimulatedOutbox.Lease
    let storedLease: Lease?
  }

  /// A condition that began, whether or not the database has it.
  struct Opening {
    let change: IncidentChange
    var isCleared = false
  }

  static let startNs = 1_790_000_000 * Int64.second

  var random: SeededRandom
  let model = SimulatedOutbox()
  private let stored: StoredOutbox?
  private(set) var nowNs = OutboxRun.startNs
  private var collectors = [Collector(number: 0), Collector(number: 1)]
  var openings: [Opening] = []
  private var changes: [IncidentChange] = []
  private var lastEventNs = OutboxRun.startNs
  private let policy: PagingPolicy
  let planned: [PlannedDelivery]
  let fallback: String?
  /// What memory has reported last of each message.
  var sent: [String: LocalPage] = [:]
  var memoryLists = 0
  /// Of the last operation.
  private var text = ""
  /// What the seed has reached.
  private(set) var seen: Set<String> = []

  init(seed: UInt64, stored: StoredOutbox?) throws {
    random = SeededRandom(seed: seed)
    self.stored = stored
    let escalationNs = random.within(1...12) * Int64.second
    var steps = [
      PlannedDelivery(receiver: "duty", dueNs: 0), PlannedDelivery(receiver: "lead", dueNs: escalationNs, step: 1),
    ]
    // Who was paged first is paged once more.
    if random.chance(0.3) {
      steps.append(PlannedDelivery(receiver: "duty", dueNs: escalationNs + 5 * .second, step: 2))
    }
    planned = steps
    fallback = random.chance(0.7) ? "safety" : nil
    let perMinute = random.within(1...8)
    var people: Set<String> = []
    for receiver in ["duty", "lead", "safety"] where random.chance(0.4) { people.insert(receiver) }
    policy = PagingPolicy(fallback: fallback, messagesPerMinute: perMinute, readByPeople: people) { [steps] _, nowNs in
      steps.map { step in
        var step = step
        step.dueNs += nowNs
        return step
      }
    }
    try stored?.clear()
    if random.chance(0.3) { try mute("e0") }
  }

  private func mute(_ entity: String) throws {
    model.muted = [entity]
    var silence = Silence(
      author: "test", reason: "test", startsNs: nowNs - .second, endsNs: nowNs + 1_000_000 * .second)
    silence.entity = entity
    _ = try stored?.store.addSilence(silence, nowNs: nowNs)
  }

  // MARK: Operations

  /// Does one more operation.
  /// - Returns: what differs between the model and the store, with both tables; nil for nothing.
  func step() throws -> String? {
    pass()
    try stored?.setClock(nowNs)
    text = "time goes on"
    var difference: String?
    switch random.within(0...99) {
    case ..<28: try apply()
    case ..<32: try acknowledge()
    case ..<38: difference = try takeLease(random.within(0...1))
    case ..<60: difference = try claim()
    case ..<78: difference = try settle()
    case ..<92: try reconcile()
    case ..<95: try restart()
    case ..<98: try extendClaims()
    default: break
    }
    for row in model.rows { seen.insert("row \(row.event.rawValue) \(row.state.rawValue)") }
    guard let stored else { return nil }
    let (own, other) = (model.tables(since: Self.startNs), try stored.tables(since: Self.startNs))
    if difference == nil, own != other { difference = "the tables differ" }
    return difference.map { "\($0) after: \(text)\n\(own.compared(with: other))" }
  }

  private func pass() {
    let passedNs: Int64 =
      switch random.within(0...9) {
      case 0, 1: 0
      case 2...5: random.within(1...2000) * .millisecond
      case 6, 7: random.within(2000...12_000) * .millisecond
      case 8: random.within(15_000...40_000) * .millisecond
      default: random.chance(0.3) ? random.within(60...700) * .second : random.within(40...70) * .second
      }
    nowNs += passedNs
  }

  private func describe(_ what: String) {
    let ms = (nowNs - Self.startNs) / .millisecond
    text = "+\(ms / 1000).\(String(1000 + ms % 1000).dropFirst()) \(what)"
  }

  private func apply() throws {
    let collector = random.within(0...1)
    var group = (0..<random.within(1...5)).compactMap { _ in nextChange() }
    // What another collector, or this one before it was killed, has posted.
    if random.chance(0.3), let again = changes.randomElement(using: &random) { group.append(again) }
    collectors[collector].groups += 1
    let name = Reservation.name(collectors[collector].holder, collectors[collector].groups)
    let reservation = Reservation(
      name: name, mayBePaged: Set(group.map(\.dedupKey).filter { _ in random.chance(0.3) }))
    collectors[collector].reservations.append(name)
    describe("apply \(group.map(\.text)), \(reservation)")
    model.apply(group, policy: policy, reservation: reservation, nowNs: nowNs)
    try stored?.store.apply(group, policy: policy, reservation: reservation, nowNs: nowNs)
    if model.incidents.contains(where: { $0.change > 2 && $0.state == .open }) { seen.insert("a return") }
  }

  private func nextChange() -> IncidentChange? {
    let (host, entity) = (random.within(0...1), random.within(0...3))
    let own = openings.indices.filter {
      openings[$0].change.hostName == "h\(host)" && openings[$0].change.entity == "e\(entity)"
    }
    // Beginning and end are often posted one after the other, and now and then twice.
    let kind: IncidentChange.Kind =
      own.last.map { !openings[$0].isCleared } ?? false ? random.chance(0.9) ? .cleared : .opened : .opened
    // What flaps is paged in another way.
    if kind == .opened, own.count >= 3 { return nil }
    lastEventNs = max(lastEventNs + .millisecond, nowNs - random.within(0...2000) * .millisecond)
    var eventNs = lastEventNs
    // Of a host whose clock was set back.
    if random.chance(0.1) { eventNs -= random.within(1...60_000) * .millisecond }
    let lateNs = random.chance(0.05) ? random.within(1...100_000) * .second : random.within(0...5000) * .millisecond
    let change = IncidentChange(
      kind, rule: "R", severity: .p0, hostName: "h\(host)", entity: "e\(entity)", eventNs: eventNs,
      detectedNs: nowNs - lateNs)
    if changes.contains(where: { $0.identity == change.identity && $0.eventNs == eventNs }) { return nil }
    changes.append(change)
    if kind == .opened {
      openings.append(Opening(change: change))
    } else if let last = own.last {
      openings[last].isCleared = true
    }
    return change
  }

  private func acknowledge() throws {
    let open = model.incidents.filter { $0.state == .open || $0.state == .muted }
    guard let incident = open.randomElement(using: &random) else { return }
    describe("acknowledge \(incident.number)")
    model.acknowledge(incident.number, nowNs)
    try stored?.store.acknowledge(incident: incident.number, actor: "test", nowNs: nowNs)
  }

  // MARK: Dispatching

  private func takeLease(_ collector: Int) throws -> String? {
    let (former, holder) = (collectors[collector].lease, collectors[collector].holder)
    let adoptNs = nowNs + random.within(0...5) * .second
    describe("\(holder) takes the lease, adopts at +\((adoptNs - nowNs) / .second)")
    let lease = model.takeLease(holder, seconds: 10, nowNs: nowNs)
    let isNew = lease != nil && lease?.fence != former?.fence
    if let lease, isNew {
      model.adoptDeliveries(lease, atNs: adoptNs)
      seen.insert("a lease that moves")
    }
    collectors[collector].lease = lease
    guard let store = stored?.store else { return nil }
    let other = try store.takeLease("paging", holder: holder, seconds: 10)
    collectors[collector].storedLease = other
    if lease?.fence != other?.fence {
      return "the model's lease is \(lease?.fence ?? 0), the store's \(other?.fence ?? 0)"
    }
    if let other, isNew { try store.adoptDeliveries(other, atNs: adoptNs) }
    return nil
  }

  private func claim() throws -> String? {
    var collector = random.within(0...1)
    if random.chance(0.85) {
      for next in [collector, 1 - collector] {
        if let difference = try takeLease(next) { return difference }
        collector = next
        if collectors[next].lease != nil { break }
      }
    }
    guard let lease = collectors[collector].lease else { return nil }
    var loads: [String: ReceiverLoad] = [:]
    for claimed in collectors[collector].claimed { loads[claimed.delivery.receiver, default: .init()].unanswered += 1 }
    if random.chance(0.05) { loads["duty", default: .init()].closedUntilNs = nowNs + .second }
    describe("\(collectors[collector].holder) claims under fence \(lease.fence)")
    let deliveries = model.claim(lease, loads: loads, policy: policy, nowNs: nowNs)
    guard let store = stored?.store, let storedLease = collectors[collector].storedLease else {
      collectors[collector].claimed += (deliveries ?? []).map {
        Claimed(delivery: $0, stored: nil, lease: lease, storedLease: nil)
      }
      for one in deliveries ?? [] { seen.insert("\(one.isList ? "list" : "single") \(one.event.rawValue)") }
      return nil
    }
    var others: [Delivery]?
    do throws(StoreError) {
      others = try store.claimDeliveries(storedLease, loads: loads, policy: policy, nowNs: nowNs)
    } catch {
      guard case .leaseLost = error else { throw error }
    }
    let (own, other) = (deliveries?.map(\.compared), others?.map(\.compared))
    collectors[collector].claimed += zip(deliveries ?? [], others ?? []).map {
      Claimed(delivery: $0, stored: $1, lease: lease, storedLease: storedLease)
    }
    if own == other { return nil }
    return "the model claims \(own?.description ?? "nothing"),\nthe store \(other?.description ?? "nothing")"
  }

  private func settle() throws -> String? {
    let collector = collectors[0].claimed.isEmpty ? 1 : random.within(0...1)
    guard let index = collectors[collector].claimed.indices.randomElement(using: &random) else { return nil }
    let claimed = collectors[collector].claimed.remove(at: index)
    let outcome: DeliveryOutcome =
      switch random.within(0...9) {
      case 0...4: .delivered(answer: "200")
      case 5: .delivered(answer: Delivery.nothingToSend)
      case 6: .refused(answer: "400")
      default: .retry(atNs: nowNs + random.within(0...20) * .second, answer: "500")
      }
    describe("settle \(claimed.delivery.compared) as \(outcome) under fence \(claimed.lease.fence)")
    let isDone = model.settle(claimed.delivery, outcome, claimed.lease, policy: policy, nowNs: nowNs)
    if !isDone { seen.insert("an answer without the lease") }
    guard let store = stored?.store, let delivery = claimed.stored, let lease = claimed.storedLease else { return nil }
    var isStored = true
    do throws(StoreError) {
      try store.settle(delivery, outcome, lease, policy: policy, nowNs: nowNs)
    } catch {
      guard case .leaseLost = error else { throw error }
      isStored = false
    }
    return isDone == isStored ? nil : "settled in the model: \(isDone), in the store: \(isStored)"
  }

  // MARK: What memory has sent

  private func reconcile() throws {
    let collector = random.within(0...1)
    let pages = nextPages()
    let freed = random.within(0...collectors[collector].reservations.count)
    let freeing = Array(collectors[collector].reservations.prefix(freed))
    collectors[collector].reservations.removeFirst(freed)
    let holding = collectors[collector].reservations.last
    describe("reconcile \(pages.map(\.text)), freeing \(freeing), holding \(holding ?? "-")")
    let before = model.rows.count
    model.reconcile(pages, freeing: freeing, holding: holding, nowNs: nowNs)
    try stored?.store.reconcile(pages, freeing: freeing, holding: holding, nowNs: nowNs)
    if model.rows.count > before { seen.insert("rows of what memory sent") }
    if model.rows.contains(where: { $0.messageID.contains("/") }) { seen.insert("a second alert") }
  }

  private func restart() throws {
    let collector = random.within(0...1)
    collectors[collector].process += 1
    (collectors[collector].lease, collectors[collector].storedLease) = (nil, nil)
    (collectors[collector].claimed, collectors[collector].reservations) = ([], [])
    let holder = collectors[collector].holder
    describe("\(holder) frees what was reserved before it")
    model.freeReservations(ofInstance: "c\(collector)", but: holder)
    try stored?.store.freeReservations(ofInstance: holder, nowNs: nowNs)
  }

  private func extendClaims() throws {
    let (sinceNs, untilNs) = (nowNs - random.within(5...40) * .second, nowNs + 5 * .second)
    describe("extend claims from \((sinceNs - nowNs) / .second) s")
    model.extendClaims(from: sinceNs, to: untilNs)
    try stored?.store.extendClaims(from: sinceNs, to: untilNs)
  }
}

extension IncidentChange {
  var text: String { "\(kind) \(dedupKey)" }
}

extension Delivery {
  /// What must be the same in both, but for the rows' numbers, of which the store's have gaps.
  var compared: String {
    let news = list.map { ", news of \($0.id): \($0.open) open, \($0.unacknowledged) unacknowledged" } ?? ""
    return "\(event.rawValue) to \(receiver) \(messageID), attempt \(attempts), \(rows.count) rows, "
      + "incidents \(incidents.map(\.number).sorted()) of \(incidentCount)\(isList ? ", list" : "")\(news)"
  }
}
