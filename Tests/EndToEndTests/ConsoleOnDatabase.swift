import Files
import Foundation
import Postgres
import TestSupport
import Testing

/// A console on a test's database, with a certificate of its own, and a home in which the command line has logged in to it.
final class ConsoleOnDatabase {
  let directory: String
  let console: Program
  let url: String
  private let databaseURL: String

  /// - Parameter more: further options; of the directory, which holds `cert.pem` and `key.pem`.
  init(_ database: DatabaseURL, more: (String) throws -> [String] = { _ in [] }) throws {
    directory = "/tmp/signalbox-console-\(UUID().uuidString.prefix(8))"
    databaseURL = database.text
    try HostFiles.makeDirectory(directory, mode: 0o755)
    let (certificate, key) = (directory + "/cert.pem", directory + "/key.pem")
    let made = try Program.run(
      "/usr/bin/openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=console", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
      ])
    guard made.code == 0 else { throw HarnessError(made.errors) }
    console = try Program(
      "signalbox-console",
      [
        "--database", database.text, "--listen", "127.0.0.1:0", "--certificate", certificate, "--key", key,
      ] + more(directory), errorPath: directory + "/console.err")
    url = String(try console.line(startingWith: "ready url=").dropFirst("ready url=".count))
  }

  var certificate: String { directory + "/cert.pem" }

  func tearDown() {
    #expect(console.stop() == 0, "\(console.errors.suffix(2000))")
    try? HostFiles.removeTree(directory)
  }

  func token(_ name: String, _ role: String) throws -> String {
    let result = try byDatabase(["tokens", "create", name, "--role", role])
    guard result.code == 0 else { throw HarnessError(result.errors) }
    return result.output.trimmingCharacters(in: .newlines)
  }

  func login(_ token: String, _ more: [String] = []) throws -> Program.Result {
    try byConsole(["login", url, "--ca", certificate] + more, input: token + "\n")
  }

  /// As somebody who has logged in, without the database's address.
  func byConsole(_ words: [String], input: String = "", columns: String = "") throws -> Program.Result {
    try Program.run(
      "signalbox", words,
      environment: ["SIGNALBOX_DATABASE_URL": "", "HOME": directory, "XDG_CONFIG_HOME": "", "COLUMNS": columns],
      input: input)
  }

  func byDatabase(_ words: [String], columns: String = "") throws -> Program.Result {
    try Program.run(
      "signalbox", words,
      environment: [
        "SIGNALBOX_DATABASE_URL": databaseURL, "HOME": directory, "XDG_CONFIG_HOME": "", "COLUMNS": columns,
      ])
  }

  /// With curl: status and body.
  func ask(_ path: String, _ words: [String] = [], token: String? = nil) throws -> (status: Int, body: String) {
    var words = ["-sS", "-m", "20", "--cacert", certificate, "-w", "\n%{http_code}"] + words
    if let token { words += ["-H", "Authorization: Bearer \(token)"] }
    let result = try Program.run("/usr/bin/curl", words + [url + path])
    guard let end = result.output.lastIndex(of: "\n") else {
      throw HarnessError("no answer of \(path): \(result.errors)")
    }
    return (Int(result.output[result.output.index(after: end)...]) ?? 0, String(result.output[..<end]))
  }
}
