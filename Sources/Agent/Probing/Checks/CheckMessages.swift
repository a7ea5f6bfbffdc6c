internal import FleetModel

/// What a configured probe found out.
struct CheckAnswer: Sendable, Equatable {
  struct Figure: Sendable, Equatable {
    var name: String
    /// Of a series, as a part of its result's name: `{name="value",…}`.
    var labels = ""
    var value: Double
    var state: ProbeState = .ok
  }

  static let figuresMax = 16
  /// Of one exposition.
  static let seriesMax = 256
  static let figureNameBytes = 64
  /// A metric's name with its ending.
  static let seriesNameBytes = ExpositionLimits.nameBytesMax + 32
  static let detailBytes = 1024

  var state: ProbeState = .ok
  var value = Double.nan
  /// What a person needs to know beside the value.
  var detail = ""
  var durationMs = Float.nan
  var figures: [Figure] = []

  init(_ state: ProbeState = .ok, _ value: Double = .nan, _ detail: String = "") {
    self.state = state
    self.value = value
    self.detail = detail
  }

  mutating func add(_ figure: String, _ value: Double, _ state: ProbeState = .ok) {
    if figures.count < Self.figuresMax { figures.append(Figure(name: figure, value: value, state: state)) }
  }

  func value(of figure: String) -> Double { figures.first { $0.name == figure }?.value ?? .nan }
}

/// The bytes between the agent and the process that asks what is configured: frames as `ProbeWire`'s.
enum CheckWire {
  /// A question of the longest texts fits with its frame, so that as many as may be under way fit into a pipe.
  static let questionBytesMax = 4000
  /// Of a forked copy: its answer, and what is to be remembered of an exposition.
  static let answerBytesMax = 2 * (ProbeWire.frameBytesMax + 4)

  /// - Parameter figuresMax: of an exposition; part of the question, because the probes of a host share a bound.
  static func encode(_ probe: ProbeSetting, number: UInt32, figuresMax: Int = CheckAnswer.seriesMax) -> [UInt8] {
    var writer = ProbeWriter(number: number)
    writer.put(UInt32(clamping: figuresMax))
    writer.put(byte: probe.kind?.rawValue ?? 0)
    for text in [probe.name, probe.target, probe.socket, probe.service, probe.expectBody] { writer.put(text) }
    for value in [probe.everyNs, probe.timeoutNs, probe.settleNs] { writer.put(UInt64(bitPattern: value)) }
    writer.put(probe.expectStatus)
    writer.put(UInt32(probe.arguments.count))
    for argument in probe.arguments { writer.put(argument) }
    return writer.frame()
  }

  static func question(_ frame: Span<UInt8>) -> (number: UInt32, probe: ProbeSetting, figuresMax: Int)? {
    var reader = ProbeReader()
    guard let number = reader.uint32(frame), let figures = reader.uint32(frame), figures <= CheckAnswer.seriesMax,
      let kind = reader.byte(frame), let name = reader.text(frame), let target = reader.text(frame)
    else { return nil }
    var probe = ProbeSetting(ProbeKind(rawValue: kind), name, target: target)
    guard let socket = reader.text(frame), let service = reader.text(frame), let body = reader.text(frame),
      let every = reader.uint64(frame), let timeout = reader.uint64(frame), let settle = reader.uint64(frame),
      let status = reader.uint32(frame), let count = reader.uint32(frame), count <= ProbeSetting.arguments
    else { return nil }
    probe.socket = socket
    probe.service = service
    probe.expectBody = body
    probe.everyNs = Int64(bitPattern: every)
    probe.timeoutNs = Int64(bitPattern: timeout)
    probe.settleNs = Int64(bitPattern: settle)
    probe.expectStatus = status
    for _ in 0..<count {
      guard let argument = reader.text(frame) else { return nil }
      probe.arguments.append(argument)
    }
    return (number, probe, Int(figures))
  }

  static func encode(_ answer: CheckAnswer, number: UInt32) -> [UInt8] {
    var writer = ProbeWriter(number: number)
    writer.put(byte: answer.state.rawValue)
    writer.put(answer.value.bitPattern)
    writer.put(answer.durationMs)
    writer.put(cut(answer.detail, CheckAnswer.detailBytes))
    let figures = answer.figures.prefix(CheckAnswer.seriesMax)
    writer.put(UInt32(figures.count))
    for figure in figures {
      writer.put(cut(figure.name, CheckAnswer.seriesNameBytes))
      writer.put(cut(figure.labels, ExpositionLimits.labelBytesMax))
      writer.put(figure.value.bitPattern)
      writer.put(byte: figure.state.rawValue)
    }
    return writer.frame()
  }

  static func answer(_ frame: Span<UInt8>) -> (number: UInt32, answer: CheckAnswer)? {
    var reader = ProbeReader()
    guard let number = reader.uint32(frame), let state = state(frame, &reader), let value = reader.uint64(frame),
      let duration = reader.float(frame), let detail = reader.text(frame), let count = reader.uint32(frame),
      count <= CheckAnswer.seriesMax
    else { return nil }
    var answer = CheckAnswer(state, Double(bitPattern: value), detail)
    answer.durationMs = duration
    for _ in 0..<count {
      guard let name = reader.text(frame), let labels = reader.text(frame), let value = reader.uint64(frame),
        let state = self.state(frame, &reader)
      else { return nil }
      answer.figures.append(.init(name: name, labels: labels, value: Double(bitPattern: value), state: state))
    }
    return (number, answer)
  }

  private static func state(_ frame: Span<UInt8>, _ reader: inout ProbeReader) -> ProbeState? {
    reader.byte(frame).flatMap { ProbeState(rawValue: $0) }
  }

  /// Whole characters only.
  private static func cut(_ text: String, _ bytesMax: Int) -> String {
    if text.utf8.count <= bytesMax { return text }
    var count = 0
    return String(
      text.unicodeScalars.prefix {
        count += $0.utf8.count
        return count <= bytesMax
      })
  }
}
