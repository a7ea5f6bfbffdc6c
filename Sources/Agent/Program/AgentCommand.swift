internal import FleetModel

/// What the agent was asked to do. The agent depends on no package, so its few words are parsed here.
package enum AgentCommand: Equatable, Sendable {
  case run(RunOptions)
  case join(JoinOptions)
  /// The helper process beside the agent that asks what can hang.
  case probe
  /// The same for what profiles configure, within what the host allows.
  case checks(CheckPermissions)
  /// Copies standard input to standard output, and to where the agent follows it.
  case pipe(PipeOptions)
  /// Shows what the redactor would send of a file.
  case redact(path: String)
  case help
  case version
}

package struct JoinOptions: Equatable, Sendable {
  package var token = ""
  package var stateDirectory = ""
  /// Shows what the token says without using it.
  package var isOnlyShown = false
}

package struct PipeOptions: Equatable, Sendable {
  /// Shown as `pipe:NAME`.
  package var name = ""
  package var inbox = FollowedStreams.sharedInbox
  package var limitBytes: UInt64 = 256 << 20

  package init() {}
}

package struct RunOptions: Equatable, Sendable {
  package var stateDirectory = ""
  /// Glob patterns of files to follow.
  package var follow: [String] = []
  /// Directories below which the collector may ask to follow; what `follow` matches, it may ask for always.
  package var allow: [String] = []
  /// Directories of programs, or single ones, that the collector may have run as probes.
  package var allowCommands: [String] = []
  /// Hosts beside this one that the collector may have probed; "any" is all of them.
  package var allowAddresses: [String] = []
  /// Units of the journal to follow; `FollowedStreams.wholeJournal` is all of it.
  package var journals: [String] = []
  /// Where `pipe` puts streams; nil: in the state directory.
  package var inbox: String?
  package var intervalNs: Int64 = 1_000_000_000
  package var socketPath: String?
  /// Commands whose processes are taken for training.
  package var processPatterns: [String] = []
  package var spoolLimitBytes: UInt64 = 256 << 20
}

/// Words that the agent does not understand: one sentence that says what to do.
package struct UsageError: Error, Equatable, Sendable {
  package let message: String
  package init(_ message: String) { self.message = message }
}

extension AgentCommand {
  package static let usage = """
    Usage: signalbox-agent join TOKEN --state-dir DIR [--show-token]
           signalbox-agent run --state-dir DIR [--follow GLOB]… [--allow PATH]… [--interval 1s] [--socket PATH]
                               [--process NAME]… [--journal UNIT|all]… [--inbox DIR] [--spool-limit MIB]
                               [--allow-command PATH]… [--allow-address HOST|any]…
           signalbox-agent pipe NAME [--state-dir DIR | --inbox DIR] [--limit MIB]
           signalbox-agent redact FILE
           signalbox-agent --version | --help

      join         make a key, redeem the token, keep the certificate in DIR
      run          report until SIGTERM; SIGHUP reads the certificate and the files to follow again
      pipe         pass standard input on to standard output, and keep it for the agent, which reports it as pipe:NAME:
                   python train.py 2>&1 | signalbox-agent pipe NAME; works while no agent runs, ends with the stream
      redact       print FILE as it would leave this host
      --follow     files to follow: * within a name, ** over directories; may be repeated
      --allow      directories below which the collector may ask for files, files and sockets that it may probe; may be repeated;
                   of --follow it may ask for what the pattern matches
      --allow-command  directories of programs, and programs, that the collector may have run as probes
      --allow-address  hosts beside this one that the collector may have probed, as the probe names them; any = all
                   but link-local ones
      --interval   time between samples, 100ms to 1h
      --socket     Unix socket that takes JSON lines from training programs
      --journal    unit whose entries in the systemd journal are reported as journal:UNIT; all = everything, as journal
      --inbox      where pipe puts streams and run finds them: DIR/inbox of --state-dir, and for pipe without
                   one /var/lib/signalbox-inbox
      --limit      what pipe keeps on the disk at most until the collector has it (256)
      --process    name of a command whose processes train (python, ray, torchrun… are known); may be repeated

    Exit codes: 0 done, 1 failed, 2 usage, 4 collector not reachable.
    """

  /// - Parameter words: the command line without the program's name.
  package static func parse(_ words: [String]) throws(UsageError) -> AgentCommand {
    guard let verb = words.first else {
      throw UsageError("Say what to do: signalbox-agent run --state-dir DIR, or signalbox-agent --help.")
    }
    var rest = ArgumentReader(words.dropFirst())
    switch verb {
    case "run": return .run(try parseRun(&rest))
    case "join": return .join(try parseJoin(&rest))
    case "probe": return try parseProbe(&rest)
    case "pipe": return .pipe(try parsePipe(&rest))
    case "redact":
      guard let path = rest.next() else { throw UsageError("Name the file: signalbox-agent redact FILE.") }
      return .redact(path: path)
    case "--help", "-h", "help": return .help
    case "--version": return .version
    default:
      throw UsageError("Unknown command '\(verb)': use run, join, pipe or redact; signalbox-agent --help shows all.")
    }
  }

