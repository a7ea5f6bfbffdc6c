import Files
import Foundation

/// A real program of this build, run as a user would run it.
final class Program: @unchecked Sendable {
  struct Result {
    var code: Int32
    var output: String
    var errors: String
  }

  /// The test runner lies beside the programs that were built with it.
  static let directory = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

  static func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

  private let process = Foundation.Process()
  private let output = Pipe()
  private let lock = NSLock()
  private var lines: [String] = []
  private var partial = Data()
  private let arrived = NSCondition()
  let errorPath: String

  /// Starts a program that stays; its standard error goes to a file.
  init(_ name: String, _ words: [String], environment: [String: String] = [:], errorPath: String) throws {
    self.errorPath = errorPath
    if !FileManager.default.fileExists(atPath: errorPath) {
      try Data().write(to: URL(fileURLWithPath: errorPath))
    }
    process.executableURL = URL(fileURLWithPath: name.hasPrefix("/") ? name : Self.path(name))
    process.arguments = words
    process.environment = Foundation.ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardOutput = output
    let errors = try FileHandle(forWritingTo: URL(fileURLWithPath: errorPath))
    try errors.seekToEnd()
    process.standardError = errors
    output.fileHandleForReading.readabilityHandler = { [weak self] in self?.received($0.availableData) }
    try process.run()
  }

  private func received(_ data: Data) {
    arrived.lock()
    partial.append(data)
    while let end = partial.firstIndex(of: UInt8(ascii: "\n")) {
      lines.append(String(decoding: partial[partial.startIndex..<end], as: UTF8.self))
      partial.removeSubrange(partial.startIndex...end)
    }
    if data.isEmpty { output.fileHandleForReading.readabilityHandler = nil }
    arrived.broadcast()
    arrived.unlock()
  }

  /// Waits for a line of standard output that begins with `prefix`.
  func line(startingWith prefix: String, within seconds: Double = 60) throws -> String {
    let deadline = Date(timeIntervalSinceNow: seconds)
    arrived.lock()
    defer { arrived.unlock() }
    while true {
      if let line = lines.first(where: { $0.hasPrefix(prefix) }) { return line }
      if !process.isRunning || !arrived.wait(until: min(deadline, Date(timeIntervalSinceNow: 0.2))),
        Date() > deadline || !process.isRunning
      {
        throw HarnessError("no line '\(prefix)…' came; standard error: \(errors)")
      }
    }
  }

  var pid: Int32 { process.processIdentifier }
  var isRunning: Bool { process.isRunning }
  var errors: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }

  func signal(_ number: Int32) { if process.isRunning { Foundation.kill(process.processIdentifier, number) } }

  /// kill -9, and waits until it is gone.
  func kill() {
    signal(SIGKILL)
    process.waitUntilExit()
  }

  /// Asks it to end and waits.
  @discardableResult
  func stop(within seconds: Double = 30) -> Int32 {
    signal(SIGTERM)
    return wait(within: seconds)
  }

  func wait(within seconds: Double) -> Int32 {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while process.isRunning, Date() < deadline { usleep(10_000) }
    if process.isRunning {
      kill()
      return -1
    }
    return process.terminationStatus
  }

  /// Runs a program to its end.
  static func run(_ name: String, _ words: [String], environment: [String: String] = [:], within seconds: Double = 120)
    throws -> Result
  {
    let process = Foundation.Process()
    let scratch = "/tmp/signalbox-run-\(UUID().uuidString)"
    defer { for suffix in [".out", ".err"] { try? FileManager.default.removeItem(atPath: scratch + suffix) } }
    for suffix in [".out", ".err"] { try Data().write(to: URL(fileURLWithPath: scratch + suffix)) }
    process.executableURL = URL(fileURLWithPath: name.hasPrefix("/") ? name : path(name))
    process.arguments = words
    process.environment = Foundation.ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: scratch + ".out"))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: scratch + ".err"))
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let deadline = Date(timeIntervalSinceNow: seconds)
    while process.isRunning, Date() < deadline { usleep(5000) }
    if process.isRunning {
      Foundation.kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      throw HarnessError("\(name) \(words.joined(separator: " ")) did not end within \(seconds) s")
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
