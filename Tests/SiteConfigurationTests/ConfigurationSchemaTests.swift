import FleetModel
import Foundation
import RuleFiles
import SiteConfiguration
import TestSupport
import Testing

/// The schema says to an editor what the reader says to the collector.
@Suite struct ConfigurationSchemaTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let python = ProcessInfo.processInfo.environment["SIGNALBOX_PYTHON"] ?? "\(root.path)/.build/venv/bin/python"
  static let hasValidator = (try? run(["-c", "import jsonschema"], input: Data()))?.status == 0

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  @Test func theCommittedSchemaIsCurrent() throws {
    let text = try Self.text("deploy/signalbox.schema.json")
    #expect(text == ConfigurationSchema.text(), "run: make docs")
    #expect(try JSONSerialization.jsonObject(with: Data(text.utf8)) is [String: Any])
  }

  /// The shipped file, and what the manual shows.
  static func examples() throws -> [String] {
    let manuals = try ["docs/operations.md", "docs/paging.md"].flatMap { path in
      try text(path).components(separatedBy: "```yaml\n").dropFirst().map {
        $0.components(separatedBy: "\n```")[0] + "\n"
      }.filter { $0.hasPrefix("retention:") || $0.hasPrefix("paging:") || $0.hasPrefix("maintenance:") }
    }
    return try [text("deploy/docker/config/signalbox.yaml")] + manuals
  }

  @Test func theReaderTakesEveryExample() throws {
    let examples = try Self.examples()
    #expect(examples.count == 4)
    for example in examples {
      #expect(ConfigurationReader.check(example, file: "x", secrets: .none).mistakes == [])
    }
    #expect(examples[0].hasPrefix("# yaml-language-server: $schema=../../signalbox.schema.json\n"))
  }

  @Test(.enabled(if: hasValidator, "deploy/setup/install-dependencies.sh test installs jsonschema"))
  func theSchemaTakesEveryExample() throws {
    #expect(try Self.refused(Self.examples()) == [])
  }

  /// Of what the reader refuses the schema refuses what it can know: keys, types, words and whole numbers.
  @Test(.enabled(if: hasValidator, "deploy/setup/install-dependencies.sh test installs jsonschema"))
  func theSchemaRefusesWhatTheReaderRefuses() throws {
    let step = "paging: { receivers: { a: { slack: { url: 'http://x' } } }, policies: { P0: [{ to: a, "
    let unknown = KeyWalk().wrong(ConfigurationKeys.file).map(\.yaml).filter { $0.contains("no_such_key: 1") }
    #expect(unknown.count > 40)
    let wrong =
      unknown + ["yes", "'true'", "1"].map { step + "digest: \($0) }] } }" }
      + [
        "retention: [1]", "rules: one", "quotas: { runs: { burst: 0 } }", "quotas: { runs: { burst: '7' } }",
        "profiles: [{ logs: [{}] }]", "profiles: [{ interval: 10 }]", "profiles: [{ interval: 10min }]",
        "paging: { messages_per_minute: 0 }", "paging: { receivers: { a: {} } }",
        "paging: { receivers: { a: { slack: { url: x, url_env: y } } } }",
        "paging: { receivers: { a: { email: { smtp: x, from: a@b, to: a@b, tls: maybe } } } }",
        "maintenance: [{ name: a, match: { severity: P9 }, from: a, reason: x }]",
      ]
    let refused = try Self.refused(wrong)
    #expect(wrong.indices.filter { !refused.contains($0) }.map { wrong[$0] } == [])
    for yaml in wrong { #expect(ConfigurationReader.check(yaml, file: "x").mistakes != [], "\(yaml)") }
  }

  // MARK: The validator

  /// - Returns: which of the documents the schema refuses.
  static func refused(_ documents: [String]) throws -> [Int] {
    let script = """
      import json, sys, jsonschema
      validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
      validator.check_schema(validator.schema)
      print(json.dumps([i for i, d in enumerate(json.load(sys.stdin)) if not validator.is_valid(d)]))
      """
    let values = try documents.map { json(try YAMLTree.read($0, file: "x")) }
    let result = try run(
      ["-c", script, root.appendingPathComponent("deploy/signalbox.schema.json").path],
      input: try JSONSerialization.data(withJSONObject: values))
    #expect(result.status == 0)
    return try #require(try JSONSerialization.jsonObject(with: result.output) as? [Int])
  }

  /// What an editor's YAML 1.2 makes of it.
  static func json(_ node: DocumentNode) -> Any {
    switch node.value {
    case .map(let entries):
      return Dictionary(entries.map { ($0.key, json($0.value)) }) { first, _ in first } as [String: Any]
    case .list(let items): return items.map(json)
    case .scalar(let text):
      if node.isNull { return NSNull() }
      if node.isQuoted { return text }
      if text == "true" || text == "false" { return text == "true" }
      if let number = Int(text) { return number }
      if let number = Double(text) { return number }
      return text
    }
  }

  static func run(_ words: [String], input: Data) throws -> (status: Int32, output: Data) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = words
    let (stdin, stdout) = (Pipe(), Pipe())
    process.standardInput = stdin
    process.standardOutput = stdout
    process.standardError = FileHandle.nullDevice
    try process.run()
    // The script reads all of its input before it writes.
    try stdin.fileHandleForWriting.write(contentsOf: input)
    try stdin.fileHandleForWriting.close()
    let output = stdout.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, output)
  }
}
