import FleetModel
import Testing

@testable import Agent

@Suite struct CheckSupervisorTests {
  private let second: Int64 = 1_000_000_000

  private func probe(_ name: String, everySeconds: Int64 = 20) -> ProbeSetting {
    var probe = ProbeSetting(.tcp, name, target: "127.0.0.1:1")
    probe.everyNs = everySeconds * second
    return probe
  }

  private func supervisor(_ probes: [ProbeSetting]) -> CheckSupervisor {
    var supervisor = CheckSupervisor()
    supervisor.setProbes(probes, nowNs: 0)
    return supervisor
  }

  /// The numbers of the questions among the actions.
  private func numbers(_ actions: [ProbeAction]) -> [UInt32] {
    actions.compactMap { action in
      guard case .send(_, let bytes) = action else { return nil }
      let body = Array(bytes[4...])
      return CheckWire.question(body.span)?.number
    }
  }

  private func answer(
    _ supervisor: inout CheckSupervisor, _ number: UInt32, _ answer: CheckAnswer = CheckAnswer(), at seconds: Int64 = 0,
    from generation: UInt32 = 1
  ) -> [ProbeAction] {
    supervisor.received(
      CheckWire.encode(answer, number: number).span, from: generation, nowNs: seconds * second, wallNs: seconds * second
    )
  }

  @Test func `Without a probe there is no process and nothing to wait for`() {
    var supervisor = supervisor([])
    #expect(supervisor.nextNs == nil && supervisor.tick(nowNs: 0, wallNs: 0).isEmpty)
    supervisor.setProbes([ProbeSetting(nil, "newer")], nowNs: 0)
    #expect(supervisor.nextNs == nil && supervisor.tick(nowNs: 0, wallNs: 0).isEmpty)
  }

  @Test func `Probes are asked together, and one that hangs keeps no other from being asked again`() {
    var supervisor = supervisor([probe("a"), probe("b")])
    let first = supervisor.tick(nowNs: 0, wallNs: 0)
    #expect(first.first == .start(generation: 1) && numbers(first) == [1, 2])
    _ = answer(&supervisor, 2, at: 1)
    #expect(supervisor.takeRecords().probes.map(\.name) == ["tcp/b"])
    // a is silent until its process is given up, beyond its own deadline.
    var slow = probe("a")
    slow.timeoutNs = 60 * second
    supervisor.setProbes([slow, probe("b")], nowNs: 2 * second)
    _ = supervisor.tick(nowNs: 2 * second, wallNs: 0)
    let again = supervisor.tick(nowNs: 20 * second, wallNs: 0)
    #expect(numbers(again).count == 1)
  }

  @Test func `No more than a pipe holds are under way; an answer makes room for the next`() {
    var supervisor = supervisor((0..<40).map { probe("p\($0)") })
    #expect(numbers(supervisor.tick(nowNs: 0, wallNs: 0)).count == CheckSupervisor.underWayMax)
    #expect(numbers(answer(&supervisor, 3)) == [17])
    #expect(numbers(supervisor.tick(nowNs: 0, wallNs: 0)).isEmpty)
  }

  @Test func `An answer becomes one result for itself and one for each figure`() throws {
    var supervisor = supervisor([probe("a")])
    _ = supervisor.tick(nowNs: 0, wallNs: 0)
    var said = CheckAnswer(.failed, 7, "why")
    said.durationMs = 3
    said.add("busy", 1, .failed)
    said.add("queued", 9)
    #expect(!supervisor.hasRecords)
    _ = answer(&supervisor, 1, said, at: 4)
    #expect(supervisor.hasRecords)
    let results = supervisor.takeRecords().probes
    #expect(results.map(\.name) == ["tcp/a", "tcp.busy/a", "tcp.queued/a"])
    #expect(results.map(\.state) == [.failed, .failed, .ok] && results.map(\.value) == [7, 1, 9])
    #expect(results[0].detail == "why" && results[0].durationMs == 3 && results[0].timeNs == 4 * second)
  }

