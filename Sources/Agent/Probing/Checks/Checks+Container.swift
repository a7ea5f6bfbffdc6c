internal import Files
internal import FleetModel

/// Containers through Docker's socket, or Podman's, which speaks the same. Source: Docker Engine API, ContainerInspect.
extension Checks {
  private static let bodyBytesMax = 1 << 20

  /// The value is how often the engine has restarted the container.
  func container(_ probe: ProbeSetting) throws(CheckFailure) -> CheckAnswer {
    try requireReading(probe.socket)
    let connection = try CheckConnection.open(socket: probe.socket)
    let question = HTTPQuestion(
      path: "/containers/\(probe.target)/json", host: "docker", bodyBytesMax: Self.bodyBytesMax)
    let answer = try question.ask(connection)
    guard answer.status != 404 else { throw CheckFailure("there is no container \(probe.target)") }
    guard answer.status == 200 else { throw CheckFailure("the engine answered \(answer.status)") }
    let facts = JSONFacts.read(
      answer.body.span,
      ["RestartCount", "State.Status", "State.Running", "State.OOMKilled", "State.ExitCode", "State.Health.Status"])
    guard let status = facts["State.Status"] else { throw CheckFailure("the engine's answer cannot be read") }
    let isRunning = facts["State.Running"] == "true" && status != "restarting" && status != "paused"
    let health = facts["State.Health.Status"] ?? ""
    var words = status
    if !health.isEmpty, health != "none" { words += ", \(health)" }
    if !isRunning, let code = facts["State.ExitCode"] { words += ", exit code \(code)" }
    if facts["State.OOMKilled"] == "true" { words += ", once killed for memory" }
    let isFine = isRunning && health != "unhealthy"
    return CheckAnswer(isFine ? .ok : .failed, facts["RestartCount"].flatMap { Double($0) } ?? .nan, words)
  }
}

/// Single values out of a JSON text.
enum JSONFacts {
  private static let textBytesMax = 256

  /// - Parameter paths: member names with dots in between; members of arrays are not looked at.
  /// - Returns: the scalars found, as text.
  static func read(_ bytes: Span<UInt8>, _ paths: [String]) -> [String: String] {
    var facts: [String: String] = [:]
    var scanner = JSONScanner(0..<bytes.count)
    var path: [String] = []
    var name = ""
    while let token = scanner.next(bytes) {
      let keyPath = (path + [name]).filter { !$0.isEmpty }.joined(separator: ".")
      switch token {
      case .key(let range): name = text(bytes, range)
      case .objectStart: path.append(name)
      case .objectEnd: path.removeLast()
      case .arrayStart: scanner.skip(bytes, token)
      case .arrayEnd, .null: break
      case .string(let range), .number(let range): if paths.contains(keyPath) { facts[keyPath] = text(bytes, range) }
      case .bool(let value): if paths.contains(keyPath) { facts[keyPath] = "\(value)" }
      }
      if case .objectStart = token { name = "" }
    }
    return facts
  }

  private static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    String(decoding: JSONScanner.text(bytes, range, bytesMax: textBytesMax), as: UTF8.self)
  }
}
