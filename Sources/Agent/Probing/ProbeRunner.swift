package import EventLoop
internal import Files
package import FleetModel

/// What decides for a `ProbeProcesses`: a state machine without I/O and without a clock.
package protocol ProbeSupervising {
  init()
  /// When `tick` has something to do; nil where there is nothing to ask.
  var nextNs: Int64? { get }
  /// `takeRecords` has something to give.
  var hasRecords: Bool { get }
  mutating func tick(nowNs: Int64, wallNs: Int64) -> [ProbeAction]
  /// Bytes came from a process.
  mutating func received(
    _ bytes: Span<UInt8>, from generation: UInt32, nowNs: Int64, wallNs: Int64
  ) -> [ProbeAction]
  /// A process ended, or could not be started.
  mutating func exited(_ generation: UInt32, nowNs: Int64, wallNs: Int64)
  mutating func takeRecords() -> Records
}

/// Asks what can hang: GPUs, network file systems.
package typealias ProbeRunner = ProbeProcesses<ProbeSupervisor>
/// Asks what profiles configure.
package typealias CheckRunner = ProbeProcesses<CheckSupervisor>

/// Runs the probe processes for a supervisor on the agent's loop.
///
/// Isolation: the loop's thread. No process is started before there is something to ask.
package final class ProbeProcesses<Supervisor: ProbeSupervising> {
  private let loop: EventLoop
  private let program: String
  private let arguments: [String]
  private let environment: [String]
  private let wallNs: () -> Int64
  private var supervisor = Supervisor()
  private var running: [UInt32: Running] = [:]
  private var timer: TimerID?
  private var bytes = [UInt8](repeating: 0, count: 16 << 10)
  /// Called whenever there is something to take, unless that waits for the next sample anyway.
  package var recordsCame: () -> Void = {}

  private struct Running {
    let child: Child
    let output: Watch
    let errors: Watch
  }

  /// - Parameters:
  ///   - program: answers `arguments` by `ProbeServer.run` or `CheckServer.run`; the agent itself.
  ///   - environment: all that the processes get, such as `LD_LIBRARY_PATH=…`.
  package init(
    loop: EventLoop, program: String = ProbeRunner.ownProgram(), arguments: [String] = ["probe"],
    environment: [String] = [], wallNs: @escaping () -> Int64 = Clock.wallNs
  ) {
    self.loop = loop
    self.program = program
    self.arguments = arguments
    self.environment = environment
    self.wallNs = wallNs
  }

  /// The file of this process; through /proc where an update has replaced it.
  package static func ownProgram() -> String {
    guard let path = try? HostFiles.readLink("/proc/self/exe"), (try? FileStatus.of(path: path)) != nil else {
      return "/proc/self/exe"
    }
    return path
  }

  /// Processes that run now.
  package var processIDs: [Int32] { running.values.map { $0.child.pid }.sorted() }

  /// What has been found out since the last call.
  package func takeRecords() -> Records { supervisor.takeRecords() }

  /// Ends all processes and asks no more.
  package func close() {
    supervisor = Supervisor()
    if let timer { loop.cancel(timer) }
    timer = nil
    for process in running.values { process.child.signal(sigkill) }
  }

  /// Changes what is asked.
  private func change(_ change: (inout Supervisor) -> Void) {
    change(&supervisor)
    tick()
  }

  private func tick() {
    perform(supervisor.tick(nowNs: Clock.monotonicNs(), wallNs: wallNs()))
    arm()
  }

  private func arm() {
    if let timer { loop.cancel(timer) }
    if supervisor.hasRecords { recordsCame() }
    timer = supervisor.nextNs.map { next in
      // At least a moment: what is due but not possible yet (too many processes left) must not spin.
      loop.after(max(100_000_000, next - Clock.monotonicNs())) { [unowned self] in tick() }
    }
  }

  private func perform(_ actions: [ProbeAction]) {
    for action in actions {
      switch action {
      case .start(let generation): start(generation)
      case .send(let generation, let bytes): send(generation, bytes)
      case .kill(let generation): running[generation]?.child.signal(sigkill)
      }
    }
  }

  private func start(_ generation: UInt32) {
    do throws(LoopError) {
      let child = try Child.spawn(
        program, arguments: [program] + arguments, environment: environment, on: loop
      ) { [unowned self] _ in ended(generation) }
      let output = try loop.watch(child.output.raw, .read) { [unowned self] _ in read(generation) }
      let errors = try loop.watch(child.errors.raw, .read) { [unowned self] _ in discardErrors(generation) }
      running[generation] = Running(child: child, output: output, errors: errors)
    } catch {
      // Reported as an end, after this wake: the supervisor has not sent its question yet.
      loop.after(0) { [unowned self] in ended(generation) }
    }
  }

  /// Questions that are under way are together smaller than a pipe's buffer: they always fit.
  private func send(_ generation: UInt32, _ bytes: [UInt8]) { _ = try? running[generation]?.child.write(bytes.span) }

  private func read(_ generation: UInt32) {
    guard let process = running[generation] else { return }
    let got = (try? process.child.output.reread(into: &bytes, from: 0, at: nil)) ?? nil
    guard let got else { return }
    // The end of its output is not yet its end, but nothing will follow.
    guard got > 0 else { return loop.unwatch(process.output) }
    let bytes = bytes
    perform(
      supervisor.received(
        bytes.span.extracting(0..<got), from: generation, nowNs: Clock.monotonicNs(), wallNs: wallNs()))
    arm()
  }

  /// The driver's libraries write there what they like; a full pipe would stop the process.
  private func discardErrors(_ generation: UInt32) {
    guard let process = running[generation] else { return }
    if ((try? process.child.errors.reread(into: &bytes, from: 0, at: nil)) ?? 1) == 0 { loop.unwatch(process.errors) }
  }

  private func ended(_ generation: UInt32) {
    if let process = running.removeValue(forKey: generation) {
      loop.unwatch(process.output)
      loop.unwatch(process.errors)
    }
    supervisor.exited(generation, nowNs: Clock.monotonicNs(), wallNs: wallNs())
    arm()
  }
}