  private static func parseRun(_ rest: inout ArgumentReader) throws(UsageError) -> RunOptions {
    var options = RunOptions()
    while let word = rest.next() {
      switch word {
      case "--state-dir": options.stateDirectory = try rest.value(of: word)
      case "--follow": options.follow.append(try downward(rest.value(of: word), word))
      case "--allow": options.allow.append(try downward(rest.value(of: word), word))
      case "--allow-command": options.allowCommands.append(try downward(rest.value(of: word), word))
      case "--allow-address": options.allowAddresses.append(try rest.value(of: word))
      case "--interval": options.intervalNs = try interval(rest.value(of: word))
      case "--socket": options.socketPath = try socketPath(rest.value(of: word))
      case "--process": options.processPatterns.append(try rest.value(of: word))
      case "--journal": options.journals.append(try streamName(rest.value(of: word), word))
      case "--inbox": options.inbox = try absolute(rest.value(of: word), word)
      case "--spool-limit": options.spoolLimitBytes = try mebibytes(rest.value(of: word), word)
      default: throw UsageError("Unknown option '\(word)' of run; signalbox-agent --help shows all.")
      }
    }
    guard !options.stateDirectory.isEmpty else {
      throw UsageError("Name the agent's directory: signalbox-agent run --state-dir DIR.")
    }
    return options
  }

  /// Written by the agent itself.
  private static func parseProbe(_ rest: inout ArgumentReader) throws(UsageError) -> AgentCommand {
    guard let first = rest.next() else { return .probe }
    guard first == "--checks" else { throw UsageError("Unknown option '\(first)' of probe.") }
    var permissions = CheckPermissions()
    while let word = rest.next() {
      switch word {
      case "--allow": permissions.paths.append(try rest.value(of: word))
      case "--follow": permissions.patterns.append(try rest.value(of: word))
      case "--allow-command": permissions.programs.append(try rest.value(of: word))
      case "--allow-address": permissions.addresses.append(try rest.value(of: word))
      default: throw UsageError("Unknown option '\(word)' of probe.")
      }
    }
    return .checks(permissions)
  }

  private static func parseJoin(_ rest: inout ArgumentReader) throws(UsageError) -> JoinOptions {
    var options = JoinOptions()
    while let word = rest.next() {
      switch word {
      case "--state-dir": options.stateDirectory = try rest.value(of: word)
      case "--show-token": options.isOnlyShown = true
      default:
        if word.hasPrefix("-") {
          throw UsageError("Unknown option '\(word)' of join; signalbox-agent --help shows all.")
        }
        guard options.token.isEmpty else { throw UsageError("Give one token; '\(word)' is a second one.") }
        options.token = word
      }
    }
    guard !options.token.isEmpty else {
      throw UsageError(
        "Give the token that `signalbox hosts invite NAME` printed: signalbox-agent join TOKEN --state-dir DIR.")
    }
    guard options.isOnlyShown || !options.stateDirectory.isEmpty else {
      throw UsageError("Name the agent's directory: signalbox-agent join TOKEN --state-dir DIR.")
    }
    return options
  }

  private static func parsePipe(_ rest: inout ArgumentReader) throws(UsageError) -> PipeOptions {
    var options = PipeOptions()
    while let word = rest.next() {
      switch word {
      case "--state-dir": options.inbox = try rest.value(of: word) + "/inbox"
      case "--inbox": options.inbox = try rest.value(of: word)
      case "--limit": options.limitBytes = try mebibytes(rest.value(of: word), word)
      default:
        if word.hasPrefix("-") {
          throw UsageError("Unknown option '\(word)' of pipe; signalbox-agent --help shows all.")
        }
        guard options.name.isEmpty else { throw UsageError("Give one name; '\(word)' is a second one.") }
        options.name = try streamName(word, "pipe")
      }
    }
    guard !options.name.isEmpty else { throw UsageError("Name the stream: program 2>&1 | signalbox-agent pipe NAME.") }
    return options
  }

  private static func absolute(_ path: String, _ option: String) throws(UsageError) -> String {
    guard path.hasPrefix("/") else {
      throw UsageError("\(option) takes an absolute path, not '\(path)': the agent has no working directory of yours.")
    }
    return path
  }

  /// What is allowed must be plain to who reads the command line: where `..` leads depends on links, and on what exists.
  private static func downward(_ path: String, _ option: String) throws(UsageError) -> String {
    guard ProbeSetting.isPath(try absolute(path, option)) else {
      throw UsageError("\(option) takes a path without '..' and control characters; write where it leads instead.")
    }
    return path
  }

  private static func interval(_ text: String) throws(UsageError) -> Int64 {
    guard let ns = TimeSpan.parse(text), ns >= 100_000_000, ns <= 3_600_000_000_000 else {
      throw UsageError("--interval takes 100ms to 1h, such as 1s or 10s, not '\(text)'.")
    }
    return ns
  }

  private static func socketPath(_ path: String) throws(UsageError) -> String {
    guard path.hasPrefix("/"), path.utf8.count <= 107 else {
      throw UsageError("--socket takes an absolute path of at most 107 bytes, not '\(path)'.")
    }
    return path
  }

  private static func streamName(_ name: String, _ what: String) throws(UsageError) -> String {
    guard FollowedStreams.isName(name) else {
      throw UsageError("\(what) takes a name of letters, digits and signs other than '/' and ':', not '\(name)'.")
    }
    return name
  }

  private static func mebibytes(_ text: String, _ option: String) throws(UsageError) -> UInt64 {
    guard let count = UInt64(text), count >= 1, count <= 1 << 20 else {
      throw UsageError("\(option) takes 1 to 1048576 MiB, not '\(text)'.")
    }
    return count << 20
  }
}

/// Hands out words; `--name=value` counts as two.
struct ArgumentReader {
  private var words: ArraySlice<String>

  init(_ words: ArraySlice<String>) {
    self.words =
      words.reduce(into: []) { split, word in
        if word.hasPrefix("--"), let equals = word.firstIndex(of: "=") {
          split.append(String(word[..<equals]))
          split.append(String(word[word.index(after: equals)...]))
        } else {
          split.append(word)
        }
      }[...]
  }

  mutating func next() -> String? { words.popFirst() }

  mutating func value(of option: String) throws(UsageError) -> String {
    guard let value = words.popFirst(), !value.isEmpty else { throw UsageError("\(option) needs a value.") }
    return value
  }
}
