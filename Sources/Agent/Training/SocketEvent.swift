internal import FleetModel

/// One line that a program wrote to the socket, as its members.
///
/// `{"event": "run_started" | "run_ended" | "episode" | "metric", "run": "…", …}`, and of `signalbox-agent exec`
/// `{"event": "process_started" | "process_ended", "pid": …, "start_ticks": …, …}`; members that an event does not know are passed over.
struct SocketEvent {
  enum Failure: Error {
    case notAnObject
    case missing(StaticString)
    case wrongType(StaticString)
    case negative(StaticString)
    case unknownEvent(String)
    case tooLong(StaticString, Int)

    var text: String {
      switch self {
      case .notAnObject: "a line must be one JSON object"
      case .missing(let name): "\"\(name)\" is missing"
      case .wrongType(let name): "\"\(name)\" has the wrong type"
      case .negative(let name): "\"\(name)\" must be 0 or more"
      case .unknownEvent(let name):
        "\"event\" is \(JSONText.quoted(name)); it must be run_started, run_ended, episode, metric, process_started or process_ended"
      case .tooLong(let name, let limit): "\"\(name)\" is longer than \(limit) bytes"
      }
    }
  }

  var event: String?
  var run: String?
  var framework = ""
  var state: String?
  var detail: String?
  /// ns since 1970.
  var timeNs: Int64?
  var episode: Int64?
  /// In an episode its length, in a metric the step.
  var steps: Int64?
  var step: Int64?
  var reward: Double?
  var name: String?
  var value: Double?
  var metrics: [Metric] = []
  /// Members of `metrics` beyond the limit.
  var metricsLeftOut = 0
  var process = Process()

  /// What only events of processes have.
  struct Process {
    var pid: Int64?
    var startTicks: Int64?
    var command = ""
    var directory = ""
    var output = ""
    var errors = ""
    var cgroup = ""
    var code: Int64?
    var signal: Int64?
    var coreDumped = false
  }

  init(_ bytes: Span<UInt8>, _ line: Range<Int>, _ limits: SocketLimits) throws(Failure) {
    var scanner = JSONScanner(line)
    guard scanner.next(bytes) == .objectStart else { throw .notAnObject }
    while case .key(let key)? = scanner.next(bytes) {
      guard let token = scanner.next(bytes) else { break }
      try take(bytes, key, token, &scanner, limits)
    }
    // Behind the object there must be nothing.
    guard scanner.next(bytes) == nil, scanner.isComplete else { throw .notAnObject }
  }

  private mutating func take(
    _ bytes: Span<UInt8>, _ key: Range<Int>, _ token: JSONScanner.Token, _ scanner: inout JSONScanner,
    _ limits: SocketLimits
  ) throws(Failure) {
    switch String(decoding: JSONScanner.text(bytes, key, bytesMax: 32), as: UTF8.self) {
    case "event": event = try Self.text(bytes, token, "event", 64)
    case "run": run = try Self.text(bytes, token, "run", limits.runBytesMax)
    case "framework": framework = try Self.text(bytes, token, "framework", 64)
    case "state": state = try Self.text(bytes, token, "state", 64)
    case "name": name = try Self.text(bytes, token, "name", TrainingLimits.metricNameBytesMax)
    case "time":
      guard let ns = WrittenTime.ns(seconds: try Self.number(bytes, token, "time")) else { throw .wrongType("time") }
      timeNs = ns
    case "episode": episode = try Self.integer(bytes, token, "episode")
    case "steps": steps = try Self.integer(bytes, token, "steps")
    case "step": step = try Self.integer(bytes, token, "step")
    case "reward": reward = try Self.number(bytes, token, "reward")
    case "value": value = try Self.number(bytes, token, "value")
    case "metrics": try takeMetrics(bytes, token, &scanner, limits)
    case "detail":
      guard token == .objectStart else { throw .wrongType("detail") }
      detail = JSONRewriter.rewrite(bytes, &scanner, token, bytesMax: limits.detailBytesMax)
      if detail == nil { throw scanner.isFailed ? .notAnObject : .tooLong("detail", limits.detailBytesMax) }
    case let name: try takeOfProcess(name, bytes, token, &scanner)
    }
  }

  private mutating func takeOfProcess(
    _ name: String, _ bytes: Span<UInt8>, _ token: JSONScanner.Token, _ scanner: inout JSONScanner
  ) throws(Failure) {
    let limit = SamplingLimits.pathBytesMax
    switch name {
    case "pid": process.pid = try Self.integer(bytes, token, "pid")
    case "start_ticks": process.startTicks = try Self.integer(bytes, token, "start_ticks")
    case "command": process.command = try Self.text(bytes, token, "command", limit)
    case "directory": process.directory = try Self.text(bytes, token, "directory", limit)
    case "output": process.output = try Self.text(bytes, token, "output", limit)
    case "errors": process.errors = try Self.text(bytes, token, "errors", limit)
    case "cgroup": process.cgroup = try Self.text(bytes, token, "cgroup", limit)
    case "code": process.code = try Self.integer(bytes, token, "code")
    case "signal": process.signal = try Self.integer(bytes, token, "signal")
    case "core_dumped":
      guard case .bool(let value) = token else { throw .wrongType("core_dumped") }
      process.coreDumped = value
    default: scanner.skip(bytes, token)
    }
  }

  private mutating func takeMetrics(
    _ bytes: Span<UInt8>, _ token: JSONScanner.Token, _ scanner: inout JSONScanner, _ limits: SocketLimits
  ) throws(Failure) {
    guard token == .objectStart else { throw .wrongType("metrics") }
    while case .key(let key)? = scanner.next(bytes) {
      guard let token = scanner.next(bytes) else { break }
      guard metrics.count < limits.metricsMax else {
        metricsLeftOut += 1
        scanner.skip(bytes, token)
        continue
      }
      let name = JSONScanner.text(bytes, key, bytesMax: TrainingLimits.metricNameBytesMax)
      metrics.append(Metric(MetricName.text(name), try Self.number(bytes, token, "metrics")))
    }
  }

  private static func text(
    _ bytes: Span<UInt8>, _ token: JSONScanner.Token, _ name: StaticString, _ bytesMax: Int
  ) throws(Failure) -> String {
    guard case .string(let range) = token else { throw .wrongType(name) }
    let text = JSONScanner.text(bytes, range, bytesMax: bytesMax + 1)
    if text.count > bytesMax { throw .tooLong(name, bytesMax) }
    // Repairing may lengthen it.
    return SafeText.make(text, bytesMax: bytesMax)
  }

  /// `null` is how JSON writers that are strict say NaN.
  private static func number(
    _ bytes: Span<UInt8>, _ token: JSONScanner.Token, _ name: StaticString
  ) throws(Failure) -> Double {
    if token == .null { return .nan }
    guard case .number(let range) = token, let value = DecimalNumber.parse(bytes, range) else { throw .wrongType(name) }
    return value
  }

  private static func integer(
    _ bytes: Span<UInt8>, _ token: JSONScanner.Token, _ name: StaticString
  ) throws(Failure) -> Int64 {
    guard case .number(let range) = token, let value = DecimalNumber.parseInteger(bytes, range) else {
      throw .wrongType(name)
    }
    return value
  }
}
