internal import Files
internal import FleetModel

/// Why a probe has no answer of its own to give.
struct CheckFailure: Error {
  /// `.failed`, or `.unknown` where nothing could be asked: that is no fault of what is probed.
  var state = ProbeState.failed
  var reason: String

  init(_ reason: String) { self.reason = reason }

  /// What this host's owner has not allowed, or what is not there to ask with.
  static func notAsked(_ reason: String) -> CheckFailure {
    var failure = CheckFailure(reason)
    failure.state = .unknown
    return failure
  }

  static func notAllowed(_ path: String) -> CheckFailure {
    notAsked("this host does not allow reading \(path); its owner adds --allow to the agent's options")
  }
}

/// Answers one configured probe. Blocks as long as it takes: runs in a copy of the process, which is killed at its deadline.
struct Checks {
  let permissions: CheckPermissions
  /// Where programs of the machine are looked for.
  let searchPath: [String]

  init(_ permissions: CheckPermissions) {
    self.permissions = permissions
    searchPath = (Machine.environment("PATH") ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map {
      String($0)
    }
  }

  /// - Parameters:
  ///   - before: what an exposition's reading before left to be remembered.
  ///   - figuresMax: of an exposition.
  /// - Returns: `state`: what is to be remembered until the next reading; nil where what was remembered stays as it is.
  func answer(
    _ probe: ProbeSetting, before: [UInt8] = [], figuresMax: Int = CheckAnswer.seriesMax
  ) -> (answer: CheckAnswer, state: [UInt8]?) {
    do throws(CheckFailure) {
      if let mistake = probe.mistake { throw .notAsked("this host does not allow such a probe: \(mistake)") }
      if probe.kind == .prometheus {
        let (answer, state) = try prometheus(probe, before: before, figuresMax: figuresMax)
        return (answer, state)
      }
      return (try ask(kind: probe.kind, probe), nil)
    } catch {
      return (CheckAnswer(error.state, .nan, error.reason), nil)
    }
  }

  private func ask(kind: ProbeKind?, _ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    switch kind {
    case .http: try http(probe)
    case .tcp: try tcp(probe)
    case .redis: try redis(probe)
    case .postgres: probe.service.isEmpty ? try postgresStart(probe) : try postgresFigures(probe)
    case .file: try file(probe)
    case .json: try json(probe)
    case .certificate: try certificate(probe)
    case .backup: try backup(probe)
    case .queue: try queue(probe)
    case .container: try container(probe)
    case .unit: try unit(probe)
    case .command: try command(probe)
    case .prometheus, nil: throw .notAsked("this agent does not know this kind of probe")
    }
  }

  /// - Throws: where the host's owner does not let the centre read there.
  func requireReading(_ path: String) throws(CheckFailure) {
    guard permissions.allowsReading(path) else { throw .notAllowed(path) }
  }

  /// - Returns: the program of the machine with this name.
  func program(_ name: String) throws(CheckFailure) -> String {
    guard let directory = searchPath.first(where: { (try? FileStatus.of(path: $0 + "/" + name))?.kind == .file }) else {
      throw .notAsked("there is no \(name) on this host to ask with")
    }
    return directory + "/" + name
  }
}
