package import FleetModel

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
  /// Runs a program and reports its end.
  case exec(ExecOptions)
  /// Shows what the redactor would send of a file.
  case redact(path: String)
  /// Shows what would be understood of a file.
  case read(AgentRead.Options)
  case help
  case version
}

package struct JoinOptions: Equatable, Sendable {
  /// "" where `source` has it.
  package var token = ""
  package var source = JoinTokenSource.environment
  package var stateDirectory = ""
  /// Shows what the token holds without using it.
  package var isOnlyShown = false

  package init() {}
}

package struct PipeOptions: Equatable, Sendable {
  /// Shown as `pipe:NAME`.
  package var name = ""
  package var inbox = FollowedStreams.sharedInbox
  /// An inbox in the agent's own directory is made where it is missing. A shared one belongs to whoever set it up: made by the first
  /// user that pipes, others could not write to it, and a path with a slip in it would take a stream to where no agent reads.
  package var makesInbox = false
  package var limitBytes: UInt64 = 256 << 20

  package init() {}
}

package struct ExecOptions: Equatable, Sendable {
  /// What the process is called; empty: as the kernel names it.
  package var name = ""
  package var socketPath = ExecOptions.sharedSocket
  /// The program and its arguments, as they were given.
  package var words: [String] = []

  /// Where the service's agent listens.
  package static let sharedSocket = "/run/signalbox/agent.sock"

  package init() {}
}

