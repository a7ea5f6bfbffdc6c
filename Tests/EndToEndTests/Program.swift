import Files
import Foundation

/// A real program of this build, run as a user would run it.
final class Program: @unchecked Sendable {
  struct Result {
    var code: Int32
    var output: String
    var errors: String
  }

  /// The test runner lies beside the programs that were built with it; `SIGNALBOX_BIN` names others, for figures of a release build.
  static let directory =
    ProcessInfo.processInfo.environment["SIGNALBOX_BIN"].map { URL(fileURLWithPath: $0) }
    ?? URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

  static func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

  private let process = Foundation.Process()
  private let outputPath: String
  let errorPath: String

  /// Starts a program that stays; what it prints goes to files.
  init(_ name: String, _ words: [String], environment: [String: String] = [:], errorPath: String) throws {
    self.errorPath = errorPath
    outputPath = errorPath + ".out"
    try Data().write(to: URL(fileURLWithPath: outputPath))
    if !FileManager.default.fileExists(atPath: errorPath) { try Data().write(to: URL(fileURLWithPath: errorPath)) }
    process.executableURL = URL(fileURLWithPath: name.hasPrefix("/") ? name : Self.path(name))
    process.arguments = words
    process.environment = Foundation.ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let output = try FileHandle(forWritingTo: URL(fileURLWithPath: outputPath))
    let errors = try FileHandle(forWritingTo: URL(fileURLWithPath: errorPath))
    defer { for file in [output, errors] { try? file.close() } }
    try errors.seekToEnd()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
  }

  /// Waits for a line of standard output that begins with `prefix`.
  func line(startingWith prefix: String, within seconds: Double = 60) throws -> String {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while Date() < deadline {
      let text = (try? String(contentsOfFile: outputPath, encoding: .utf8)) ?? ""
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      if let line = lines.first(where: { $0.hasPrefix(prefix) }) { return String(line) }
      if !isRunning { break }
      usleep(10_000)
    }
    throw HarnessError("no line '\(prefix)…' came; standard error: \(errors.suffix(2000))")
  }

  var pid: Int32 { process.processIdentifier }
  var errors: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }

  /// Asked of the kernel: what Foundation knows comes later.
  var isRunning: Bool { Self.isAlive(pid) }

  private static func isAlive(_ pid: Int32) -> Bool {
    guard let stat = try? HostFiles.read("/proc/\(pid)/stat"), let end = stat.lastIndex(of: UInt8(ascii: ")")) else {
      return false
    }
    guard stat.count > end + 2 else { return false }
    if stat[end + 2] != UInt8(ascii: "Z") { return true }
    // Its first thread has ended; the others, as long as there are some, still hold its files and locks.
    return (try? HostFiles.list("/proc/\(pid)/task"))?.count ?? 0 > 1
  }

  func signal(_ number: Int32) { if isRunning { Foundation.kill(pid, number) } }

  /// kill -9, and waits until it is gone.
  func kill() {
    signal(SIGKILL)
    while isRunning { usleep(1000) }
  }

  /// Asks it to end and waits.
  @discardableResult
  func stop(within seconds: Double = 30) -> Int32 {
    signal(SIGTERM)
    return wait(within: seconds)
  }

  /// - Returns: its exit code; -1 where it had to be killed.
  func wait(within seconds: Double) -> Int32 {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while isRunning {
      if ContinuousClock.now >= deadline {
        kill()
        return -1
      }
      usleep(5000)
    }
    return Self.status(of: process)
  }

  /// Foundation reaps on a thread of its own, a moment after the end.
  private static func status(of process: Foundation.Process) -> Int32 {
    let deadline = Date(timeIntervalSinceNow: 10)
    while process.isRunning, Date() < deadline { usleep(1000) }
    return process.isRunning ? -1 : process.terminationStatus
  }

  /// Runs a program to its end.
  /// - Parameter input: what it reads from standard input.
  static func run(
    _ name: String, _ words: [String], environment: [String: String] = [:], input: String = "",
    within seconds: Double = 120
  ) throws -> Result {
    let process = Foundation.Process()
    let scratch = "/tmp/signalbox-run-\(UUID().uuidString)"
    defer { for suffix in [".in", ".out", ".err"] { try? FileManager.default.removeItem(atPath: scratch + suffix) } }
    for suffix in [".out", ".err"] { try Data().write(to: URL(fileURLWithPath: scratch + suffix)) }
    process.executableURL = URL(fileURLWithPath: name.hasPrefix("/") ? name : path(name))
    process.arguments = words
    process.environment = Foundation.ProcessInfo.processInfo.environment.merging(environment) { $1 }
    try Data(input.utf8).write(to: URL(fileURLWithPath: scratch + ".in"))
    let files = (
      input: try FileHandle(forReadingFrom: URL(fileURLWithPath: scratch + ".in")),
      output: try FileHandle(forWritingTo: URL(fileURLWithPath: scratch + ".out")),
      errors: try FileHandle(forWritingTo: URL(fileURLWithPath: scratch + ".err"))
    )
    // Foundation keeps the process and with it these; a database that inherits a thousand of them does not start.
    defer { for file in [files.input, files.output, files.errors] { try? file.close() } }
    process.standardInput = files.input
    process.standardOutput = files.output
    process.standardError = files.errors
    try process.run()
    // One answer decides, by the monotonic clock: a second look at /proc could meet a number that has been given
    // to another process meanwhile.
    let deadline = ContinuousClock.now + .seconds(seconds)
    while process.isRunning {
      if ContinuousClock.now >= deadline {
        Foundation.kill(process.processIdentifier, SIGKILL)
        throw HarnessError("\(name) \(words.joined(separator: " ")) did not end within \(seconds) s")
      }
      usleep(2000)
    }
    return Result(
      code: process.terminationStatus, output: try String(contentsOfFile: scratch + ".out", encoding: .utf8),
      errors: try String(contentsOfFile: scratch + ".err", encoding: .utf8))
  }
}

struct HarnessError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Ports that nobody listens on just now, for programs that must know each other's before they start.
enum FreePorts {
  static func take(_ count: Int) throws -> [Int] {
    let script = """
      import socket
      held = [socket.create_server(("127.0.0.1", 0)) for _ in range(\(count))]
      print(*[one.getsockname()[1] for one in held])
      """
    return try Program.run("/usr/bin/python3", ["-c", script]).output.split(whereSeparator: \.isWhitespace)
      .compactMap { Int($0) }
  }
}
