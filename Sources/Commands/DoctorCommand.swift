internal import Answers
internal import ArgumentParser
internal import Files
internal import FleetModel
internal import Outbound
internal import Postgres
internal import Store

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "What can be reached from here, and what to do where something cannot.",
    discussion: """
      Looks at what the other commands would ask: the context in use, the console and its certificate, clock and version, the token, or the
      database, its tables and the login for people's SQL. Ends with 1 where one of them needs something done.
      """)
  @OptionGroup var database: DatabaseOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    var findings: [Finding]
    switch Result(catching: { try database.place() }) {
    case .failure(let error): findings = [.bad("place", error)]
    case .success(.console(let context)): findings = Self.look(at: context)
    case .success(.database(let url)): findings = Self.look(at: url)
    }
    findings.insert(Finding("program", true, "signalbox \(Build.version)"), at: 0)
    try output.print(
      Answer(
        columns: [
          .init("check", "CHECK", rank: 0), .init("state", "STATE", rank: 1), .init("detail", "DETAIL", rank: 2),
        ],
        rows: findings.map { [.text($0.check), .text($0.isGood ? "ok" : "to do"), .text($0.detail)] }))
    let bad = findings.count { !$0.isGood }
    if bad > 0 {
      throw CommandFailure(.failed, bad == 1 ? "one check needs something done" : "\(bad) checks need something done")
    }
  }

  struct Finding: Equatable {
    let check: String
    let isGood: Bool
    let detail: String

    init(_ check: String, _ isGood: Bool, _ detail: String) {
      (self.check, self.isGood, self.detail) = (check, isGood, detail)
    }

    static func bad(_ check: String, _ error: any Error) -> Finding {
      Finding(check, false, (error as? CommandFailure)?.message ?? "\(error)")
    }
  }

  // MARK: A console

  private static func look(at context: ConsoleContext) -> [Finding] {
    var findings = [Finding("context", true, "\(context.name): \(context.url)")]
    do {
      let client = try ConsoleClient(context)
      let health = try client.send(.get("/healthz"), accept: "text/plain")
      findings.append(
        Finding(
          "certificate", true, context.authorities.map { "comes from \($0)" } ?? "comes from an authority of the system"
        ))
      findings.append(
        health.code == 200
          ? Finding("console", true, "answers, and its database does")
          : Finding("console", false, "answers, its database does not: look at it where the console runs"))
      let beganNs = Clock.wallNs()
      let caller = try client.ask(.get("/api/v1/whoami")).answer
      findings += judge(caller, beganNs: beganNs, endedNs: Clock.wallNs())
    } catch {
      findings.append(.bad("console", error))
    }
    return findings
  }

  /// Beyond it times that are read here and there do not fit each other.
  private static let skewMaxNs: Int64 = 2_000_000_000
  private static let soonNs: Int64 = 7 * 86_400_000_000_000

  /// - Parameters:
  ///   - caller: the console's answer to whoami. - beganNs: when it was asked, ns since 1970. - endedNs: when it had answered.
  static func judge(_ caller: Answer, beganNs: Int64, endedNs: Int64) -> [Finding] {
    var findings: [Finding] = []
    let (name, role) = (LoginCommand.word(caller, "name"), LoginCommand.word(caller, "role"))
    if case .time(let endNs)? = caller.value("expires") {
      let left = TimeSpan.age(endNs.subtractingClamped(endedNs))
      findings.append(
        endNs.subtractingClamped(endedNs) > soonNs
          ? Finding("token", true, "\(name), \(role), for \(left)")
          : Finding(
            "token", false,
            "\(name), \(role), ends in \(left): signalbox tokens create makes a new one for signalbox login"))
    }
    if case .time(let consoleNs)? = caller.value("time") {
      // Which part of the answer's time was the way there is not known.
      let skew = consoleNs < beganNs ? consoleNs - beganNs : max(0, consoleNs - endedNs)
      findings.append(
        abs(skew) <= skewMaxNs
          ? Finding("clock", true, "agrees with the console's")
          : Finding(
            "clock", false,
            "the console's is \(TimeSpan.age(abs(skew))) \(skew > 0 ? "ahead" : "behind"): see whether both machines keep time by NTP"
          ))
    }
    let version = LoginCommand.word(caller, "version")
    findings.append(
      version == Build.version
        ? Finding("version", true, "that of the console")
        : Finding("version", false, "the console has \(version): use the same"))
    return findings
  }

  // MARK: A database

  private static func look(at url: DatabaseURL) -> [Finding] {
    var findings: [Finding] = []
    do {
      let reader = try FleetReader(url, timeoutMs: 10_000)
      defer { reader.close() }
      findings.append(Finding("database", true, "\(url["host"] ?? "local"), \(url["dbname"] ?? "")"))
      if let problem = reader.schemaProblem {
        findings.append(Finding("tables", false, problem.description))
      } else {
        findings.append(Finding("tables", true, "those of this version"))
      }
      findings += reader.problems(nowNs: Clock.wallNs()).map { Finding("fleet", false, $0) }
    } catch {
      return [.bad("database", CommandFailure(error))]
    }
    do {
      let login = try DatabaseOptions.readerURL(nil)
      let reader =
        if let login { try FleetReader(login: login, timeoutMs: 10_000) } else {
          try FleetReader(asReaderOf: url, timeoutMs: 10_000)
        }
      reader.close()
      findings.append(Finding("reader", true, "the login for signalbox query only reads"))
    } catch {
      findings.append(.bad("reader", error))
    }
    return findings
  }
}
