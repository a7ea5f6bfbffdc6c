import FleetModel
import Foundation
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
    let end = try #require(events.first?.processEnd)
    #expect(end.exit == nil && end.pid == 4242 && end.startedNs == last.startedNs && end.job == "session:4")
    #expect(end.command == "python3 train.py", "no other argument")
    #expect(events[0].message.hasSuffix(", session:4); how is not known"))
    let next = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later + FixtureTime.tenSeconds)
    #expect(!next.processes.contains { $0.pid == 4242 } && !next.events.contains { $0.kind == .processExit })
  }

  @Test func `A zombie has ended, unless other threads go on`() throws {
    let host = try FixtureHost("proc-5.10")
    var sampler = host.sampler()
    _ = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: FixtureTime.bootNs)
    let stat = try FixtureHost.text("proc-5.10", "proc/4242/stat")
    let (alive, threads) = (") R ", " 18 0 1000000 ")
    #expect(stat.contains(alive) && stat.contains(threads))
    try host.write("proc/4242/stat", stat.replacing(alive, with: ") Z "))
    var records = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later)
    #expect(records.processes.contains { $0.pid == 4242 && !$0.hasExited })
    // The last field is the wait status, where it may be read.
    let zombie = stat.replacing(alive, with: ") Z ").replacing(threads, with: " 1 0 1000000 ")
    var fields = zombie.split(separator: " ").map { String($0).trimmingCharacters(in: .newlines) }
    #expect(fields.count == 52)
    fields[51] = "1792"
    try host.write("proc/4242/stat", fields.joined(separator: " ") + "\n")
    records = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later + 1)
    #expect(records.events.compactMap(\.processEnd?.exit) == [.code(7)])
    records = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later + 2)
    #expect(!records.processes.contains { $0.pid == 4242 } && records.events.isEmpty, "not found again")
  }

  @Test(arguments: [
    (
      "sys/fs/cgroup/user.slice/user-1000.slice/session-4.scope", "memory.events",
      "low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\n"
    ),
    (
      "sys/fs/cgroup/memory/user.slice/user-1000.slice/session-4.scope", "memory.oom_control",
      "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"
    ),
  ])
  func `Kills for memory in its control group shortly before stand in the end`(
    _ group: String, _ file: String, _ text: String
  ) throws {
    let second: Int64 = 1_000_000_000
    for (rise, age, kills) in [("2", 0, 0), ("3", 0, 1), ("5", 20, 3), ("5", 40, 0)] as [(String, Int64, Int32)] {
      let host = try FixtureHost("proc-5.10")
      try FileManager.default.createDirectory(atPath: host.root + "/" + group, withIntermediateDirectories: true)
      try host.write(group + "/" + file, text)
      var sampler = host.sampler()
      _ = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: FixtureTime.bootNs)
      try host.write(group + "/" + file, text.replacing("oom_kill 2", with: "oom_kill \(rise)"))
      _ = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later)
      // At its end the group is gone.
      try host.remove(group)
      try host.write("proc/4242/stat", "")
      let records = sampler.sample(wallNs: FixtureTime.wallNs + age * second, monotonicNs: later + 1)
      #expect(records.events.compactMap(\.processEnd).map(\.oomKills) == [kills])
    }
    let host = try FixtureHost("proc-5.10")
    var sampler = host.sampler()
    _ = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: FixtureTime.bootNs)
    try host.write("proc/4242/stat", "")
    let end = sampler.sample(wallNs: FixtureTime.wallNs, monotonicNs: later).events.first?.processEnd
    #expect(end != nil && end?.oomKills == nil, "not known is not none")
  }

  @Test(
    arguments: [
      (["python3", "train.py", "--password", "hush"], "python3 train.py"),
      (
        ["/usr/bin/python3", "-u", "-m", "torch.distributed.run", "--token=hush", "/srv/train.py", "hush"],
        "/usr/bin/python3 -m torch.distributed.run /srv/train.py"
      ),
      (["python3", "-c", "password='hush'"], "python3"), (["mysql", "-m", "hush", "-phush"], "mysql"), ([], ""),
      (["torchrun", "--nproc-per-node", "8", "train.py"], "torchrun train.py"),
    ] as [([String], String)])
  func `Of a command line program, module and script are shown`(_ words: [String], _ shown: String) {
    #expect(ProcessCommand.shown(words) == shown)
    #expect(ProcessCommand.shown(Array(words.joined(separator: "\0").utf8)) == shown)
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
