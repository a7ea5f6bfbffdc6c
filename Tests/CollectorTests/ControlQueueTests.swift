import FleetModel
import Schema
import Testing

@testable import Collector

@Suite struct ControlQueueTests {
  private static let second: Int64 = 1_000_000_000

  private func hello(_ host: UInt64, _ stream: UInt64 = 1) -> ControlMessage {
    .fence(
      host: HostID(high: 0, low: host), Hello(), receivedNs: 0, session: SessionID(gateway: 0, number: stream))
  }

  private func join(_ address: String = "10.0.0.1", _ id: UInt64 = 1) -> ControlMessage {
    .join(JoinRequest(), address: address, call: ControlMessage.Call(gateway: 0, id: id))
  }

  private func marks(_ host: Int32) -> ControlMessage {
    .marks(hostNumber: host, after: 0, session: SessionID(gateway: 0, number: 9))
  }

  private func name(_ message: ControlMessage?) -> String {
    switch message {
    case .fence(let host, _, _, let session): "hello \(host.low)/\(session.number)"
    case .join(_, let address, _): "join \(address)"
    case .renew: "renew"
    case .marks(let host, _, _): "marks \(host)"
    case .firstUsed: "used"
    case .ended: "ended"
    case .stop: "stop"
    case nil: "nothing"
    }
  }

  @Test func knownHostsComeBeforeStrangers() {
    var queue = ControlQueue()
    for id in 1...3 as ClosedRange<UInt64> { _ = queue.add(join("10.0.0.\(id)", id), nowNs: 0) }
    _ = queue.add(marks(4), nowNs: 0)
    _ = queue.add(hello(1), nowNs: 0)
    _ = queue.add(hello(2), nowNs: 0)
    _ = queue.add(.ended(hostNumber: 1, epoch: 1, atNs: 0), nowNs: 0)
    var order: [String] = []
    while let next = queue.next(nowNs: 0) { order.append(name(next)) }
    #expect(order.prefix(5) == ["ended", "hello 1/1", "hello 2/1", "marks 4", "join 10.0.0.1"])
    #expect(order.count == 7 && queue.dueNs == nil)
  }

  @Test func oneHelloOfAHostWaitsAndTheNewestReplacesIt() {
    var queue = ControlQueue()
    let first = queue.add(hello(1, 1), nowNs: 0)
    #expect(name(first?.message) == "nothing")
    _ = queue.add(hello(2, 7), nowNs: 0)
    let replaced = queue.add(hello(1, 2), nowNs: 0)
    #expect(name(replaced?.message) == "hello 1/1" && replaced?.reason == .replaced)
    // It keeps its place.
    let order = [queue.next(nowNs: 0), queue.next(nowNs: 0)].map(name)
    #expect(order == ["hello 1/2", "hello 2/7"])
  }

  @Test func aHostThatSaysHelloWithoutEndGetsOneASecondAndTheOthersDoNotWait() {
    var queue = ControlQueue()
    var served: [UInt64: Int] = [:]
    var waitedNs: Int64 = 0
    // Four hosts say Hello whenever they can; each turn takes 10 ms; another host comes in each second.
    for turn in 0..<1000 as Range<Int64> {
      let nowNs = turn * 10_000_000
      for host in 1...4 as ClosedRange<UInt64> { _ = queue.add(hello(host, UInt64(turn)), nowNs: nowNs) }
      let isHonest = turn % 100 == 50
      if isHonest { _ = queue.add(hello(100 + UInt64(turn), UInt64(turn)), nowNs: nowNs) }
      guard case .fence(let host, _, _, let session)? = queue.next(nowNs: nowNs) else { continue }
      served[host.low, default: 0] += 1
      if host.low > 100 { waitedNs = max(waitedNs, nowNs - Int64(session.number) * 10_000_000) }
    }
    // Five at once and then one a second for ten seconds.
    for host in 1...4 as ClosedRange<UInt64> { #expect((13...15).contains(served[host] ?? 0)) }
    #expect(served.keys.count { $0 > 100 } == 10)
    #expect(waitedNs <= 50_000_000)
  }

  @Test func aHelloBeyondTheRateIsDueLaterAndNotLost() {
    var queue = ControlQueue()
    for _ in 0..<5 {
      _ = queue.add(hello(1), nowNs: 0)
      _ = queue.next(nowNs: 0)
    }
    _ = queue.add(hello(1, 6), nowNs: 0)
    let tooEarly = queue.next(nowNs: 0)
    #expect(name(tooEarly) == "nothing")
    let dueNs = queue.dueNs ?? 0
    #expect((1...Self.second).contains(dueNs))
    let due = queue.next(nowNs: dueNs)
    #expect(name(due) == "hello 1/6")
  }

  @Test func joinsAreBoundedForAnAddressForAllAndWhileTheyWait() {
    var queue = ControlQueue()
    var reasons: [RefusedControl.Reason] = []
    for id in 0..<40 as Range<UInt64> {
      if let refused = queue.add(join("10.0.0.1", id), nowNs: 0) { reasons.append(refused.reason) }
      _ = queue.next(nowNs: 0)
    }
    #expect(reasons.count == 8 && reasons.allSatisfy { $0 == .tooOften })
    reasons = []
    for id in 0..<100 as Range<UInt64> {
      if let refused = queue.add(join("10.0.1.\(id)", id), nowNs: 0) { reasons.append(refused.reason) }
      _ = queue.next(nowNs: 0)
    }
    #expect(reasons.count == 68 && reasons.allSatisfy { $0 == .busy })
    // Time gives turns back, and a queue that is full takes no more.
    reasons = []
    for id in 0..<100 as Range<UInt64> {
      if let refused = queue.add(join("10.0.2.\(id)", id), nowNs: 60 * Self.second) { reasons.append(refused.reason) }
    }
    #expect(reasons.count == 36)
  }

  @Test func whenItStopsOnlyTheEndsAreStillNoted() {
    var queue = ControlQueue()
    _ = queue.add(hello(1), nowNs: 0)
    _ = queue.add(.ended(hostNumber: 1, epoch: 1, atNs: 0), nowNs: 0)
    _ = queue.add(.stop, nowNs: 0)
    #expect(queue.isStopping && queue.dueNs == .min)
    let left = [queue.next(nowNs: 0), queue.next(nowNs: 0)].map(name)
    #expect(left == ["ended", "nothing"] && queue.dueNs == nil)
  }
}
