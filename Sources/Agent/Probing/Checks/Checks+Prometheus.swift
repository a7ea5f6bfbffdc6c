internal import EventLoop
internal import Files
internal import FleetModel

/// Metrics of services in Prometheus' text formats: of vLLM, Triton, TGI, Ray Serve, exporters, an API of one's own.
extension Checks {
  /// The older format is what every client library writes, and it keeps the colons of names.
  private static let accept =
    "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5, text/plain;q=0.3, */*;q=0.1"

  /// The value is how many values the service exposes.
  /// - Parameters:
  ///   - before: what was remembered of the reading before; empty at the first.
  ///   - figuresMax: of this probe.
  /// - Returns: the answer, and what is to be remembered until the next reading.
  func prometheus(
    _ probe: ProbeSetting, before: [UInt8], figuresMax: Int
  ) throws(CheckFailure) -> (answer: CheckAnswer, state: [UInt8]) {
    guard let url = CheckURL(probe.target) else { throw CheckFailure("\(probe.target) is no URL") }
    let connection = try CheckConnection.open(url.address, permissions)
    if url.isTLS { _ = try connection.startTLS(url.address.host) }
    let question = HTTPQuestion(
      path: url.path, host: url.hostField, bodyBytesMax: ExpositionLimits.bytesMax, accept: Self.accept)
    let answer = try question.ask(connection)
    let nowNs = Clock.monotonicNs()
    guard answer.status == 200 else { throw CheckFailure("answered \(answer.status), not 200") }
    guard answer.isWhole else {
      throw CheckFailure(
        answer.body.count >= ExpositionLimits.bytesMax
          ? "the metrics take more than \(ExpositionLimits.bytesMax >> 20) MiB; have the service expose fewer"
          : "the metrics broke off after \(answer.body.count) bytes")
    }
    let keep = probe.arguments.compactMap { SeriesPattern($0) }
    let exposition = Exposition.read(answer.body) { name in
      ServingSources.names.contains(Exposition.comparable(name)) || keep.contains { $0.matchesName(name) }
    }
    guard exposition.samples > 0 else {
      throw CheckFailure(
        exposition.unreadable == 0
          ? "the answer holds no metric"
          : "this is no Prometheus exposition: line \(exposition.firstUnreadable) cannot be read")
    }
    let figures = ExpositionFigures(
      exposition, keep, before: ExpositionState(before), nowNs: nowNs, figuresMax: figuresMax - 2)
    return (Self.answer(exposition, figures), figures.state.encode())
  }

  private static func answer(_ exposition: Exposition, _ figures: ExpositionFigures) -> CheckAnswer {
    let leftOut = exposition.leftOut + figures.leftOut
    var words = figures.systems.isEmpty ? [] : [figures.systems.joined(separator: ", ")]
    words += ["\(exposition.samples) values", "\(figures.kept) series kept"]
    if leftOut > 0 { words.append("\(leftOut) left out beyond the limits: keep fewer") }
    if exposition.unreadable > 0 {
      words.append("\(exposition.unreadable) lines cannot be read, the first is line \(exposition.firstUnreadable)")
    }
    var answer = CheckAnswer(.ok, Double(exposition.samples), words.joined(separator: ", "))
    answer.figures = [
      CheckAnswer.Figure(name: "left_out", value: Double(leftOut)),
      CheckAnswer.Figure(name: "unreadable_lines", value: Double(exposition.unreadable)),
    ]
    answer.figures += figures.figures
    return answer
  }
}
