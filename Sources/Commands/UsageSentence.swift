internal import ArgumentParser
internal import FleetModel

/// The message for a command line that ArgumentParser refuses, where its own does not name what is valid.
enum UsageSentence {
  /// - Parameters:
  ///   - message: ArgumentParser's.
  ///   - words: the command line without the program's name.
  static func of(_ message: String, words: [String]) -> String {
    if let problem = commandProblem(words) { return problem }
    if message.hasPrefix("Missing expected argument"), let word = words.first(where: CommandWords.isNegativeNumber) {
      return "'\(word)' is no number that can be meant here: it must be positive"
    }
    guard let option = invalidOption(message) else { return message }
    return message + "; it takes " + takes(option)
  }

  /// - Returns: nil where `command` is none that only holds others.
  static func missingCommand(_ command: any ParsableCommand.Type, words: [String]) -> String? {
    let below = command.configuration.subcommands
    if below.isEmpty { return nil }
    let path = (["signalbox"] + words).joined(separator: " ")
    return "a command is missing behind '\(path)': use one of \(known(below)); \(path) --help describes them"
  }

  private static func known(_ commands: [any ParsableCommand.Type]) -> String {
    commands.compactMap { $0.configuration.commandName }.joined(separator: ", ")
  }

  /// The first word that should name a command and does not. ArgumentParser calls it an unknown option or argument.
  private static func commandProblem(_ words: [String]) -> String? {
    var command: any ParsableCommand.Type = Root.self
    var path = "signalbox"
    for word in words {
      let below = command.configuration.subcommands
      guard !below.isEmpty else { return nil }
      guard let next = below.first(where: { command in names(of: command).contains(word) }) else {
        let known = known(below)
        return word.hasPrefix("-")
          ? "a command is missing between '\(path)' and '\(word.prefix(80))': use one of \(known)"
          : "'\(path)' has no command '\(word.prefix(80))': use one of \(known)"
      }
      command = next
      path += " " + word
    }
    return nil
  }

  private static func names(of command: any ParsableCommand.Type) -> [String] {
    (command.configuration.commandName.map { [$0] } ?? []) + command.configuration.aliases
  }

  /// Of "The value 'x' is invalid for '--since <since>'", `--since`; nil where the message names what is valid.
  private static func invalidOption(_ message: String) -> String? {
    let marker = "' is invalid for '"
    guard message.hasPrefix("The value '"), message.hasSuffix("'"), let place = message.firstRange(of: marker) else {
      return nil
    }
    return String(message[place.upperBound...].prefix { $0 != " " && $0 != "'" })
  }

  /// Beside times, which are not written otherwise anywhere, and words, which ArgumentParser lists, there are only whole numbers.
  private static func takes(_ option: String) -> String {
    ["--since", "--until"].contains(option)
      ? "an age such as 2h, or a time such as 2026-11-21T08:00Z" : "a whole number"
  }
}

/// What every option that limits a listing takes.
enum PositiveNumber {
  /// - Throws: `ValidationError` for 0 and less.
  static func require(_ number: Int, _ option: String = "--limit") throws {
    if number < 1 { throw ValidationError("\(option) takes a number of 1 or more, not \(number).") }
  }
}
