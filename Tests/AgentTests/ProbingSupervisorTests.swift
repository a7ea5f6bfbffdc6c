import FleetModel
import Testing

@testable import Agent

@Suite struct ProbingSupervisorTests {
  private static let second: Int64 = 1_000_000_000
  private let second = ProbingSupervisorTests.second

  private static func mountTask(_ path: String) -> ProbeTask {
    var mount = Mount()
    mount.mountPoint = path
    mount.source = "filer:/x"
    mount.fileSystem = "nfs4"
    mount.kind = .network
    return .mount(mount)
  }

  /// A supervisor that has just asked for its GPUs, in the process with generation 1.
  private func asked(_ tasks: [ProbeTask] = [.gpus(library: "/lib")]) -> (ProbeSupervisor, [ProbeAction]) {
    var supervisor = ProbeSupervisor()
    supervisor.setTasks(tasks, nowNs: 0)
    let actions = supervisor.tick(nowNs: 0, wallNs: 0)
    return (supervisor, actions)
  }

  private func answer(
    _ supervisor: inout ProbeSupervisor, _ answer: ProbeAnswer, number: UInt32, from generation: UInt32,
    at seconds: Int64
  ) -> [ProbeAction] {
    supervisor.received(
      ProbeWire.encode(answer, number: number).span, from: generation, nowNs: seconds * second, wallNs: seconds * second
    )
  }

  @Test func `Without a task there is no process and nothing to wait for`() {
    var supervisor = ProbeSupervisor()
    #expect(supervisor.tick(nowNs: 0, wallNs: 0).isEmpty)
    #expect(supervisor.isIdle && supervisor.nextNs == nil)
  }

