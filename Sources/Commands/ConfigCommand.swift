internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import RuleFiles
internal import Rules
internal import SiteConfiguration

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "The collector's signalbox.yaml: check it, and its schema. Neither needs a database.",
    subcommands: [Check.self, Schema.self])

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check",
      abstract: "Prints every mistake in signalbox.yaml and in the rules that it names.",
      discussion: """
        The collector reads the file with the same code at its start and on SIGHUP. Ends with 0 where all is right, else with 1.
        """)
    @Argument(help: "The file that the collector is given with --config.") var file = "/etc/signalbox/signalbox.yaml"
    @Option(
      help:
        "Rule files or a directory of them, instead of those that the file names, else the shipped ones; may be repeated."
    )
    var rules: [String] = []
    @Flag(
      name: .customLong("without-secrets"),
      help: "Do not read the files and variables that receivers' secrets stand in: only the collector's user may.")
    var withoutSecrets = false
    @OptionGroup var output: OutputOptions

    func run() throws {
      let yaml: String
      do {
        yaml = String(decoding: try HostFiles.read(file), as: UTF8.self)
      } catch {
        throw CommandFailure(.failed, "\(error); name the file that the collector is given with --config")
      }
      let (configuration, own) = ConfigurationReader.check(yaml, file: file, secrets: withoutSecrets ? .none : .files)
      var mistakes = own + configuration.unpaged
      if let paths = rules.isEmpty ? configuration.rulePaths : rules {
        let read = RuleDirectory.rules(paths)
        mistakes += configuration.unknownRules(among: read.set.rules.map(\.id) + OwnRule.all) + read.mistakes
      }
      try output.print(mistakes.inOrderOfLines, orSay: "\(file): no mistakes")
    }
  }

  struct Schema: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "schema",
      abstract: "The JSON Schema of signalbox.yaml, for editors.",
      discussion:
        "In an editor with a YAML language server: # yaml-language-server: $schema=signalbox.schema.json")

    func run() throws { try StandardStream.output.write(ConfigurationSchema.text()) }
  }
}

extension OutputOptions {
  /// Prints what is wrong in documents, a line each.
  ///
  /// - Parameter nothing: what is printed where nothing is.
  /// - Throws: `.failed` where there is more than notes.
  func print(_ mistakes: [DocumentMistake], orSay nothing: String) throws {
    if format != .table {
      try print(
        Answer(
          columns: [
            .init("file", "FILE"), .init("line", "LINE"), .init("column", "COLUMN"), .init("path", "KEYS"),
            .init("weight", "WEIGHT"), .init("message", "MISTAKE"),
          ],
          rows: mistakes.map {
            [
              .text($0.file), .integer(Int64($0.line)), .integer(Int64($0.column)), .text($0.path),
              .text("\($0.weight)"), .text($0.message),
            ]
          }))
    } else if mistakes.isEmpty {
      try StandardStream.output.write(Escaping.visible(nothing) + "\n")
    } else {
      try StandardStream.output.write(mistakes.map { Escaping.visible($0.description) + "\n" }.joined())
    }
    let count = mistakes.count { $0.weight != .note }
    if count > 0 { throw CommandFailure(.failed, count == 1 ? "1 mistake" : "\(count) mistakes") }
  }
}

/// Rules for a command that works with them.
enum RuleSource {
  /// - Throws: `.failed` with the first mistake of any.
  static func rules(_ paths: [String]) throws -> RuleSet {
    let (set, mistakes) = RuleDirectory.rules(paths, beside: RuleDirectory.shippedIDs())
    guard let first = mistakes.first else { return set }
    let more = mistakes.count > 1 ? " (and \(mistakes.count - 1) more; signalbox rules check prints all)" : ""
    throw CommandFailure(.failed, Escaping.visible(first.description) + more)
  }
}