package struct RunOptions: Equatable, Sendable {
  package var stateDirectory = ""
  /// Glob patterns of files to follow.
  package var follow: [String] = []
  /// Patterns of files that are left alone, whatever other pattern matches them; one without a slash means a name in any directory.
  package var exclude: [String] = []
  /// Patterns with named captures for rows among the lines of logs.
  package var metricPatterns: [CapturePattern] = []
  /// Where to begin with files that were there before the agent.
  package var from = FollowFrom.start
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
    Usage: signalbox-agent join [-|TOKEN] --state-dir DIR [--token-file FILE] [--show-token]
           signalbox-agent run --state-dir DIR [--follow GLOB]… [--exclude GLOB]… [--from start|end|SINCE]
                               [--metrics-match REGEX]… [--allow PATH]… [--interval 1s] [--socket PATH]
                               [--process NAME]… [--journal UNIT|all]… [--inbox DIR] [--spool-limit MIB]
                               [--allow-command PATH]… [--allow-address HOST|any]…
           signalbox-agent pipe NAME [--state-dir DIR | --inbox DIR] [--limit MIB]
           signalbox-agent exec [--name NAME] [--socket PATH] -- PROGRAM ARGUMENT…
           signalbox-agent redact FILE
           signalbox-agent read FILE [--metrics-match REGEX]… [--format text|json]
           signalbox-agent --version | --help

      join         make a key, redeem the token, keep the certificate in DIR; - reads the token from standard input, without
                   one it is $SIGNALBOX_JOIN_TOKEN. Other users can read a TOKEN that stands in the command line
                   An agent that runs with DIR takes the new identity over within seconds
      --token-file file that holds the token
      run          report until SIGTERM; SIGHUP reads the certificate and the files to follow again
      pipe         pass standard input on to standard output, and keep it for the agent, which reports it as pipe:NAME:
                   python train.py 2>&1 | signalbox-agent pipe NAME; works while no agent runs, ends with the stream
      exec         run PROGRAM and report to the agent how it ended, also where it lives for milliseconds: streams, signals, exit code
                   and end by a signal are the program's; runs it all the same while no agent does. Example:
                   signalbox-agent exec --name nightly -- python train.py
      --name       what the process is called in the report (the program's own name)
      redact       print FILE as it would leave this host
      read         print what would be understood of FILE: format, run, rows, parameters, and what is left unread
      --follow     files to follow: * within a name, ** over directories; may be repeated
      --exclude    files that are left alone whoever asks for them: a path with wildcards, or a name such as '*.tmp'
      --metrics-match  lines of logs whose numbers are rows of a run, with a name for each number, as in
                   'step (?<step>\\d+) .* loss (?<loss>\\S+)'; may be repeated
      --from       where to begin with files that are older than the first start: start (all of it, as history, never
                   paged), end (only what comes from now on), or an age such as 2d (files that changed since); default start
      --allow      directories below which the collector may ask for files, files and sockets that it may probe; may be repeated;
                   of --follow it may ask for what the pattern matches
      --allow-command  directories of programs, and programs, that the collector may have run as probes
      --allow-address  hosts beside this one that the collector may have probed, as the probe names them; any = all
                   but link-local ones
      --interval   time between samples, 100ms to 1h
      --socket     Unix socket that takes JSON lines from training programs; for exec the agent's (/run/signalbox/agent.sock)
      --journal    unit whose entries in the systemd journal are reported as journal:UNIT; all = everything, as journal
      --inbox      where pipe puts streams and run finds them: DIR/inbox of --state-dir, and for pipe without
                   one /var/lib/signalbox-inbox
      --limit      what pipe keeps on the disk at most until the collector has it (256)
      --process    name of a command whose processes train (python, ray, torchrun… are known); may be repeated

    Exit codes: 0 done, 1 failed, 2 usage, 4 collector not reachable. exec: the program's; 126 it may not be run, 127 there is
    no such program.
    """

  /// - Parameter words: the command line without the program's name.
  /// - Parameter hasToken: the environment holds a join token.
  package static func parse(_ words: [String], hasToken: Bool = false) throws(UsageError) -> AgentCommand {
    guard let verb = words.first else {
      throw UsageError("Say what to do: signalbox-agent run --state-dir DIR, or signalbox-agent --help.")
    }
    if verb == "exec" { return .exec(try parseExec(words.dropFirst())) }
    var rest = ArgumentReader(words.dropFirst())
    switch verb {
    case "run": return .run(try parseRun(&rest))
    case "join": return .join(try parseJoin(&rest, hasToken: hasToken))
    case "probe": return try parseProbe(&rest)
    case "pipe": return .pipe(try parsePipe(&rest))
    case "redact":
      guard let path = rest.next() else { throw UsageError("Name the file: signalbox-agent redact FILE.") }
      return .redact(path: path)
    case "read": return .read(try parseRead(&rest))
    case "--help", "-h", "help": return .help
    case "--version": return .version
    default:
      throw UsageError(
        "Unknown command '\(verb)': use run, join, pipe, exec, read or redact; signalbox-agent --help shows all.")
    }
  }

  private static func parseRun(_ rest: inout ArgumentReader) throws(UsageError) -> RunOptions {
    var options = RunOptions()
    while let word = rest.next() {
      switch word {
      case "--state-dir": options.stateDirectory = try rest.value(of: word)
      case "--follow": options.follow.append(try pattern(downward(rest.value(of: word), word), word))
      case "--exclude": options.exclude.append(try exclusion(rest.value(of: word)))
      case "--metrics-match": try addPattern(rest.value(of: word), to: &options.metricPatterns)
      case "--from": options.from = try from(rest.value(of: word))
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

  private static func parseJoin(_ rest: inout ArgumentReader, hasToken: Bool) throws(UsageError) -> JoinOptions {
    var options = JoinOptions()
    while let word = rest.next() {
      switch word {
      case "--state-dir": options.stateDirectory = try rest.value(of: word)
      case "--show-token": options.isOnlyShown = true
      case "--token-file":
        try requireOneToken(options, word)
        options.source = .file(try rest.value(of: word))
      case "-":
        try requireOneToken(options, word)
        options.source = .standardInput
      default:
        if word.hasPrefix("-") {
          throw UsageError("Unknown option '\(word)' of join; signalbox-agent --help shows all.")
        }
        try requireOneToken(options, word)
        options.token = word
      }
    }
    if options.token.isEmpty, options.source == .environment, !hasToken { throw JoinTokenSource.missing }
    guard options.isOnlyShown || !options.stateDirectory.isEmpty else {
      throw UsageError("Name the agent's directory: signalbox-agent join - --state-dir DIR.")
    }
    return options
  }

  private static func parseRead(_ rest: inout ArgumentReader) throws(UsageError) -> AgentRead.Options {
    var options = AgentRead.Options()
    while let word = rest.next() {
      switch word {
      case "--format":
        let format = try rest.value(of: word)
        guard ["text", "json"].contains(format) else {
          throw UsageError("--format takes text or json, not '\(format)'.")
        }
        options.isJSON = format == "json"
      case "--metrics-match": try addPattern(rest.value(of: word), to: &options.metricPatterns)
      default:
        if word.hasPrefix("-") {
          throw UsageError("Unknown option '\(word)' of read; signalbox-agent --help shows all.")
        }
        guard options.path.isEmpty else { throw UsageError("Give one file; '\(word)' is a second one.") }
        options.path = word
      }
    }
    guard !options.path.isEmpty else { throw UsageError("Name the file: signalbox-agent read FILE.") }
    return options
  }

  private static func requireOneToken(_ options: JoinOptions, _ word: String) throws(UsageError) {
    if !options.token.isEmpty || options.source != .environment {
      throw UsageError("Give one token; '\(word)' is a second one.")
    }
  }

  private static func parsePipe(_ rest: inout ArgumentReader) throws(UsageError) -> PipeOptions {
    var options = PipeOptions()
    while let word = rest.next() {
      switch word {
      case "--state-dir": (options.inbox, options.makesInbox) = (try rest.value(of: word) + "/inbox", true)
      case "--inbox": (options.inbox, options.makesInbox) = (try rest.value(of: word), false)
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

  /// What stands behind `--` is the program's, whatever it looks like.
  private static func parseExec(_ words: ArraySlice<String>) throws(UsageError) -> ExecOptions {
    var options = ExecOptions()
    guard let separator = words.firstIndex(of: "--"), separator + 1 < words.endIndex else {
      throw UsageError("Name the program behind --: signalbox-agent exec [--name NAME] -- python train.py.")
    }
    options.words = Array(words[(separator + 1)...])
    var rest = ArgumentReader(words[..<separator])
    while let word = rest.next() {
      switch word {
      case "--name": options.name = try streamName(rest.value(of: word), word)
      case "--socket": options.socketPath = try socketPath(rest.value(of: word))
      default: throw UsageError("Unknown option '\(word)' of exec; signalbox-agent --help shows all.")
      }
    }
    return options
  }

  private static func absolute(_ path: String, _ option: String) throws(UsageError) -> String {
    guard path.hasPrefix("/") else {
      throw UsageError("\(option) takes an absolute path, not '\(path)': the agent has no working directory of yours.")
    }
    return path
  }

  private static func addPattern(_ text: String, to patterns: inout [CapturePattern]) throws(UsageError) {
    guard patterns.count < MatchedMetrics.patternsMax else {
      throw UsageError("--metrics-match is taken \(MatchedMetrics.patternsMax) times at most; join patterns by '|'.")
    }
    do throws(LinePatternError) {
      patterns.append(try MatchedMetrics.pattern(text))
    } catch {
      throw UsageError("--metrics-match '\(text)' \(error.message).")
    }
  }

  private static func exclusion(_ pattern: String) throws(UsageError) -> String {
    guard pattern.hasPrefix("/") || !pattern.utf8.contains(UInt8(ascii: "/")) else {
      throw UsageError("--exclude takes an absolute path with wildcards, or a name without '/', not '\(pattern)'.")
    }
    return try Self.pattern(pattern, "--exclude")
  }

  private static func pattern(_ pattern: String, _ option: String) throws(UsageError) -> String {
    if let mistake = PathPatternGrammar.mistake(in: pattern) {
      throw UsageError("\(option) '\(pattern)': \(mistake).")
    }
    return pattern
  }

  private static func from(_ text: String) throws(UsageError) -> FollowFrom {
    switch text {
    case "start": return .start
    case "end": return .end
    default:
      guard let ns = TimeSpan.parse(text), ns > 0 else {
        throw UsageError("--from takes start, end or an age such as 12h or 2d, not '\(text)'.")
      }
      return .since(ns)
    }
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
