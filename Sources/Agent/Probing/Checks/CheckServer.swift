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
      guard let (number, probe) = CheckWire.question(frame.span) else { return loop.stop() }
      ask(number, probe)
    }
    if deframer.isBroken { loop.stop() }
  }

  private func ask(_ number: UInt32, _ probe: ProbeSetting) {
    if copies.values.contains(where: { $0.isGivenUp && $0.probe.resultName == probe.resultName }) {
      return send(CheckAnswer(.timedOut, .nan, "the last question still hangs and cannot be ended"), number)
    }
    guard copies.count < Self.copiesMax else {
      return send(CheckAnswer(.unknown, .nan, "\(Self.copiesMax) probes hang on this host already"), number)
    }
    do throws(LoopError) {
      let child = try ForkedChild.make { [permissions] in Self.answer(probe, number, permissions) }
      let copy = Copy(number, probe, child)
      copies[number] = copy
      copy.deadline = loop.after(probe.timeoutNs) { [unowned self, unowned copy] in giveUp(copy) }
      copy.watch = try loop.watch(child.handle.raw, .read) { [unowned self, unowned copy] _ in ended(copy) }
    } catch {
      send(CheckAnswer(.unknown, .nan, error.description), number)
    }
  }

  /// In the copy.
  private static func answer(_ probe: ProbeSetting, _ number: UInt32, _ permissions: CheckPermissions) {
    let startedNs = Clock.monotonicNs()
    var answer = Checks(permissions).answer(probe)
    answer.durationMs = Float(Double(Clock.monotonicNs() - startedNs) / 1e6)
    let output = Descriptor(adopting: 1, path: "output")
    // A failure to write it can be reported nowhere.
    try? output.write(CheckWire.encode(answer, number: number).span)
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
    if let watch = copy.watch { loop.unwatch(watch) }
    if let deadline = copy.deadline { loop.cancel(deadline) }
    copies[copy.number] = nil
    if copy.isGivenUp { return }
    send(read(copy) ?? CheckAnswer(.failed, .nan, "the probe ended without an answer (\(exit))"), copy.number)
  }

  private func read(_ copy: Copy) -> CheckAnswer? {
    var deframer = ProbeDeframer()
    var total = 0
    while let got = try? copy.child.output.reread(into: &bytes, from: 0, at: nil), got > 0,
      total + got <= CheckWire.answerBytesMax
    {
      total += got
      deframer.append(bytes.span.extracting(0..<got))
    }
    guard let frame = deframer.next() else { return nil }
    return CheckWire.answer(frame.span)?.answer
  }

  private func send(_ answer: CheckAnswer, _ number: UInt32) {
    let frame = CheckWire.encode(answer, number: number)
    if (try? output.write(frame.span)) == nil { loop.stop() }
  }
}
