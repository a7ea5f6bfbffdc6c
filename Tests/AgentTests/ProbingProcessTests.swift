import EventLoop
import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// Real processes: `signalbox-agent probe` with a stand-in for NVIDIA's library.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ProbingProcessTests {
  private final class Bench {
    let directory = NSTemporaryDirectory() + "sampling-probe-\(UUID().uuidString)"
    let loop: EventLoop
    let runner: ProbeRunner

    init(program: String = Bench.agent) throws {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      let source = FixtureHost.directory("fake-nvml").appending(path: "fake_nvml.c").path()
      let compiler = Process()
      compiler.executableURL = URL(filePath: "/usr/bin/env")
      compiler.arguments = ["cc", "-shared", "-fPIC", "-o", directory + "/libnvidia-ml.so.1", source]
      try compiler.run()
      compiler.waitUntilExit()
      loop = try EventLoop()
      runner = ProbeRunner(
        loop: loop, program: program, environment: ["FAKE_NVML_CONTROL=" + directory + "/control"])
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Beside the program that runs the tests.
    static var agent: String {
      let own = (try? HostFiles.readLink("/proc/self/exe")) ?? ""
      let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? own
      return HostFiles.directory(of: bundle) + "/signalbox-agent"
    }

    func behave(_ lines: String) throws { try Data(lines.utf8).write(to: URL(filePath: directory + "/control")) }

    func task(everyMs: Int64 = 50, deadlineMs: Int64 = 1000) -> ProbeTask {
      var task = ProbeTask.gpus(library: directory + "/libnvidia-ml.so.1")
      task.everyNs = everyMs * 1_000_000
      task.deadlineNs = deadlineMs * 1_000_000
      return task
    }

    /// Turns the loop until some records are as wanted; the suite's limit ends a wait in vain.
    func wait(_ isWanted: (Records) -> Bool) throws {
      while !isWanted(runner.takeRecords()) { try loop.turn(maximumWaitNs: 100_000_000) }
    }

    func close() throws {
      runner.close()
      while !runner.processIDs.isEmpty { try loop.turn(maximumWaitNs: 100_000_000) }
    }
  }

  @Test func `GPUs are sampled by another process, which does not outlive the agent's wish`() throws {
    let bench = try Bench()
    bench.runner.setTasks([bench.task()])
    try bench.wait { $0.gpus.count == 2 && $0.gpus.allSatisfy { $0.state == .present && $0.utilizationPercent >= 87 } }
    #expect(bench.runner.gpuCount == 2 && bench.runner.gpuDriverVersion == "550.54.15")
    #expect(bench.runner.gpuModel == "NVIDIA H100 80GB HBM3")
    #expect(bench.runner.gpuMemoryBytes[4242] == 5 << 30)
    let processes = bench.runner.processIDs
    #expect(processes.count == 1 && processes[0] != getpid())
    try bench.close()
    #expect(!FileManager.default.fileExists(atPath: "/proc/\(processes[0])/exe"))
  }

  @Test func `A GPU that falls off its bus becomes absent, the other stays`() throws {
    let bench = try Bench()
    bench.runner.setTasks([bench.task()])
    try bench.wait { $0.gpus.contains { $0.state == .present } }
    try bench.behave("lost 0")
    try bench.wait { $0.gpus.map(\.state) == [.absent, .present] }
    try bench.behave("gpus 1")
    try bench.wait { $0.gpus.map(\.state) == [.present, .absent] }
    try bench.close()
  }

  @Test func `A driver that hangs is told as stuck, and asked again by another process`() throws {
    let bench = try Bench()
    bench.runner.setTasks([bench.task(deadlineMs: 300)])
    try bench.wait { $0.gpus.contains { $0.state == .present } }
    let first = bench.runner.processIDs
    try bench.behave("hang")
    try bench.wait { $0.gpus.contains { $0.state == .stuck && $0.stuckSeconds >= 0.3 } }
    try bench.behave("")
    try bench.wait { $0.gpus.contains { $0.state == .present } }
    #expect(bench.runner.processIDs != first && bench.runner.leftProcesses == 0)
    try bench.close()
  }

  @Test func `No driver is a failed probe, and a program that cannot run, too`() throws {
    let bench = try Bench()
    try bench.behave("fail 9")
    bench.runner.setTasks([bench.task()])
    try bench.wait { $0.probes.contains { $0.state == .failed && $0.detail.contains("Driver Not Loaded") } }
    try bench.close()
    let broken = try Bench(program: "/none/signalbox-agent")
    broken.runner.setTasks([broken.task()])
    try broken.wait { $0.probes.contains { $0.state == .failed } }
    try broken.close()
  }

  @Test func `File systems and files are asked in the same way`() throws {
    let bench = try Bench()
    var mount = Mount()
    mount.mountPoint = "/"
    mount.kind = .network
    var age = ProbeTask(name: "backup", question: .fileAge(path: bench.directory + "/libnvidia-ml.so.1"))
    age.everyNs = 50_000_000
    let gone = ProbeTask(name: "gone", question: .fileAge(path: bench.directory + "/none"))
    bench.runner.setTasks([.mount(mount), age, gone])
    var disks: [DiskSample] = []
    var probes: [ProbeResult] = []
    try bench.wait {
      disks += $0.disks
      probes += $0.probes
      return !disks.isEmpty && Set(probes.map(\.name)) == ["backup", "gone"]
    }
    #expect(disks[0].mountPoint == "/" && disks[0].totalBytes > 0 && disks[0].stuckSeconds == 0)
    let backup = try #require(probes.first { $0.name == "backup" })
    #expect(backup.state == .ok && backup.value >= 0 && backup.value < 60)
    #expect(probes.first { $0.name == "gone" }?.state == .failed)
    try bench.close()
  }

  @Test func `The library is looked for without being loaded`() throws {
    let bench = try Bench()
    #expect(NVMLLocation.find(setting: bench.directory + "/libnvidia-ml.so.1") != nil)
    #expect(NVMLLocation.find(setting: "/none/libnvidia-ml.so.1") == nil)
    #expect(NVMLLocation.find(root: bench.directory) == nil)
  }
}
