internal import Files
internal import FleetModel
internal import TLS

/// The agent as a process: words in, exit code out.
package enum AgentMain {
  /// Runs the command line and ends the process.
  package static func start(_ words: [String]) -> Never {
    // A program that is run inherits what is ignored.
    if words.first != "exec" { Process.ignoreBrokenPipes() }
    Process.exit(run(words))
  }

  /// - Returns: 0 done, 1 failed, 2 usage, 4 collector not reachable.
  package static func run(_ words: [String]) -> Int32 {
    do throws(UsageError) {
      let hasToken = Process.environment(JoinTokenSource.variable).map { !$0.isEmpty } ?? false
      switch try AgentCommand.parse(words, hasToken: hasToken) {
      case .run(let options): return AgentProgram.run(options)
      case .join(let options): return AgentJoin.run(options)
      case .probe:
        ProbeServer.run()
        return 0
      case .checks(let permissions):
        ProbeServer.runChecks(permissions)
        return 0
      case .pipe(let options): return StreamPipe.run(options)
      case .exec(let options): return AgentExec.run(options)
      case .redact(let path): return redact(path)
      case .read(let options): return AgentRead.run(options)
      case .help: write(AgentCommand.usage, .output)
      case .version: write(Build.version, .output)
      }
      return 0
    } catch {
      return fail(2, error.message)
    }
  }

  /// Shows a file as it would leave this host.
  private static func redact(_ path: String) -> Int32 {
    do throws(FileError) {
      let bytes = try HostFiles.read(path, limitBytes: 64 << 20)
      // By the reader of followed files: keys over several lines and other line ends are known to it alone.
      let file = FileIdentity(key: FileKey(high: 0, low: 0), path: path)
      var reader = LogReader(
        ReaderContext(file: file, offset: 0, head: [], preceding: []), redactor: Redactor(), zone: { _ in 0 })
      var delta = FileDelta(file: file, from: 0, to: 0)
      _ = reader.read(bytes.span, at: 0, isFinal: true, nowNs: 0, budget: .max, into: &delta)
      var at = 0
      for length in delta.lines.lengths {
        let row = delta.lines.text[at..<at + Int(length)]
        at += Int(length)
        try StandardStream.output.write(String(decoding: row, as: UTF8.self) + "\n")
      }
      return 0
    } catch {
      return error.isClosedPipe ? 0 : fail(1, "\(error)")
    }
  }

  /// One sentence on standard error.
  static func fail(_ code: Int32, _ sentence: String) -> Int32 {
    write("signalbox-agent: " + PlainText.visible(PlainText.withoutPasswords(sentence)), .error)
    return code
  }

  static func write(_ line: String, _ stream: StandardStream) { try? stream.write(line + "\n") }
}
