import EventLoop
import Files
import FleetModel
import Foundation
import Testing

@testable import Agent

/// Ends of real processes, whose parent is another process and, as root, another user's.
@Suite(.serialized, .timeLimit(.minutes(15))) struct ProcessEndTests {
  /// A sampler that follows the scripts of this test, in a loop of its own.
  private final class Bench {
    let directory = "/tmp/signalbox-ends-\(UUID().uuidString.prefix(8))"
    /// comm holds 15 bytes.
    let name = "sbx\(UUID().uuidString.prefix(8))"
    let loop: EventLoop
    let sampler: SamplerBox
    var listener: SocketListener?
    var records = Records()
    private var launchers: [Foundation.Process] = []

    /// The sampler cannot be copied.
    final class SamplerBox {
      var sampler: Sampler
      init(_ sampler: consuming Sampler) { self.sampler = sampler }
    }

    var script: String { directory + "/" + name }
    var ends: [Event] { records.events.filter { $0.kind == .processExit } }

    /// - Parameter watches: whether ends are seen by the loop.
    init(watches: Bool = true, processesMax: Int = 64, follows: Bool = true) throws {
      var settings = SamplerSettings()
      settings.processesEvery = 1
      settings.readsKernelLog = false
      settings.processes.interpreters = []
      settings.processes.names = follows ? [name] : []
      settings.processes.processesMax = processesMax
      loop = try EventLoop()
      sampler = SamplerBox(Sampler(settings: settings))
      try HostFiles.makeDirectory(directory, mode: 0o755)
      try HostFiles.replace(script, with: Array("#!/bin/sh\nread how\neval \"$how\"\n".utf8), mode: 0o755)
      guard watches else { return }
      sampler.sampler.watchEnds(on: loop) { [unowned self] signal in
        sampler.sampler.processEnded(signal, wallNs: Clock.wallNs(), into: &records)
      }
    }

    deinit {
      for launcher in launchers where launcher.isRunning { launcher.terminate() }
      try? HostFiles.removeTree(directory)
    }

    /// Starts one by a shell that reaps it (or, being `sleep` by then, does not), as another user where that is possible.
    /// - Returns: what makes it end: to be written to once.
    func start(isReaped: Bool = true, asOther: Bool = true) throws -> Foundation.FileHandle {
      let launcher = Foundation.Process()
      let input = Pipe()
      launcher.executableURL = Self.python
      let other = asOther && Files.Process.isRoot ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : ""
      launcher.arguments =
        Self.unblocked + [
          "/bin/sh", "-c",
          "cd /; exec 3<&0; \(other)\(script) <&3 >\(directory)/out 2>&1 3<&- & \(isReaped ? "wait $!" : "exec sleep 60")",
        ]
      launcher.standardInput = input
      launcher.standardOutput = Foundation.FileHandle.nullDevice
      launcher.standardError = Foundation.FileHandle.nullDevice
      try launcher.run()
      launchers.append(launcher)
      return input.fileHandleForWriting
    }

    func sample() { records.append(sampler.sampler.sample(wallNs: Clock.wallNs(), monotonicNs: Clock.bootNs())) }

    /// Samples until `count` of them are followed.
    func follow(_ count: Int) throws {
      try eventually {
        records = Records()
        sample()
        return records.processes.count == count
      }
      records = Records()
    }

    /// Turns the loop until `holds`, at most a minute.
    func eventually(_ holds: () throws -> Bool) throws {
      let deadline = ContinuousClock.now + .seconds(60)
      while try !holds() {
        try #require(ContinuousClock.now < deadline)
        try loop.turn(maximumWaitNs: 5_000_000)
      }
    }

    func end(_ process: Foundation.FileHandle, _ how: String) { process.write(Data((how + "\n").utf8)) }

    /// Listens as an agent does.
    func listen() throws -> String {
      let path = directory + "/agent.sock"
      listener = try SocketListener(
        path: path, loop: loop, redact: { $0 },
        announce: { [unowned self] in
          sampler.sampler.announce($0, wallNs: Clock.wallNs(), into: &records)
        }, deliver: { _ in })
      return path
    }

    /// A thread of the tests may have signals blocked, which a program that it starts inherits.
    static let python = URL(filePath: "/usr/bin/python3")
    static let unblocked = [
      "-c",
      "import os, signal, sys; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.execvp(sys.argv[1], sys.argv[1:])",
    ]

    static var agent: String {
      let own = (try? HostFiles.readLink("/proc/self/exe")) ?? ""
      return HostFiles.directory(of: own) + "/signalbox-agent"
    }

    /// Runs `signalbox-agent exec`.
    func exec(_ words: [String], socket: String, name: String = "job", input: Any? = nil) throws -> Foundation.Process {
      let process = Foundation.Process()
      process.executableURL = Self.python
      process.arguments = Self.unblocked + [Self.agent, "exec", "--name", name, "--socket", socket, "--"] + words
      process.standardInput = input ?? Foundation.FileHandle.nullDevice
      process.standardError = Foundation.FileHandle.nullDevice
      try process.run()
      launchers.append(process)
      return process
    }
  }

  /// Whether this kernel says how a process ended that is no child.
  private static let kernelSays: Bool = {
    let child = Foundation.Process()
    child.executableURL = URL(filePath: "/bin/cat")
    let input = Pipe()
    child.standardInput = input
    guard (try? child.run()) != nil, let handle = ProcessHandle(pid: UInt32(child.processIdentifier)) else {
      return false
    }
    try? input.fileHandleForWriting.close()
    child.waitUntilExit()
    return handle.end == .status(0)
  }()

  private static let ways: [(String, ProcessExit)] = [
    ("exit 0", .code(0)), ("exit 7", .code(7)), ("kill -KILL $$", .signal(9, coreDumped: false)),
    ("kill -SEGV $$", .signal(11, coreDumped: false)), ("kill -TERM $$", .signal(15, coreDumped: false)),
  ]

  @Test func `Each way to end is known exactly, at once, of another user's process that is no child`() throws {
    let bench = try Bench()
    let processes = try Self.ways.map { _ in try bench.start() }
    try bench.follow(Self.ways.count)
    for (index, (how, exit)) in Self.ways.enumerated() {
      // No sample in between.
      bench.end(processes[index], "ulimit -c 0; " + how)
      try bench.eventually { bench.ends.count == index + 1 }
      let event = try #require(bench.ends.last)
      let end = try #require(event.processEnd)
      #expect(end.exit == (Self.kernelSays ? exit : nil), "\(how)")
      #expect(event.subject == "\(bench.name)[\(end.pid)]")
      let text = Self.kernelSays ? exit.text : "ended"
      #expect(event.message.hasPrefix("\(event.subject) \(text) after "), "\(event.message)")
      #expect(event.message.hasSuffix("; how is not known") != Self.kernelSays)
      #expect(end.command == "/bin/sh" || end.command.isEmpty || end.command.hasPrefix("/bin/sh "), "\(end.command)")
      let last = try #require(bench.records.processes.last)
      #expect(last.hasExited && last.pid == end.pid && last.startedNs == end.startedNs && end.startedNs > 0)
      // The tests' user may look at all of them, or they are its own.
      #expect(end.output == bench.directory + "/out" && end.directory == "/")
    }
    bench.sample()
    bench.sample()
    #expect(bench.ends.count == Self.ways.count, "once each")
    #expect(Set(bench.ends.compactMap(\.processEnd?.pid)).count == Self.ways.count)
    #expect(
      bench.ends.map(\.level)
        == (Self.kernelSays ? [.info, .warn, .warn, .warn, .info] : Array(repeating: .info, count: 5)))
  }

  @Test func `Without a loop the next sample reports the end, and how`() throws {
    let bench = try Bench(watches: false)
    let process = try bench.start()
    try bench.follow(1)
    bench.end(process, "exit 7")
    try bench.eventually {
      bench.sample()
      return !bench.ends.isEmpty
    }
    bench.sample()
    #expect(bench.ends.count == 1)
    // Seen as a zombie, it has not been reaped.
    let exit = bench.ends[0].processEnd?.exit
    #expect(exit == .code(7) || exit == nil)
  }

  @Test func `A zombie has ended; what its parent does not ask for is not known after a second`() throws {
    let bench = try Bench()
    let process = try bench.start(isReaped: false)
    try bench.follow(1)
    bench.end(process, "exit 0")
    let begin = ContinuousClock.now
    try bench.eventually {
      bench.sample()
      return !bench.ends.isEmpty
    }
    #expect(ContinuousClock.now - begin > .milliseconds(900), "it was waited for")
    let end = try #require(bench.ends[0].processEnd)
    #expect(end.exit == nil && bench.ends[0].message.hasSuffix("; how is not known"))
    bench.records = Records()
    for _ in 0..<3 { bench.sample() }
    #expect(bench.records.processes.isEmpty && bench.ends.isEmpty, "a zombie is not found again")
  }

  @Test func `Of an own zombie the kernel says how it ended, where it did not end well`() throws {
    let bench = try Bench()
    let process = try bench.start(isReaped: false, asOther: false)
    try bench.follow(1)
    bench.end(process, "kill -TERM $$")
    try bench.eventually { !bench.ends.isEmpty }
    #expect(bench.ends.map(\.processEnd?.exit) == [.signal(15, coreDumped: false)])
  }

  @Test func `Processes beyond the limit are counted and not watched`() throws {
    let bench = try Bench(processesMax: 2)
    let processes = try (0..<3).map { _ in try bench.start() }
    try bench.eventually {
      bench.sample()
      return bench.sampler.sampler.leftOut == 1
    }
    #expect(bench.sampler.sampler.processesWithoutHandle == 0)
    for process in processes { bench.end(process, "exit 0") }
    try bench.eventually { bench.ends.count == 2 }
  }

  @Test func `A program that lives for milliseconds is reported by exec, once, with its exact end`() throws {
    let bench = try Bench(follows: false)
    let socket = try bench.listen()
    for (index, (how, exit)) in Self.ways.enumerated() {
      let program = try bench.exec(["/bin/sh", "-c", "ulimit -c 0; " + how], socket: socket)
      try bench.eventually { !program.isRunning && bench.ends.count == index + 1 }
      #expect(bench.ends.last?.processEnd?.exit == exit, "\(how)")
      #expect(bench.ends.last?.subject.hasPrefix("job[") == true)
      let (status, isSignal): (Int32, Bool) =
        switch exit {
        case .code(let code): (code, false)
        case .signal(let number, _): (Int32(number), true)
        }
      #expect(program.terminationStatus == status)
      #expect((program.terminationReason == .uncaughtSignal) == isSignal)
    }
    for _ in 0..<3 { try bench.loop.turn(maximumWaitNs: 1_000_000) }
    #expect(bench.ends.count == Self.ways.count)
    #expect(bench.ends.allSatisfy { $0.processEnd?.command == "/bin/sh" && $0.processEnd?.startedNs ?? 0 > 0 })
  }

  @Test func `What exec runs is followed under its name, and its end is reported once`() throws {
    let bench = try Bench(follows: false)
    let socket = try bench.listen()
    let input = Pipe()
    let program = try bench.exec([bench.script], socket: socket, name: "nightly", input: input)
    try bench.eventually {
      bench.records = Records()
      bench.sample()
      return bench.records.processes.contains { $0.name == bench.name }
    }
    let sample = try #require(bench.records.processes.first)
    bench.end(input.fileHandleForWriting, "exit 9")
    try bench.eventually { !program.isRunning && !bench.ends.isEmpty }
    #expect(program.terminationStatus == 9)
    // The wrapper's own line comes behind what the pidfd says, or before.
    for _ in 0..<20 { try bench.loop.turn(maximumWaitNs: 5_000_000) }
    bench.sample()
    #expect(bench.ends.map(\.subject) == ["nightly[\(sample.pid)]"])
    #expect(bench.ends[0].processEnd?.exit == .code(9))
    #expect(bench.ends[0].processEnd?.startedNs == sample.startedNs)
  }

  @Test func `exec passes streams and signals through, and says by its code what could not be run`() throws {
    let bench = try Bench(follows: false)
    let nowhere = bench.directory + "/none.sock"
    func run(_ words: [String], input: String = "") throws -> (code: Int32, output: String, errors: String) {
      let process = Foundation.Process()
      let (standardInput, output, errors) = (Pipe(), Pipe(), Pipe())
      process.executableURL = URL(filePath: Bench.agent)
      process.arguments = ["exec", "--socket", nowhere, "--"] + words
      process.standardInput = standardInput
      process.standardOutput = output
      process.standardError = errors
      try process.run()
      standardInput.fileHandleForWriting.write(Data(input.utf8))
      try standardInput.fileHandleForWriting.close()
      let texts = [output, errors].map {
        String(decoding: $0.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      }
      process.waitUntilExit()
      return (process.terminationStatus, texts[0], texts[1])
    }
    let copied = try run(["/bin/sh", "-c", "cat; echo --name=x \"$1\" >&2", "sh", "--socket=/y"], input: "a\nb\n")
    #expect(copied.code == 0 && copied.output == "a\nb\n")
    let lines = copied.errors.split(separator: "\n")
    #expect(lines.count == 2 && lines[0].contains("agent is not reached") && lines[1] == "--name=x --socket=/y")
    #expect(try run(["no-such-program-here"]).code == 127)
    #expect(try run(["/etc/passwd"]).code == 126)

    let output = Pipe()
    let process = Foundation.Process()
    process.executableURL = Bench.python
    process.arguments =
      Bench.unblocked + [
        Bench.agent, "exec", "--socket", nowhere, "--", "/bin/sh", "-c",
        "trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done",
      ]
    process.standardOutput = output
    process.standardError = Foundation.FileHandle.nullDevice
    try process.run()
    #expect(String(decoding: output.fileHandleForReading.availableData, as: UTF8.self) == "ready\n")
    kill(process.processIdentifier, SIGUSR1)
    process.waitUntilExit()
    #expect(process.terminationStatus == 5)
  }

  /// A peer of the socket may write what it likes.
  @Test func `Who is not its parent reports neither a process's start nor its end`() throws {
    let bench = try Bench()
    let socket = try bench.listen()
    let process = try bench.start()
    try bench.follow(1)
    bench.sample()
    let sample = try #require(bench.records.processes.first)
    bench.records = Records()
    let stat = try HostFiles.read("/proc/\(sample.pid)/stat")
    let ticks = try #require(ProcessReading.read(stat.span)?.startTicks)
    let liar = try Socket.connectUnix(socket)
    let members = "\"pid\": \(sample.pid), \"start_ticks\": \(ticks), \"name\": \"stolen\""
    _ = try liar.writeSome(
      Array(
        "{\"event\": \"process_started\", \(members)}\n{\"event\": \"process_ended\", \(members), \"code\": 0}\n".utf8
      ).span)
    for _ in 0..<20 { try bench.loop.turn(maximumWaitNs: 1_000_000) }
    #expect(bench.ends.isEmpty)
    bench.end(process, "exit 7")
    try bench.eventually { !bench.ends.isEmpty }
    _ = try liar.writeSome(Array("{\"event\": \"process_ended\", \(members), \"code\": 0}\n".utf8).span)
    for _ in 0..<20 { try bench.loop.turn(maximumWaitNs: 1_000_000) }
    #expect(bench.ends.map(\.subject) == ["\(bench.name)[\(sample.pid)]"])
    #expect(bench.ends[0].processEnd?.exit != .code(0))
  }
}
