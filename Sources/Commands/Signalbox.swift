internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel

/// The operator's command: `signalbox NOUN VERB`.
///
/// Each command sets its own name: from its type's name ArgumentParser derives it in 4 ms at every start.
struct Root: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "signalbox", abstract: "Looks at a fleet of training machines.",
    discussion: """
      Every command asks the database of --state-dir DIR, --database URL or $SIGNALBOX_DATABASE_URL, else the console of
      --context NAME, or the one of signalbox login.
      Exit codes: 0 done, 1 failed, 2 usage, 3 nothing found, or nothing of that name or number,
      4 database, console or collector not reachable, 5 answered, but hosts are missing from the answer: they are late,
      silent, or have never reported; --allow-missing makes that 0.
      """,
    version: Build.version,
    subcommands: [
      FleetCommand.self, HostsCommand.self, RunsCommand.self, EpisodesCommand.self, CompareCommand.self,
      LogsCommand.self, GapsCommand.self,
      IncidentsCommand.self, SilencesCommand.self, OnCallCommand.self, PagingCommand.self, QueryCommand.self,
      RulesCommand.self, ConfigCommand.self, CACommand.self, TokensCommand.self,
      AuditCommand.self, ConsoleCommand.self, LoginCommand.self, ContextsCommand.self, WaitCommand.self,
      OpenCommand.self,
      DoctorCommand.self, AssistantCommand.self, DemoCommand.self,
    ])
}

/// The program: words in, exit code out.
package enum Signalbox {
  /// Runs the command line and ends the process with the contract's code.
  package static func start(_ words: [String]) -> Never {
    Process.ignoreBrokenPipes()
    Process.exit(run(words))
  }

  /// - Returns: the exit code. Standard output holds what was asked for and nothing else.
  package static func run(_ words: [String]) -> Int32 {
    do {
      var command = try Root.parseAsRoot(CommandWords.joiningNegativeNumbers(words))
      // ArgumentParser would print the help and end with 0: a script that lost a word would go on.
      if let sentence = UsageSentence.missingCommand(type(of: command), words: words) {
        throw CommandFailure(.usage, sentence)
      }
      try command.run()
      return 0
    } catch  where Interrupts.isInterrupted {
      // What was given up has failed, too.
      return Interrupts.code
    } catch let failure as CommandFailure {
      say(failure.message)
      return failure.code.rawValue
    } catch let error as FileError {
      if error.isClosedPipe { return 0 }
      say("\(error)")
      return CommandFailure.Code.failed.rawValue
    } catch {
      return tell(error, words)
    }
  }

  /// Help and version are asked for: standard output, 0. Everything else is usage.
  private static func tell(_ error: any Error, _ words: [String]) -> Int32 {
    let code = Root.exitCode(for: error)
    if code.isSuccess {
      let examples = words.contains("--version") ? nil : CommandExamples.text(words: words)
      try? StandardStream.output.write(Root.fullMessage(for: error) + "\n" + (examples.map { "\n" + $0 } ?? ""))
      return 0
    }
    say(UsageSentence.of(Root.message(for: error), words: words))
    return CommandFailure.Code.usage.rawValue
  }

  /// Sentences repeat what was typed and what servers and files hold: nothing of it may reach the terminal's controls, and no
  /// password its scrollback.
  private static func say(_ text: String) {
    let lines = PlainText.withoutPasswords(text).split(separator: "\n", omittingEmptySubsequences: false)
    let shown = lines.map { Escaping.visible(String($0)) }.joined(separator: "\n")
    try? StandardStream.error.write("signalbox: " + shown + "\n")
  }
}
