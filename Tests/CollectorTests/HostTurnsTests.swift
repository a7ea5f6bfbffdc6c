import TestSupport
import Testing

@testable import Collector

@Suite struct HostTurnsTests {
  @Test func aStreamThatFloodsWaitsForItself() {
    var turns = HostTurns<Int, Int>(quantum: 100)
    for number in 0..<50 { turns.add(number, cost: 1000, of: 1) }
    for host in 2...20 { turns.add(host, cost: 10, of: host) }
    var floods = 0
    var others: [Int] = []
    while others.count < 19, let piece = turns.take() {
      if piece.cost == 1000 { floods += 1 } else { others.append(piece.work) }
    }
    #expect(floods == 1)
    #expect(others == Array(2...20))
  }

  @Test func eachHasTheSameShareInTheLongRun() {
    var turns = HostTurns<Int, Void>(quantum: 100)
    var cost: [Int: Int] = [:]
    for host in 1...4 { for _ in 0..<5 { turns.add((), cost: host * 50, of: host) } }
    for _ in 0..<4000 {
      // Each has the next batch ready once one was taken.
      guard let piece = turns.take() else { break }
      let host = piece.cost / 50
      cost[host, default: 0] += piece.cost
      turns.add((), cost: piece.cost, of: host)
    }
    let (least, most) = (cost.values.min() ?? 0, cost.values.max() ?? 0)
    #expect(cost.count == 4)
    #expect(most <= least * 11 / 10, "\(cost)")
  }

  /// A stream that comes back with one dear batch each time owes what it has had, as long as others wait.
  @Test func aStreamOwesWhatItHasHad() {
    var turns = HostTurns<Int, Int>(quantum: 100)
    for _ in 0..<100 { turns.add(2, cost: 100, of: 2) }
    turns.add(1, cost: 1000, of: 1)
    var order: [Int] = []
    while order.count(where: { $0 == 2 }) < 60, let piece = turns.take() {
      order.append(piece.work)
      if piece.work == 1 { turns.add(1, cost: 1000, of: 1) }
    }
    #expect((5...7).contains(order.count(where: { $0 == 1 })), "\(order)")
  }

  @Test func eachStreamKeepsItsOrderAndNothingIsLost() {
    var turns = HostTurns<Int, Int>(quantum: 7)
    var random = SplitMix(seed: 42)
    var expected: [Int: [Int]] = [:]
    var found: [Int: [Int]] = [:]
    for number in 0..<5000 {
      let host = Int.random(in: 0..<9, using: &random)
      turns.add(host * 10_000 + number, cost: Int.random(in: 0...40, using: &random), of: host)
      expected[host, default: []].append(number)
      if Int.random(in: 0..<400, using: &random) == 0 {
        let dropped = turns.drop(host).count
        expected[host]?.removeLast(dropped)
      }
      if Bool.random(using: &random), let piece = turns.take() {
        found[piece.work / 10_000, default: []].append(piece.work % 10_000)
      }
    }
    while let piece = turns.take() { found[piece.work / 10_000, default: []].append(piece.work % 10_000) }
    #expect(turns.isEmpty)
    #expect(found == expected)
  }
}
