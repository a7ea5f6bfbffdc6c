internal import EventLoop
internal import Files
internal import FleetModel

/// Probes that run a program of this host: it ends with the probe.
extension Checks {
  private static let outputBytesMax = 64 << 10

  /// The value is the exit code, 128 + n after signal n. Lines `figure value` are its figures; another line states what is wrong.
  func command(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    guard permissions.allowsRunning(probe.target) else {
      throw .notAsked(
        "this host does not allow running \(probe.target); its owner adds --allow-command to the agent's options")
    }
    let result = try run(probe.target, probe.arguments, environment: ["LANG=C.UTF-8"])
    var answer = CheckAnswer()
    answer.detail = result.figures(into: &answer)
    switch result.exit {
    case .status(let code):
      answer.value = Double(code)
      if code != 0 {
        answer.state = .failed
        if answer.detail.isEmpty { answer.detail = "ended with exit code \(code)" }
      }
    case .signal(let number):
      answer.value = Double(128 + number)
      answer.state = .failed
      answer.detail = "ended by signal \(number)"
    }
    return answer
  }

  /// The value is how often systemd has restarted the unit. Source: systemctl(1), org.freedesktop.systemd1(5).
  func unit(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    let properties = "LoadState,ActiveState,SubState,Result,NRestarts"
    let result = try run(
      try program("systemctl"), ["show", "--property=" + properties, "--", probe.target], environment: ["LANG=C"])
    var values: [Substring: Substring] = [:]
    for line in result.lines {
      guard let equals = line.firstIndex(of: "=") else { continue }
      values[line[..<equals]] = line[line.index(after: equals)...]
    }
    guard let active = values["ActiveState"] else {
      throw .notAsked(result.lines.first.map { String($0) } ?? "no answer")
    }
    let restarts = values["NRestarts"].flatMap { Double($0) } ?? .nan
    if values["LoadState"] == "not-found" { throw CheckFailure("there is no unit \(probe.target)") }
    var words = "\(active) (\(values["SubState"] ?? ""))"
    if let reason = values["Result"], reason != "success" { words += ", \(reason)" }
    let isRunning = active == "active" || active == "reloading"
    return CheckAnswer(isRunning ? .ok : .failed, restarts, words)
  }

  /// Asks through the machine's own psql, which finds host, user and password where the host keeps them: the service file and .pgpass.
  func postgresFigures(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    var words = ["-X", "-A", "-t", "-q", "-w", "-F", " "]
    for query in ForeignQueries.postgres { words += ["-c", query] }
    // Named in the environment, never in a connection string: there a service could be followed by settings of its own.
    var environment = [
      "PGSERVICE=" + probe.service, "PGCONNECT_TIMEOUT=10", "LANG=C.UTF-8", "PGAPPNAME=signalbox-probe",
      "PGCLIENTENCODING=UTF8",
    ]
    // What a statement takes on the server must not outlive the probe.
    environment.append(
      "PGOPTIONS=-c statement_timeout=\(probe.timeoutNs / 1_000_000) -c default_transaction_read_only=on")
    for name in ["PGSERVICEFILE", "PGSYSCONFDIR", "PGPASSFILE", "HOME"] {
      if let value = Machine.environment(name) { environment.append("\(name)=\(value)") }
    }
    let result = try run(try program("psql"), words, environment: environment)
    var answer = CheckAnswer()
    let other = result.figures(into: &answer)
    // Without a single figure there was no connection; that one cannot be read, such as pg_stat_statements, is no failure.
    if answer.figures.isEmpty { throw CheckFailure(other.isEmpty ? "psql gave no answer" : other) }
    answer.detail = other
    return answer
  }

  private func run(
    _ path: String, _ arguments: [String], environment: [String]
  ) throws(CheckFailure) -> BlockingProgram.Result {
    do throws(LoopError) {
      return try BlockingProgram.run(
        path, arguments, environment: ["PATH=" + searchPath.joined(separator: ":")] + environment,
        outputBytesMax: Self.outputBytesMax)
    } catch { throw CheckFailure(error.description) }
  }
}

extension BlockingProgram.Result {
  var lines: [Substring] { String(decoding: output, as: UTF8.self).split(whereSeparator: \.isNewline) }

  /// - Returns: the first line that is no figure.
  func figures(into answer: inout CheckAnswer) -> String {
    var other = ""
    for line in lines {
      let words = line.split(separator: " ")
      if words.count == 2, Self.isFigure(words[0]), let value = Double(words[1]) {
        answer.add(String(words[0]), value)
      } else if other.isEmpty, words.count != 1 || !Self.isFigure(words[0]) {
        other = String(line)
      }
    }
    return other
  }

  private static func isFigure(_ word: Substring) -> Bool {
    word.utf8.count <= CheckAnswer.figureNameBytes
      && word.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
        default: false
        }
      }
  }
}
