import Files
import Foundation
import Testing

/// The `openssl` program: a second opinion on what the wrapper made.
struct OpenSSLCommand {
  let directory: String

  init() throws {
    directory = "/tmp/signalbox-identity-" + UUID().uuidString
    try HostFiles.makeDirectory(directory)
  }

  func remove() { try? FileManager.default.removeItem(atPath: directory) }

  func path(_ name: String) -> String { directory + "/" + name }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    try HostFiles.replace(path(name), with: [UInt8](text.utf8))
    return path(name)
  }

  func read(_ name: String) throws -> [UInt8] { try HostFiles.read(path(name)) }

  /// Runs `openssl` in the directory.
  /// - Returns: exit status, and standard output and error together.
  func run(_ arguments: String...) throws -> (status: Int32, output: String) { try run(list: arguments) }

  /// Runs `openssl`, which must succeed.
  @discardableResult
  func succeed(_ arguments: String...) throws -> String {
    let process = try run(list: arguments)
    #expect(process.status == 0, "openssl \(arguments.joined(separator: " ")): \(process.output)")
    return process.output
  }

  private func run(list arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
