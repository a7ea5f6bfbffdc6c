internal import ArgumentParser
internal import EventLoop
internal import Files
internal import FleetModel

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "A whole fleet of one on this machine: collector, database, agent, console and a training job.",
    discussion: "Everything runs below one directory, on loopback only, and ends with Ctrl-C.")

  @Flag(help: "End after the first complete episode has been shown.") var once = false
  @Option(name: .customLong("state-dir"), help: "Where to keep everything; else a temporary directory that is removed.")
  var stateDirectory: String?
  @Option(help: "The training job, a Python program.") var job: String?
  @Option(help: "Steps of each episode.") var steps = 250

  func run() throws {
    let directory = stateDirectory ?? "/tmp/signalbox-demo-\(HostFiles.randomBytes(4).map(Hex.text).joined())"
    do {
      // Signals are blocked before any thread starts.
      let signals = try SignalSource([.interrupt, .terminate])
      let loop = try EventLoop()
      let run = try DemoRun(loop: loop, directory: directory, programs: programs(), once: once, steps: steps)
      try signals.attach(to: loop) { _ in run.stop() }
      try run.start()
      try loop.run()
      if stateDirectory == nil { try HostFiles.removeTree(directory) }
      if let problem = run.problem { throw CommandFailure(.failed, problem) }
    } catch let error as LoopError {
      throw CommandFailure(.failed, "\(error)")
    }
  }

  private func programs() throws -> DemoPrograms {
    let own = try HostFiles.readLink("/proc/self/exe")
    let beside = HostFiles.directory(of: own)
    let jobs = [
      job, "deploy/demo/train.py", beside + "/../../../deploy/demo/train.py", "/usr/share/signalbox/demo/train.py",
    ]
    guard let found = jobs.compactMap({ $0 }).first(where: { (try? FileStatus.of(path: $0)) != nil }) else {
      throw CommandFailure(.failed, "the training job deploy/demo/train.py is not here; name it with --job PATH")
    }
    guard let python = Executable.find("python3") else {
      throw CommandFailure(.failed, "python3 is not on PATH; the demo's training job needs it")
    }
    let programs = DemoPrograms(
      collector: beside + "/signalbox-collector", agent: beside + "/signalbox-agent",
      console: beside + "/signalbox-console", python: python, job: found)
    for path in [programs.collector, programs.agent, programs.console] where (try? FileStatus.of(path: path)) == nil {
      throw CommandFailure(.failed, "\(path) is missing; make build makes all programs")
    }
    return programs
  }
}

struct DemoPrograms {
  var collector: String
  var agent: String
  var console: String
  var python: String
  var job: String
}

/// Programs on PATH.
enum Executable {
  static func find(_ name: String) -> String? {
    (Process.environment("PATH") ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
      .map { "\($0)/\(name)" }.first { (try? FileStatus.of(path: $0))?.kind == .file }
  }
}
