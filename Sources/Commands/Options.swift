internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Postgres
internal import Store

/// Why a command ends without its answer: one sentence, and the code that scripts test.
struct CommandFailure: Error, Equatable {
  enum Code: Int32 {
    case failed = 1
    case usage = 2
    /// Nothing answers the question: no row, or nothing of the name or number that was given. A name that nothing can
    /// have is `usage`.
    case nothingFound = 3
    case notReachable = 4
    /// Answered, but some of the hosts that were asked about do not report.
    case hostsMissing = 5
    /// For a mail server: the message cannot be used; its sender is informed. Source: sysexits.h, EX_DATAERR.
    case badMessage = 65
    /// For a mail server: deliver it again later. Source: sysexits.h, EX_TEMPFAIL.
    case tryAgain = 75
  }

  let code: Code
  let message: String
  /// The name that nothing has is a host's: the question itself cannot be answered.
  var isAboutHost = false

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}

extension CommandFailure {
  init(_ error: PostgresError) {
    switch error.sqlState {
    case "42P01", "3F000":
      self.init(
        .failed, "the database has no tables of this Signalbox (\(error.message)); start the collector on it once")
    case _ where error.isNotPermitted:
      self.init(.failed, "the database refuses this user: \(error.message)")
    case "57014": self.init(stopped: error)
    // disk_full, and what else the server has run out of.
    case _ where error.sqlState.hasPrefix("53"): self.init(.failed, error.withAdvice)
    case _ where error.isConnectionLost || error.sqlState.hasPrefix("57P") || error.sqlState.hasPrefix("3D"):
      self.init(.notReachable, error.withAdvice)
    default: self.init(.failed, "\(error)")
    }
  }
}

extension CommandFailure {
  /// - Parameter advice: what makes the command's question smaller.
  init(stopped error: PostgresError, advice: String = "the command's --help lists what narrows it") {
    // The server has two reasons, which only its English message distinguishes.
    let isByHand = error.message.contains("user request")
    self.init(
      .failed,
      isByHand
        ? "the question was cancelled in the database, by an administrator or a program: ask again"
        : "the question took too long and was stopped; \(advice)")
  }
}

/// Where the answers come from: the database, or a console.
struct DatabaseOptions: ParsableArguments {
  @Option(name: .long, help: "URL of the database; else $SIGNALBOX_DATABASE_URL.")
  var database: String?

  @Option(name: .customLong("state-dir"), help: "State directory of a collector on this machine.")
  var stateDirectory: String?

  @Option(help: "Console to ask, as signalbox contexts list names it; else the one in use.")
  var context: String?

  enum Place {
    case database(DatabaseURL)
    case console(ConsoleContext)
  }

  /// What is named in the command counts before the environment, and that before the context in use.
  func place() throws -> Place {
    if let database { return .database(try Self.parse(database, "--database")) }
    if let stateDirectory { return .database(try Self.url(ofStateDirectory: stateDirectory)) }
    if let context {
      guard let known = try ContextFile.load()[context] else {
        throw CommandFailure(.usage, "no context is called '\(context)'; signalbox contexts list shows them")
      }
      return .console(known)
    }
    if let text = Process.environment("SIGNALBOX_DATABASE_URL"), !text.isEmpty {
      return .database(try Self.parse(text, "$SIGNALBOX_DATABASE_URL"))
    }
    let file = try ContextFile.load()
    if let known = file.current.flatMap({ file[$0] }) { return .console(known) }
    throw CommandFailure(
      .usage,
      "say whom to ask: signalbox login URL of a console, --state-dir DIR of the collector, --database URL, "
        + "or $SIGNALBOX_DATABASE_URL")
  }

  /// Of the database, for what a console does not do.
  func url() throws -> DatabaseURL {
    switch try place() {
    case .database(let url): return url
    case .console(let context):
      throw CommandFailure(
        .usage,
        "the console of context '\(context.name)' does not do this: give --state-dir DIR of the collector, or --database URL"
      )
    }
  }

  /// The URL that the collector of a state directory has left there.
  static func url(ofStateDirectory directory: String) throws -> DatabaseURL {
    let path = DatabaseURL.path(inStateDirectory: directory)
    do {
      return try DatabaseURL(ofStateDirectory: directory)
    } catch let error as PostgresError {
      throw CommandFailure(.usage, "\(path) is no database URL: \(error.message)")
    } catch let error as FileError {
      if error.isNotPermitted {
        throw CommandFailure(.failed, "\(error): run it as the collector's user, or give --database")
      }
      guard error.isNotFound else { throw CommandFailure(.failed, "\(error)") }
      throw CommandFailure(.notReachable, "\(error); no collector has been started with --state-dir \(directory)")
    }
  }