  @Test func `A task starts a process, asks, and asks again after its interval`() {
    var (supervisor, actions) = asked()
    #expect(
      actions == [
        .start(generation: 1),
        .send(generation: 1, bytes: ProbeWire.encode(.gpus(library: "/lib"), number: 1)),
      ])
    #expect(supervisor.nextNs == 5 * second, "the deadline")
    #expect(answer(&supervisor, .gpus(GPUAnswer(gpus: [ProbingWireTests.gpu(0)])), number: 1, from: 1, at: 1).isEmpty)
    #expect(supervisor.nextNs == 10 * second)
    let gpus = supervisor.takeRecords().gpus
    #expect(gpus.map(\.state) == [.present] && gpus[0].timeNs == second && gpus[0].stuckSeconds == 0)
    #expect(supervisor.takeRecords().isEmpty, "taken")
    #expect(supervisor.tick(nowNs: 10 * second, wallNs: 0).count == 1, "the same process is asked")
  }

  @Test func `A process that does not answer is killed, replaced, and its GPUs told as stuck`() {
    var (supervisor, _) = asked()
    _ = answer(&supervisor, .gpus(GPUAnswer(gpus: [ProbingWireTests.gpu(3)])), number: 1, from: 1, at: 1)
    _ = supervisor.takeRecords()
    _ = supervisor.tick(nowNs: 10 * second, wallNs: 0)
    #expect(supervisor.tick(nowNs: 15 * second, wallNs: 77) == [.kill(generation: 1)])
    let records = supervisor.takeRecords()
    #expect(records.gpus.map(\.state) == [.stuck] && records.gpus[0].stuckSeconds == 5)
    #expect(records.gpus[0].utilizationPercent.isNaN && records.gpus[0].uuid == "GPU-3")
    #expect(records.probes.map(\.state) == [.timedOut])
    supervisor.exited(1, nowNs: 16 * second, wallNs: 0)
    #expect(supervisor.leftProcesses == 0)
    let actions = supervisor.tick(nowNs: 16 * second, wallNs: 0)
    #expect(actions.first == .start(generation: 2))
    _ = answer(&supervisor, .gpus(GPUAnswer(gpus: [ProbingWireTests.gpu(3)])), number: 3, from: 2, at: 17)
    let after = supervisor.takeRecords()
    #expect(
      after.gpus.map(\.state) == [.present] && after.probes.map(\.state) == [.ok], "the end of the silence is told")
  }

  @Test func `A process that cannot die is left, its question told as stuck and not asked again`() {
    var (supervisor, _) = asked([Self.mountTask("/mnt/a"), Self.mountTask("/mnt/b")])
    var longest: Float = 0
    for now in 5..<120 {
      for case .send(let generation, let bytes) in supervisor.tick(nowNs: Int64(now) * second, wallNs: 0) {
        let usage = ProbeAnswer.usage(FileSystemAnswer(totalBytes: 1))
        _ = answer(&supervisor, usage, number: UInt32(bytes[4]), from: generation, at: Int64(now))
      }
    }
    let disks = supervisor.takeRecords().disks
    for disk in disks where disk.mountPoint == "/mnt/a" { longest = max(longest, disk.stuckSeconds) }
    #expect(disks.contains { $0.mountPoint == "/mnt/b" && $0.stuckSeconds == 0 }, "the other mount is asked")
    #expect(longest >= 110, "stuck since the first question")
    #expect(disks.filter { $0.mountPoint == "/mnt/a" }.allSatisfy { $0.totalBytes == 0 && $0.usedPercent.isNaN })
    #expect(supervisor.leftProcesses == 1, "no second process hangs in it")
    // The server is back: the process ends, and the question is asked again.
    supervisor.exited(1, nowNs: 120 * second, wallNs: 0)
    #expect(supervisor.tick(nowNs: 120 * second, wallNs: 0).count >= 1)
  }

  @Test func `No more processes are started than may be left behind`() {
    let tasks = (0..<10).map { Self.mountTask("/mnt/\($0)") }
    var (supervisor, _) = asked(tasks)
    var started = 1
    for now in 1..<600 {
      for action in supervisor.tick(nowNs: Int64(now) * second, wallNs: 0) {
        if case .start = action { started += 1 }
      }
      _ = supervisor.takeRecords()
    }
    #expect(started == ProbeSupervisor.leftMax && supervisor.leftProcesses == ProbeSupervisor.leftMax)
  }

  @Test func `A mount that hangs does not hide the GPUs`() {
    var (supervisor, actions) = asked([Self.mountTask("/mnt/a"), .gpus(library: "/lib")])
    #expect(actions.filter { if case .start = $0 { true } else { false } }.count == 2)
    _ = answer(&supervisor, .gpus(GPUAnswer(gpus: [ProbingWireTests.gpu(0)])), number: 1, from: 1, at: 1)
    _ = supervisor.tick(nowNs: 6 * second, wallNs: 0)
    #expect(supervisor.takeRecords().gpus.map(\.state) == [.present])
  }

  @Test func `A vanished GPU is absent with its name and without values`() {
    var (supervisor, _) = asked()
    let both = [ProbingWireTests.gpu(0), ProbingWireTests.gpu(1)]
    _ = answer(&supervisor, .gpus(GPUAnswer(gpus: both)), number: 1, from: 1, at: 1)
    _ = supervisor.takeRecords()
    // Gone from the list.
    _ = supervisor.tick(nowNs: 10 * second, wallNs: 0)
    _ = answer(&supervisor, .gpus(GPUAnswer(gpus: [both[0]])), number: 2, from: 1, at: 10)
    var gpus = supervisor.takeRecords().gpus
    #expect(gpus.map(\.state) == [.present, .absent] && gpus[1].uuid == "GPU-1" && gpus[1].powerWatts.isNaN)
    // In the list and lost: only its index is told.
    var lost = GPUSample()
    lost.index = 1
    lost.state = .absent
    _ = supervisor.tick(nowNs: 20 * second, wallNs: 0)
    _ = answer(&supervisor, .gpus(GPUAnswer(gpus: [both[0], lost])), number: 3, from: 1, at: 20)
    gpus = supervisor.takeRecords().gpus
    #expect(gpus.map(\.state) == [.present, .absent] && gpus[1].uuid == "GPU-1")
    // The driver is unloaded.
    _ = supervisor.tick(nowNs: 30 * second, wallNs: 0)
    _ = answer(&supervisor, .failed("driver not loaded"), number: 4, from: 1, at: 30)
    let records = supervisor.takeRecords()
    #expect(records.gpus.map(\.state) == [.absent, .absent])
    #expect(records.probes.map(\.detail) == ["driver not loaded"])
  }

  @Test func `A process that ends by itself is started again after a growing pause`() {
    var (supervisor, _) = asked()
    var starts: [Int64] = []
    var generation: UInt32 = 1
    for now in 0..<400 {
      for action in supervisor.tick(nowNs: Int64(now) * second, wallNs: 0) {
        if case .start(let next) = action {
          generation = next
          starts.append(Int64(now))
        }
      }
      if generation > 0 { supervisor.exited(generation, nowNs: Int64(now) * second, wallNs: 0) }
      generation = 0
    }
    #expect((3...20).contains(starts.count))
    #expect(supervisor.takeRecords().probes.allSatisfy { $0.state == .failed })
  }

  @Test func `What a replaced process still says is not heard`() {
    var (supervisor, _) = asked()
    _ = supervisor.tick(nowNs: 5 * second, wallNs: 0)
    _ = supervisor.takeRecords()
    _ = answer(&supervisor, .gpus(GPUAnswer(gpus: [ProbingWireTests.gpu(0)])), number: 1, from: 1, at: 6)
    #expect(supervisor.takeRecords().gpus.isEmpty)
  }

  @Test func `Memory on GPUs is summed by process`() {
    var (supervisor, _) = asked()
    let answerWithTwo = GPUAnswer(
      gpus: [], memory: [GPUProcessMemory(pid: 5, bytes: 2), GPUProcessMemory(pid: 5, bytes: 3)])
    _ = answer(&supervisor, .gpus(answerWithTwo), number: 1, from: 1, at: 1)
    #expect(supervisor.gpuMemoryBytes == [5: 5])
  }
}
