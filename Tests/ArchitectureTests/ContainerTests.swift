import Foundation
import Testing

/// What docker-compose.yml and the Dockerfile name must be in a fresh clone: no engine is there to find out before a user does.
/// `deploy/docker/try-image.sh` builds and runs the image itself.
@Suite struct ContainerTests {
  private static func text(_ path: String) throws -> String {
    try String(contentsOf: ArchitectureTests.root.appendingPathComponent(path), encoding: .utf8)
  }

  private static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: ArchitectureTests.root.appendingPathComponent(path).path)
  }

  /// The words behind every match's first group.
  private static func all(_ pattern: String, in text: String) throws -> [String] {
    let expression = try NSRegularExpression(pattern: pattern, options: .anchorsMatchLines)
    return expression.matches(in: text, range: NSRange(text.startIndex..., in: text)).compactMap {
      Range($0.range(at: 1), in: text).map { String(text[$0]) }
    }
  }

  @Test func whatTheDockerfileCopiesIsInTheContext() throws {
    let dockerfile = try Self.text("deploy/docker/collector.Dockerfile")
    let copies = try Self.all(#"^COPY (?!--)(.+) \S+$"#, in: dockerfile)
    let sources = copies.flatMap { $0.split(separator: " ").map(String.init) }
    #expect(sources.count >= 5)
    let left = try [".gitignore", ".dockerignore"].flatMap { try Self.text($0).split(separator: "\n").map(String.init) }
    for source in sources {
      #expect(Self.exists(source), "\(source)")
      let isLeftOut = left.contains { $0 == source || $0 == source + "/" || source.hasPrefix($0 + "/") }
      #expect(!isLeftOut, "\(source) is left out")
    }
    // Every directory that Package.swift takes targets from.
    for directory in ["Sources", "Tests", "Benchmarks"] { #expect(sources.contains(directory)) }
    for product in try Self.all(#"--product (\S+)"#, in: dockerfile) {
      #expect(try Self.text("Package.swift").contains(#".executable(name: "\#(product)""#), "\(product)")
    }
  }

  @Test func whatComposeNamesIsThere() throws {
    let compose = try Self.text("docker-compose.yml")
    let dockerfiles = try Self.all(#"dockerfile: ([^ }]+)"#, in: compose)
    #expect(dockerfiles == ["deploy/docker/collector.Dockerfile"] && dockerfiles.allSatisfy(Self.exists))
    let mounted = try Self.all(#":-\./([^}]+)\}:"#, in: compose)
    #expect(!mounted.isEmpty && mounted.allSatisfy { Self.exists("\($0)/signalbox.yaml") })
    let program = try Self.text("Sources/signalbox-collector/Main.swift")
    let options = try Self.all(#""--([a-z-]+)""#, in: compose)
    #expect(options.count >= 3)
    for option in options {
      let words = option.split(separator: "-").map(String.init)
      let variable = words[0] + words.dropFirst().map(\.capitalized).joined()
      #expect(program.contains("var \(variable)"), "--\(option)")
    }
    let variables = try Self.all(#"^\s+(SIGNALBOX_\w+):"#, in: compose)
    #expect(variables.count >= 3)
    for variable in variables { #expect(program.contains("\"\(variable)\""), "\(variable)") }
  }

  @Test func theContainersConfigurationNamesWhatTheImageHolds() throws {
    let dockerfile = try Self.text("deploy/docker/collector.Dockerfile")
    let rules = try #require(try Self.all(#"^COPY deploy/rules (\S+)$"#, in: dockerfile).first)
    #expect(try Self.text("deploy/docker/config/signalbox.yaml").contains("\"\(rules)\""))
    // The number that the operator is asked to give the secret to.
    let user = try #require(try Self.all(#"^USER (\d+)$"#, in: dockerfile).first)
    #expect(try Self.text("docker-compose.yml").contains("chown \(user) database_password.txt"))
  }
}