  /// The login for people's SQL, where one is named.
  static func readerURL(_ option: String?) throws -> DatabaseURL? {
    if let option { return try parse(option, "--reader-database") }
    guard let text = Process.environment("SIGNALBOX_READER_URL"), !text.isEmpty else { return nil }
    return try parse(text, "$SIGNALBOX_READER_URL")
  }

  private static func parse(_ text: String, _ source: String) throws -> DatabaseURL {
    do {
      return try DatabaseURL(parsing: text)
    } catch {
      throw CommandFailure(.usage, "\(source) is no database URL: \(error.message)")
    }
  }

  func reader(timeoutMs: Int = 60_000) throws -> FleetReader {
    let url = try url()
    let reader: FleetReader
    do {
      reader = try FleetReader(url, timeoutMs: timeoutMs)
    } catch {
      throw CommandFailure(error)
    }
    Interrupts.arm(reader.canceller)
    if let problem = reader.schemaProblem { throw CommandFailure(problem) }
    return reader
  }
}

extension OutputFormat: ExpressibleByArgument {}

/// How the answer is written.
struct OutputOptions: ParsableArguments {
  @Option(name: .long, help: "table, json, ndjson or csv.")
  var format: OutputFormat = .table

  @Flag(name: .long, help: "Tables as wide as they are, instead of cut to the terminal's width.")
  var wide = false

  /// Columns of a line; nil: no limit.
  var width: Int? { wide ? nil : TerminalWidth.columns }

  func renderer() -> Renderer {
    Renderer(format: format, nowNs: Clock.wallNs(), width: width, isColoured: Terminal.isColoured)
  }

  /// Prints the answer; its notes go to standard error.
  func print(_ answer: Answer) throws {
    let renderer = renderer()
    try StandardStream.output.write(renderer.bytes(answer))
    // Also beside a format of scripts: what is left out must not look like all.
    if answer.isCut {
      try StandardStream.error.write("there are more than these \(answer.rows.count): --limit gives more\n")
    }
    guard format == .table else { return }
    var notes = answer.notes.map(Escaping.visible)
    let leftOut = renderer.leftOut(answer)
    if !leftOut.isEmpty {
      notes.append("not shown at this width: \(leftOut.joined(separator: ", ")); --wide shows all")
    }
    for note in notes {
      let lines = width.map { TableLayout.wrapped(note, to: $0) } ?? [note]
      try StandardStream.error.write(lines.map { $0 + "\n" }.joined())
    }
  }

  /// Prints the answer as a table; where that would leave columns out, each row as lines of its own: its texts in one line, the last one
  /// below it.
  func printWhole(_ answer: Answer) throws {
    let renderer = renderer()
    guard let width, !renderer.leftOut(answer).isEmpty else { return try print(answer) }
    try StandardStream.output.write(renderer.paragraphs(answer, width: width))
  }

  /// What a command prints that changed something: people read one sentence, scripts get one object.
  ///
  /// - Parameters:
  ///   - value: what people take further, such as a token: alone on standard output, so that `$(…)` holds it, the sentence on standard error.
  ///   - row: what was changed, as it is now.
  func printChange(_ sentence: String, value: String? = nil, row: () throws -> Answer) throws {
    guard format == .table else { return try print(row()) }
    if let value { try StandardStream.output.write(value + "\n") }
    let stream = value == nil ? StandardStream.output : StandardStream.error
    try stream.write(Escaping.visible(sentence) + "\n")
  }

  /// Prints the answer, or ends with code 3 where it has no rows. Scripts get an empty answer beside the code.
  func print(_ answer: Answer, orSay nothing: String) throws {
    guard answer.rows.isEmpty else { return try print(answer) }
    // An empty list of JSON, a head of CSV.
    if format != .table { try print(answer) }
    throw CommandFailure(.nothingFound, nothing)
  }
}

/// How wide a line may be.
enum TerminalWidth {
  /// $COLUMNS as POSIX has it, else the terminal's answer. nil where there is no terminal: what goes into a pipe or a file is whole.
  static var columns: Int? {
    if let text = Process.environment("COLUMNS"), let count = Int(text), (20...10_000).contains(count) { return count }
    return StandardStream.output.columns
  }
}

/// A time as people type it: an age such as `2h`, or a date.
struct PointInTime: ExpressibleByArgument {
  let ns: Int64

  init?(argument: String) {
    if let age = TimeSpan.parse(argument) {
      ns = Clock.wallNs() - age
    } else if let time = Timestamp.parse(argument) {
      ns = time
    } else {
      return nil
    }
  }
}

extension FleetReader {
  /// Reads and gives the columns their titles. Columns that the answer does not name are left to scripts.
  func answer(_ query: ReadQuery, _ shown: [Answer.Column], notes: [String] = []) throws -> Answer {
    do {
      return Answer(try read(query), shown, notes: notes)
    } catch {
      throw CommandFailure(error)
    }
  }
}