private let sigkill: Int32 = 9

extension ProbeProcesses where Supervisor == ProbeSupervisor {
  /// GPUs known so far, for `HostFacts`.
  package var gpuCount: Int { supervisor.gpuCount }
  package var gpuModel: String { supervisor.gpuModel }
  package var gpuDriverVersion: String { supervisor.gpuDriverVersion }
  /// For `Sampler.noteGPUMemory`.
  package var gpuMemoryBytes: [UInt32: UInt64] { supervisor.gpuMemoryBytes }
  /// Processes that were killed and cannot end.
  package var leftProcesses: Int { supervisor.leftProcesses }

  /// Replaces what is asked; those that stay keep their times.
  package func setTasks(_ tasks: [ProbeTask]) {
    change { $0.setTasks(tasks, nowNs: Clock.monotonicNs()) }
  }
}

extension ProbeProcesses where Supervisor == CheckSupervisor {
  /// Asks within what the host allows.
  package convenience init(loop: EventLoop, program: String = ProbeRunner.ownProgram(), permissions: CheckPermissions) {
    // Where the host keeps what programs such as psql need; nothing of it is a secret itself.
    let names = ["PATH", "HOME", "LD_LIBRARY_PATH", "PGSERVICEFILE", "PGSYSCONFDIR", "PGPASSFILE"]
    self.init(
      loop: loop, program: program, arguments: ["probe", "--checks"] + permissions.words,
      environment: names.compactMap { name in Machine.environment(name).map { "\(name)=\($0)" } })
  }

  /// Replaces what is asked; those that stay keep their times.
  package func setProbes(_ probes: [ProbeSetting]) {
    change { $0.setProbes(probes, nowNs: Clock.monotonicNs()) }
  }
}

/// Finds NVIDIA's library without loading it.
package enum NVMLLocation {
  /// - Parameter setting: a path that the host's operator gave; nil looks in the usual places and in `LD_LIBRARY_PATH`.
  /// - Returns: nil where there is none: no probe process is needed for GPUs.
  package static func find(root: String = "", setting: String? = nil) -> String? {
    if let setting { return exists(root + setting) ? setting : nil }
    let searched = (Machine.environment("LD_LIBRARY_PATH") ?? "").split(separator: ":").map {
      $0 + "/libnvidia-ml.so.1"
    }
    return (searched.map { String($0) } + usualPaths).first { exists(root + $0) }
  }

  private static func exists(_ path: String) -> Bool { (try? FileStatus.of(path: path)) != nil }

  /// Distributions, containers, WSL, NixOS.
  private static let usualPaths = [
    "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib64/libnvidia-ml.so.1", "/usr/lib/libnvidia-ml.so.1", "/usr/local/nvidia/lib64/libnvidia-ml.so.1",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1", "/run/opengl-driver/lib/libnvidia-ml.so.1",
  ]
}
