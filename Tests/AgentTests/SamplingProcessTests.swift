import FleetModel
import Testing
import _StringProcessing

@testable import Agent

@Suite struct SamplingProcessTests {
  private let later = FixtureTime.bootNs + FixtureTime.tenSeconds

  @Test func `Training processes are found, measured and named by user and control group`() throws {
    let host = try FixtureHost("proc-5.10")
    var sampler = host.sampler()
    _ = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: FixtureTime.bootNs)
    try host.goOn()
    let processes = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later).processes
    #expect(processes.map(\.pid).sorted() == [4242, 4300], "a script of the system is none")
    let python = try #require(processes.first { $0.pid == 4242 })
    #expect(python.name == "python3" && python.state == "S")
    #expect(isNear(python.cpuPercent, 100))
    #expect(python.threads == 19 && python.fileDescriptors == 6)
    #expect(python.residentBytes == 2_600_000 * 4096)
    #expect(isNear(python.readBytesPerSecond, 500_000) && isNear(python.writeBytesPerSecond, 2_000_000))
    #expect(python.startedNs == 1_700_010_000_000_000_000)
    #expect(python.cgroup == "/user.slice/user-1000.slice/session-4.scope")
    let ray = try #require(processes.first { $0.pid == 4300 })
    #expect(ray.name == "ray::PPO (train)" && ray.state == "D" && ray.cgroup == "/docker/4f2c")
    #expect(ray.readBytesPerSecond.isNaN, "another user's")
  }

  @Test func `The end of a process is told once`() throws {
    let host = try FixtureHost("proc-5.10")
    var sampler = host.sampler()
    _ = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: FixtureTime.bootNs)
    // The kernel answers ESRCH where a copied file merely has no bytes left.
    try host.write("proc/4242/stat", "")
    try host.remove("proc/4242")
    let records = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later)
    let last = try #require(records.processes.first { $0.pid == 4242 })
    #expect(last.hasExited)
    let events = records.events.filter { $0.kind == .processExit }
    #expect(events.map(\.subject) == ["python3[4242]"])
    let next = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later + FixtureTime.tenSeconds)
    #expect(!next.processes.contains { $0.pid == 4242 } && !next.events.contains { $0.kind == .processExit })
  }

  @Test func `A number that another process took over is an end and a beginning`() throws {
    let host = try FixtureHost("proc-5.10")
    var sampler = host.sampler()
    _ = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: FixtureTime.bootNs)
    let stat = try FixtureHost.text("proc-5.10", "proc/4242/stat")
    #expect(stat.contains(" 1000000 4123"))
    try host.write("proc/4242/stat", stat.replacing(" 1000000 4123", with: " 9000000 4123"))
    let records = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later)
    #expect(records.processes.filter { $0.pid == 4242 }.map(\.hasExited) == [true, false])
  }

  @Test func `Processes are found by control group and by command, too`() throws {
    let host = try FixtureHost("proc-5.10")
    for change: (inout ProcessPatterns) -> Void in [{ $0.cgroups = ["user-1000"] }, { $0.commands = ["train.py"] }] {
      var sampler = host.sampler {
        $0.processes.interpreters = []
        $0.processes.names = []
        change(&$0.processes)
      }
      #expect(sampler.sample(wallNs: 1, monotonicNs: 1).processes.map(\.pid) == [4242])
    }
  }

  @Test func `More processes than the limit are counted, not sampled`() throws {
    let host = try FixtureHost("proc-6.8")
    var sampler = host.sampler { $0.processes.processesMax = 5 }
    let records = sampler.sample(wallNs: 1, monotonicNs: 1)
    #expect(records.processes.count == 5)
    #expect(sampler.leftOut == 3)
  }

  @Test func `A process that becomes a trainer by exec is found`() throws {
    let host = try FixtureHost("proc-6.8")
    var sampler = host.sampler()
    #expect(!sampler.sample(wallNs: 1, monotonicNs: 1).processes.contains { $0.pid == 9100 })
    try host.write("proc/9100/comm", "python3.12\n")
    #expect(sampler.sample(wallNs: 1, monotonicNs: 2).processes.contains { $0.pid == 9100 })
  }

  @Test func `Memory on GPUs joins the process that has it`() throws {
    let host = try FixtureHost("proc-5.10")
    var sampler = host.sampler()
    sampler.noteGPUMemory([4242: 7 << 30])
    let processes = sampler.sample(wallNs: 1, monotonicNs: 1).processes
    #expect(processes.first { $0.pid == 4242 }?.gpuMemoryBytes == 7 << 30)
    #expect(processes.first { $0.pid == 4300 }?.gpuMemoryBytes == 0)
  }

  @Test func `No command line leaves the host`() throws {
    let host = try FixtureHost("proc-5.10")
    var sampler = host.sampler()
    #expect(!"\(sampler.sample(wallNs: 1, monotonicNs: 1))".contains("hush"))
  }
}
