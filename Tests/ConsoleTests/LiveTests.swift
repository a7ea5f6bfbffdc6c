import Answers
import FleetModel
import Foundation
import NIOCore
import Store
import Synchronization
import TestSupport
import Testing

@testable import Console

/// The fleet as it changes, without a database or a socket.
@Suite(.timeLimit(.minutes(15))) struct LiveTests {
  static func inventory(_ count: Int, labels: (Int) -> String = { _ in "{}" }) -> FleetInventory {
    let columns = ["inventory", "host", "gpu_model", "os_name", "gpu_count", "labels"].map { Answer.Column($0) }
    let rows = (0..<count).map { number -> [Cell] in
      [
        .text("key-\(count)"), .text("node-\(number)"), .text(number % 2 == 0 ? "H100" : ""), .text("Debian"),
        .integer(number % 2 == 0 ? 8 : 0), .json(labels(number)),
      ]
    }
    return FleetInventory(Answer(columns: columns, rows: rows))
  }

  static func state(_ codes: String, _ known: FleetInventory? = nil) -> FleetState {
    FleetState(
      inventory: known ?? inventory(codes.utf8.count), codes: Array(codes.utf8), incidents: [0, 0, 0, 0], news: "0.0")
  }

  private func reading(_ state: FleetState) -> Kept<FleetState>.Reading { .init(value: state, asOfNs: 0) }

  /// As the script reads it.
  private func unpacked(_ text: String) -> String {
    var (count, whole) = ("", "")
    for character in text {
      if character.isNumber {
        count.append(character)
      } else {
        whole += String(repeating: character, count: Int(count) ?? 1)
        count = ""
      }
    }
    return whole
  }

  private func applied(_ changes: String, to codes: String) -> String {
    var (place, distance, whole) = (0, "", Array(codes))
    for character in changes {
      if character.isNumber {
        distance.append(character)
      } else {
        place += Int(distance) ?? 0
        whole[place] = character
        (place, distance) = (place + 1, "")
      }
    }
    return String(whole)
  }

  private func fields(_ buffer: ByteBuffer?) throws -> (event: String, data: [String: Any]) {
    let lines = String(buffer: try #require(buffer)).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 4 && lines.suffix(2) == ["", ""], "\(lines)")
    let data = try JSONSerialization.jsonObject(with: Data(lines[1].dropFirst(6).utf8))
    return (String(lines[0].dropFirst(7)), try #require(data as? [String: Any]))
  }

  @Test func aFrameSaysWhatChangedAndNoMore() throws {
    var random = SplitMix(seed: 7)
    for _ in 0..<200 {
      let old = String((0..<60).map { _ in "AABCDE".randomElement(using: &random) ?? "A" })
      var new = Array(old)
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        new[Int.random(in: 0..<60, using: &random)] = "ABCF".randomElement(using: &random) ?? "B"
      }
      let next = String(new)
      let frame = LiveFrame(Self.state(next), asOfNs: 0, sequence: 2, previous: Self.state(old))
      let whole = try fields(frame.whole)
      #expect(whole.event == "fleet" && unpacked(whole.data["states"] as? String ?? "") == next)
      let changes = try fields(frame.changes)
      #expect(changes.event == "change" && applied(changes.data["changes"] as? String ?? "", to: old) == next)
    }
  }

  /// 10 000 hosts of which nothing changes: a second costs a viewer less than 100 bytes, and the whole state less than 400.
  @Test func aQuietFleetCostsNearlyNothing() throws {
    let inventory = Self.inventory(10_000)
    let state = Self.state(String(repeating: "A", count: 10_000), inventory)
    let frame = LiveFrame(state, asOfNs: 0, sequence: 2, previous: state)
    #expect(frame.whole.readableBytes < 400, "\(String(buffer: frame.whole))")
    #expect(try #require(frame.changes).readableBytes < 100)
    let silent = Self.state(String(repeating: "C", count: 10_000), inventory)
    let turned = LiveFrame(silent, asOfNs: 0, sequence: 3, previous: state)
    #expect(turned.changes == nil && turned.whole.readableBytes < 400)
    let mixed = Self.state(String(repeating: "AB", count: 5_000), inventory)
    #expect(LiveFrame(mixed, asOfNs: 0, sequence: 4, previous: silent).whole.readableBytes < 11_000)
    let joined = LiveFrame(Self.state("A"), asOfNs: 0, sequence: 4, previous: state)
    #expect(joined.changes == nil, "another fleet has other places")
  }

  private func caller(_ id: String) -> Caller { Caller(name: "ann", role: .viewer, kind: .token, credentialID: id) }

  /// Nothing is published but by the test.
  private func hub(inForce: @escaping @Sendable ([String]) -> Set<String> = { Set($0) }) -> LiveHub {
    LiveHub(
      read: {
        try await Task.sleep(for: .seconds(600)); throw CancellationError()
      }, inForce: inForce)
  }

  @Test func aSlowViewerLosesFramesAndGetsEverythingAnew() async throws {
    let hub = hub()
    let (quick, slow) = (try #require(hub.join(caller("a"))), try #require(hub.join(caller("b"))))
    hub.publish(reading(Self.state("AAAA")))
    for id in [quick, slow] {
      guard case .whole(_, lost: 0) = await hub.next(id) else {
        Issue.record("the first frame is not everything")
        return
      }
    }
    for codes in ["ABAA", "ABBA", "ABBB"] {
      hub.publish(reading(Self.state(codes)))
      guard case .changes = await hub.next(quick) else {
        Issue.record("who reads at once gets more than the changes")
        return
      }
    }
    guard case .whole(let frame, lost: 2) = await hub.next(slow) else {
      Issue.record("the slow viewer is not told what it lost")
      return
    }
    #expect(unpacked(try fields(frame.whole).data["states"] as? String ?? "") == "ABBB")
    #expect(hub.figures == (2, 2))
    hub.leave(quick)
    hub.leave(slow)
    #expect(hub.figures.streams == 0)
  }

  @Test func oneLoginHasOnlySoManyStreams() async throws {
    let hub = hub()
    let own = (0..<LiveHub.Limits.streamsOfOne).compactMap { _ in hub.join(caller("a")) }
    #expect(own.count == LiveHub.Limits.streamsOfOne && hub.join(caller("a")) == nil)
    #expect(throws: LiveHub.tooMany) { try hub.requireRoom(for: caller("a")) }
    try hub.requireRoom(for: caller("b"))
    hub.leave(own[0])
    #expect(hub.join(caller("a")) != nil)
    var others = 0
    while hub.join(caller("o\(others / 32)")) != nil { others += 1 }
    #expect(hub.figures.streams == LiveHub.Limits.streams && others > 1_000)
  }

  /// Each way in which a stream ends wakes whoever waits for the next frame.
  @Test func aViewerThatWaitsIsWoken() async throws {
    let hub = hub()
    let ids = (0..<3).compactMap { hub.join(caller("\($0)")) }
    let waiting = ids.map { id in Task { await hub.next(id) } }
    try await Task.sleep(for: .milliseconds(50))
    hub.end(ids[0], .stopping)
    hub.leave(ids[1])
    waiting[2].cancel()
    for (task, expected) in zip(waiting, [LiveHub.End.stopping, .gone, .gone]) {
      guard case .end(let why) = await task.value else {
        Issue.record("no end")
        continue
      }
      #expect(why == expected)
    }
    guard case .end(.stopping) = await hub.next(ids[0]) else {
      Issue.record("an end is forgotten")
      return
    }
  }

  /// With a question that is answered: streams of ended credentials end, and after the last viewer nothing is asked any more.
  @Test func nothingIsAskedWithoutViewers() async throws {
    let asked = Mutex(0)
    let state = reading(Self.state("AB"))
    let hub = LiveHub(
      read: {
        asked.withLock { $0 += 1 }
        return state
      }, inForce: { Set($0.filter { $0 != "revoked" }) })
    try await Task.sleep(for: .seconds(1))
    #expect(asked.withLock { $0 } == 0)
    let (kept, revoked) = (try #require(hub.join(caller("kept"))), try #require(hub.join(caller("revoked"))))
    var end: LiveHub.End?
    let began = ContinuousClock.now
    while end == nil, ContinuousClock.now - began < .seconds(600) {
      if case .end(let why) = await hub.next(revoked) { end = why }
    }
    #expect(end == .credential)
    guard case .whole = await hub.next(kept) else {
      Issue.record("the other one has ended too")
      return
    }
    hub.leave(revoked)
    hub.leave(kept)
    try await Task.sleep(for: .seconds(1.2))
    let count = asked.withLock { $0 }
    try await Task.sleep(for: .seconds(2))
    #expect(asked.withLock { $0 } == count && count < 12, "\(count)")
  }

  @Test func whoAsksAtOnceSharesOneAnswer() async throws {
    let asked = Mutex(0)
    let kept = Kept {
      asked.withLock { $0 += 1 }
      try await Task.sleep(for: .milliseconds(100))
      if asked.withLock({ $0 }) == 2 { throw Problem.databaseAway }
      return asked.withLock { $0 }
    }
    let values = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 { group.addTask { try await kept.read(maxAgeNs: 60_000_000_000).value } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(values == Array(repeating: 1, count: 20))
    await #expect(throws: Problem.databaseAway) { try await kept.read(maxAgeNs: 0) }
    #expect(await kept.latest?.value == 1, "a failure takes the last answer away")
    #expect(try await kept.read(maxAgeNs: 0).value == 3)
  }
}
