import Foundation
import Rules
import Testing

/// Steps are pasted into a shell without a second look.
@Suite struct StepTextTests {
  static let names = [
    "/srv/data", "/x; touch pwned", "/x`touch pwned`", "/$(touch pwned)", "/it's \"q\"", "/x\ntouch pwned",
    "/\u{1b}[2J\u{202e}",
    "/a\u{338}", "",
  ]
  static let commands = [
    "printf '[%s]' {{entity}}", "printf '[{{entity}}]'", "printf \"[{{entity}}]\"", "printf '[%s]' '{{entity}}'",
  ]

  @Test(arguments: names, commands)
  func aNameIsOneWordOfItsCommand(_ name: String, _ command: String) throws {
    // printf's own escapes are not the shell's.
    if command.contains("[{{"), name.contains("\\") || name.contains("%") { return }
    let step = StepText(host: "h", entity: name).filled("Don't panic; `\(command)` on {{host}}.")
    let parts = step.split(separator: "`", omittingEmptySubsequences: false)
    try #require(parts.count == 3, "\(step)")
    #expect(parts[2] == " on h.")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", String(parts[1])]
    process.environment = ["LC_ALL": "C.UTF-8"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let shown = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(shown == "[\(name)]", "\(step)")
  }

  @Test func proseKeepsItsApostrophes() {
    #expect(
      StepText(host: "h", entity: "/a b").filled("The host's {{entity}} is full.") == "The host's '/a b' is full.")
    #expect(StepText(host: "h", entity: "e").filled("no names { here }") == "no names { here }")
  }
}