  @Test func `The interval counts from the question, and what is not answered is not asked again`() {
    var supervisor = supervisor([probe("a", everySeconds: 10)])
    _ = supervisor.tick(nowNs: 0, wallNs: 0)
    _ = answer(&supervisor, 1, at: 4)
    #expect(supervisor.nextNs == 10 * second)
    #expect(numbers(supervisor.tick(nowNs: 10 * second, wallNs: 0)) == [2])
    // Deadline 5 s, grace 3 s.
    #expect(supervisor.nextNs == 18 * second)
  }

  @Test func `A process that keeps no deadline is replaced, and what it was asked has timed out`() {
    var supervisor = supervisor([probe("a"), probe("b")])
    _ = supervisor.tick(nowNs: 0, wallNs: 0)
    #expect(supervisor.tick(nowNs: 7 * second, wallNs: 0).isEmpty)
    #expect(supervisor.tick(nowNs: 8 * second, wallNs: 0) == [.kill(generation: 1)])
    #expect(supervisor.takeRecords().probes.map(\.state) == [.timedOut, .timedOut])
    // Its late answer is nobody's.
    #expect(answer(&supervisor, 1, at: 9).isEmpty && supervisor.takeRecords().isEmpty)
    supervisor.exited(1, nowNs: 9 * second, wallNs: 0)
    let again = supervisor.tick(nowNs: 20 * second, wallNs: 0)
    #expect(again.first == .start(generation: 2) && numbers(again) == [3, 4])
  }

  @Test func `A process that ends is started again, later each time, until one answers`() {
    var supervisor = supervisor([probe("a", everySeconds: 1)])
    var starts: [Int64] = []
    var generation: UInt32 = 0
    for tenth in 0..<400 {
      let now = Int64(tenth) * second / 10
      for case .start(let new) in supervisor.tick(nowNs: now, wallNs: 0) {
        starts.append(Int64(tenth) / 10)
        generation = new
      }
      supervisor.exited(generation, nowNs: now, wallNs: 0)
    }
    #expect(starts == [0, 1, 3, 7, 15, 31])
    let states = supervisor.takeRecords().probes
    #expect(states.count == 6 && states.allSatisfy { $0.state == .failed })
  }

  @Test func `Probes that stay keep their time, changed ones are asked at once, others never again`() {
    var supervisor = supervisor([probe("a"), probe("b"), probe("c")])
    for number in numbers(supervisor.tick(nowNs: 0, wallNs: 0)) { _ = answer(&supervisor, number) }
    var changed = probe("b")
    changed.target = "127.0.0.1:2"
    supervisor.setProbes([probe("a"), changed], nowNs: second)
    #expect(numbers(supervisor.tick(nowNs: second, wallNs: 0)) == [4])
    _ = answer(&supervisor, 4)
    #expect(numbers(supervisor.tick(nowNs: 100 * second, wallNs: 0)).count == 2)
  }

  @Test func `Without probes the process ends`() {
    var supervisor = supervisor([probe("a")])
    _ = supervisor.tick(nowNs: 0, wallNs: 0)
    supervisor.setProbes([], nowNs: second)
    #expect(supervisor.tick(nowNs: second, wallNs: 0) == [.kill(generation: 1)])
    supervisor.exited(1, nowNs: second, wallNs: 0)
    #expect(supervisor.nextNs == nil && supervisor.takeRecords().isEmpty)
  }

  @Test func `Times beyond all reason are brought within it`() {
    var strange = probe("a")
    strange.everyNs = 0
    strange.timeoutNs = .max / 2
    var supervisor = supervisor([strange])
    _ = supervisor.tick(nowNs: 0, wallNs: 0)
    #expect(supervisor.nextNs == 303 * second)
    _ = answer(&supervisor, 1)
    #expect(supervisor.nextNs == second)
  }

  @Test func `A stream that makes no sense ends its process`() {
    var supervisor = supervisor([probe("a")])
    _ = supervisor.tick(nowNs: 0, wallNs: 0)
    let garbage = [UInt8](repeating: 0xff, count: 8)
    let actions = supervisor.received(garbage.span, from: 1, nowNs: 0, wallNs: 0)
    #expect(actions == [.kill(generation: 1)])
  }
}
