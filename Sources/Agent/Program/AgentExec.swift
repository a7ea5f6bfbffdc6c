internal import EventLoop
internal import Files
internal import FleetModel

/// `signalbox-agent exec -- PROGRAM`: runs a program and reports to the agent how it ended.
///
/// It is never in the way: streams, signals and the end are the program's, and what the agent does not take is left out.
enum AgentExec {
  private static let notExecutable: Int32 = 126
  private static let notFound: Int32 = 127

  /// - Returns: 126 or 127 where the program could not be started; else it does not return.
  static func run(_ options: ExecOptions) -> Int32 {
    var report = ExecReport(options)
    report.connect()
    let program: WrappedProgram
    do throws(LoopError) {
      program = try WrappedProgram.start(options.words, keeping: report.descriptor)
    } catch {
      // As env(1) and the shell have it; ENOENT, ENOTDIR.
      return AgentMain.fail([2, 20].contains(error.code) ? notFound : notExecutable, "\(error)")
    }
    report.started(UInt32(clamping: program.pid))
    do throws(LoopError) {
      let status = try program.wait()
      report.ended(ProcessExit(waitStatus: status))
      WrappedProgram.end(as: status)
    } catch {
      return AgentMain.fail(1, "\(error)")
    }
  }
}

/// What is written to the agent's socket. Nothing here waits, and nothing that fails does more than write one line.
private struct ExecReport {
  private final class Connection {
    let socket: Descriptor

    init(_ path: String) throws(LoopError) { socket = try Socket.connectUnix(path) }
  }

  private let options: ExecOptions
  private var connection: Connection?
  private var members = ""
  private var hasComplained = false

  init(_ options: ExecOptions) { self.options = options }

  var descriptor: Int32? { connection?.socket.raw }

  mutating func connect() {
    do throws(LoopError) { connection = try Connection(options.socketPath) } catch { complain("\(error)") }
  }

  /// While it has not been waited for: even one that has ended has its files in /proc.
  mutating func started(_ pid: UInt32) {
    let directory = "/proc/\(pid)"
    let stat = (try? HostFiles.read(directory + "/stat", limitBytes: 4096)).flatMap { ProcessReading.read($0.span) }
    let group = try? HostFiles.read(directory + "/cgroup", limitBytes: 4096)
    let errors = FollowedProcess.path("/proc/self/fd/2")
    // Its own standard output is closed by now.
    let output = FollowedProcess.path(directory + "/fd/1")
    let texts = [
      ("name", options.name.isEmpty ? stat?.name ?? "" : options.name),
      ("command", ProcessCommand.shown(options.words)),
      ("directory", FollowedProcess.path("/proc/self/cwd")), ("output", output),
      ("errors", errors == output ? "" : errors), ("cgroup", group.map { ControlGroup.read($0.span) } ?? ""),
    ]
    members = "\"pid\": \(pid), \"start_ticks\": \(stat?.startTicks ?? 0)"
    for (name, text) in texts where !text.isEmpty { members += ", \"\(name)\": \(JSONText.quoted(text))" }
    _ = send("{\"event\": \"process_started\", \(members)}\n")
  }

  mutating func ended(_ exit: ProcessExit) {
    let how =
      switch exit {
      case .code(let code): "\"code\": \(code)"
      case .signal(let number, let coreDumped): "\"signal\": \(number), \"core_dumped\": \(coreDumped)"
      }
    let line = "{\"event\": \"process_ended\", \(members), \(how)}\n"
    if send(line) { return }
    // The agent was started again meanwhile.
    connection = try? Connection(options.socketPath)
    if !send(line) { complain("it takes nothing at \(options.socketPath)") }
  }

  private func send(_ line: String) -> Bool {
    guard let connection else { return false }
    return (try? connection.socket.writeSome(Array(line.utf8).span)) == line.utf8.count
  }

  private mutating func complain(_ reason: String) {
    guard !hasComplained else { return }
    hasComplained = true
    AgentMain.write(
      "signalbox-agent: the agent is not reached (\(PlainText.visible(reason))): the program runs, and its end is not reported.",
      .error)
  }
}
