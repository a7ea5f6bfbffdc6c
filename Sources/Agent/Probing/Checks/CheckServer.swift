internal import EventLoop
internal import Files
internal import FleetModel

/// The process that asks what is configured: reads questions from its input, and makes a copy of itself for each.
///
/// Started by the agent as `signalbox-agent probe --checks …`. A copy works without any care for its deadline; this process kills it,
/// and all that it has started, when the deadline has come. It ends with its input, and its copies with it.
final class CheckServer {
  /// Copies at once, those that hang in the kernel and cannot be killed among them.
  private static let copiesMax = 32

  private final class Copy {
    let number: UInt32
    let probe: ProbeSetting
    let child: ForkedChild
    let startedNs: Int64
    var watch: Watch?
    var deadline: TimerID?
    var output: Watch?
    var deframer = ProbeDeframer()
    var bytesRead = 0
    /// Its question was answered without it.
    var isGivenUp = false

    init(_ number: UInt32, _ probe: ProbeSetting, _ child: ForkedChild) {
      self.number = number
      self.probe = probe
      self.child = child
      startedNs = Clock.monotonicNs()
    }
  }

  private let permissions: CheckPermissions
  private let loop: EventLoop
  private let input = Descriptor(adopting: 0, path: "input")
  private let output = Descriptor(adopting: 1, path: "output")
  private var deframer = ProbeDeframer()
  private var bytes = [UInt8](repeating: 0, count: 16 << 10)
  /// By the question's number.
  private var copies: [UInt32: Copy] = [:]
  /// What copies left to be remembered for the next question, by the probe's name: at most as many as a host asks, each of at most
  /// `ProbeWire.frameBytesMax`.
  private var remembered: [String: (probe: ProbeSetting, atNs: Int64, bytes: [UInt8])] = [:]

  /// Runs on the process's own input and output until its input ends.
  static func run(_ permissions: CheckPermissions) {
    guard let server = try? CheckServer(permissions) else { return }
    try? server.loop.run()
    for copy in server.copies.values { copy.child.kill() }
  }

  private init(_ permissions: CheckPermissions) throws(LoopError) {
    self.permissions = permissions
    loop = try EventLoop()
    try loop.watch(input.raw, .read) { [unowned self] _ in receive() }
  }

  private func receive() {
    guard let got = try? input.reread(into: &bytes, from: 0, at: nil), got > 0 else { return loop.stop() }
    deframer.append(bytes.span.extracting(0..<got))
    while let frame = deframer.next() {
      guard let (number, probe, figuresMax) = CheckWire.question(frame.span) else { return loop.stop() }
      ask(number, probe, figuresMax)
    }
    if deframer.isBroken { loop.stop() }
  }

  private func ask(_ number: UInt32, _ probe: ProbeSetting, _ figuresMax: Int) {
    if copies.values.contains(where: { $0.isGivenUp && $0.probe.resultName == probe.resultName }) {
      return send(CheckAnswer(.timedOut, .nan, "the last question still hangs and cannot be ended"), number)
    }
    guard copies.count < Self.copiesMax else {
      return send(CheckAnswer(.unknown, .nan, "\(Self.copiesMax) probes hang on this host already"), number)
    }
    do throws(LoopError) {
      let known = remembered[probe.resultName].flatMap { $0.probe == probe ? $0.bytes : nil } ?? []
      let child = try ForkedChild.make { [permissions] in
        Self.answer(probe, number, permissions, known, figuresMax)
      }
      let copy = Copy(number, probe, child)
      copies[number] = copy
      copy.deadline = loop.after(probe.timeoutNs) { [unowned self, unowned copy] in giveUp(copy) }
      copy.watch = try loop.watch(child.handle.raw, .read) { [unowned self, unowned copy] _ in ended(copy) }
      copy.output = try loop.watch(child.output.raw, .read) { [unowned self, unowned copy] _ in read(copy) }
    } catch {
      send(CheckAnswer(.unknown, .nan, error.description), number)
    }
  }

  /// In the copy.
  private static func answer(
    _ probe: ProbeSetting, _ number: UInt32, _ permissions: CheckPermissions, _ before: [UInt8], _ figuresMax: Int
  ) {
    let startedNs = Clock.monotonicNs()
    var (answer, state) = Checks(permissions).answer(probe, before: before, figuresMax: figuresMax)
    answer.durationMs = Float(Double(Clock.monotonicNs() - startedNs) / 1e6)
    let output = Descriptor(adopting: 1, path: "output")
    // A failure to write it can be reported nowhere.
    try? output.write(CheckWire.encode(answer, number: number).span)
    if let state { try? output.write(state.span) }
    _ = output.release()
  }

  private func giveUp(_ copy: Copy) {
    copy.isGivenUp = true
    copy.child.kill()
    let seconds = Double(copy.probe.timeoutNs / 1_000_000) / 1000
    var answer = CheckAnswer(.timedOut, .nan, "no answer within \(seconds) s")
    answer.durationMs = Float(Double(Clock.monotonicNs() - copy.startedNs) / 1e6)
    send(answer, copy.number)
  }

  private func ended(_ copy: Copy) {
    // What it has started and left behind; the process group lives until the copy is reaped.
    copy.child.kill()
    guard let exit = copy.child.reap() else { return }
    read(copy)
    stopReading(copy)
    if let watch = copy.watch { loop.unwatch(watch) }
    if let deadline = copy.deadline { loop.cancel(deadline) }
    copies[copy.number] = nil
    if copy.isGivenUp { return }
    let answer = copy.deframer.next().flatMap { CheckWire.answer($0.span)?.answer }
    if answer != nil, let state = copy.deframer.next() { remember(copy.probe, state) }
    send(answer ?? CheckAnswer(.failed, .nan, "the probe ended without an answer (\(exit))"), copy.number)
  }

  /// As it comes: an answer may be longer than a pipe.
  private func read(_ copy: Copy) {
    while let got = try? copy.child.output.reread(into: &bytes, from: 0, at: nil) {
      guard got > 0, copy.bytesRead + got <= CheckWire.answerBytesMax else { return stopReading(copy) }
      copy.bytesRead += got
      copy.deframer.append(bytes.span.extracting(0..<got))
    }
  }

  private func stopReading(_ copy: Copy) {
    if let output = copy.output { loop.unwatch(output) }
    copy.output = nil
  }

  private func remember(_ probe: ProbeSetting, _ state: [UInt8]) {
    if remembered[probe.resultName] == nil, remembered.count >= ProbeSetting.probesPerHost,
      let oldest = remembered.min(by: { $0.value.atNs < $1.value.atNs })?.key
    {
      remembered[oldest] = nil
    }
    remembered[probe.resultName] = (probe, Clock.monotonicNs(), state)
  }

  private func send(_ answer: CheckAnswer, _ number: UInt32) {
    let frame = CheckWire.encode(answer, number: number)
    if (try? output.write(frame.span)) == nil { loop.stop() }
  }
}
