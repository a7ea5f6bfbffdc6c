internal import Agent
internal import EventLoop
internal import Files
internal import FleetModel
internal import Schema
internal import TLS
internal import Transport

/// An agent without a host: it greets, sends prepared batches within the window, and notes when they are acked.
final class SimulatedAgent {
  /// As `UplinkLimits`: what an agent has under way at most, and how long little waits for company.
  private static let batchesMax = 16
  private static let windowBytes = 4 << 20
  private static let coalesceNs: Int64 = 20_000_000

  private struct InFlight {
    var number: UInt64
    var bytes: Int
    /// When each line in it was handed over, CLOCK_MONOTONIC ns.
    var linesNs: [Int64]
  }

  let host: HostID
  private let makeTLS: () throws -> TLSContext
  private let spool = SpoolID(high: .random(in: 1...UInt64.max), low: 1)
  private let file = FileKey(high: .random(in: 1...UInt64.max), low: 2)
  private var client: RPCClient?
  private var call: ClientCall?
  private(set) var isWelcome = false
  private(set) var isClosed = false
  private(set) var problem: String?
  private var number: UInt64 = 0
  private var sequence: UInt64 = 0
  private var offset: UInt64 = 0
  private var isFileKnown = false
  private var inFlight: [InFlight] = []
  private var inFlightBytes = 0
  private var lastSentNs: Int64 = 0
  private var queue: [[UInt8]] = []
  private var queueHead = 0
  private var waitingRecords: [Records] = []
  private var waitingLines: [(line: [UInt8], ns: Int64)] = []
  private var isTimerSet = false
  /// Time from a line's handing over to its ack, ms.
  private(set) var latenciesMs: [Double] = []
  var onIdle: (() -> Void)?

  init(host: HostID, tls: @escaping () throws -> TLSContext) {
    self.host = host
    makeTLS = tls
  }

  // MARK: Connection

  func connect(_ loop: EventLoop, _ address: SocketAddress) throws {
    isClosed = false
    let client = RPCClient(loop: loop, target: address, tls: try makeTLS())
    self.client = client
    client.onReady = { [unowned self, unowned client] in greet(client) }
    client.onClosed = { [weak self] reason in
      guard let self, self.client === client else { return }
      if reason != .local { problem = "\(reason)" }
      self.client = nil
      call = nil
      isClosed = true
      isWelcome = false
    }
    client.connect()
  }

  private func greet(_ client: RPCClient) {
    let call = client.call(FleetProtocol.Call.report.path)
    self.call = call
    call.onMessage = { [unowned self] in received($0) }
    call.onStatus = { [unowned self] status, _ in if self.client != nil { problem = "\(status)" } }
    var hello = Hello()
    hello.protocolVersion = FleetProtocol.version
    hello.agentVersion = "bench"
    hello.bootID = BootID(high: host.high, low: 3)
    hello.spoolID = spool
    hello.instanceID = InstanceID(high: host.high, low: 4)
    hello.machineIDHash = MachineIDHash(high: host.high, low: 5)
    hello.facts.hostName = "bench"
    hello.wallNs = Clock.wallNs()
    hello.monotonicNs = Clock.bootNs()
    var bytes: [UInt8] = []
    OutgoingFrame.hello(hello).encode(into: &bytes)
    call.send(bytes)
  }

  func close() {
    let old = client
    client = nil
    call = nil
    isWelcome = false
    old?.close()
    inFlight = []
    inFlightBytes = 0
    number = 0
    isFileKnown = false
  }

  private func received(_ bytes: borrowing Span<UInt8>) {
    switch try? Wire.decodeCollectorFrame(bytes) {
    case .welcome(let welcome):
      isWelcome = true
      // What was lost with the last connection is not sent again: the marks say where to go on.
      sequence = welcome.lanes.first { $0.lane == .live }?.sequence ?? 0
      offset = welcome.files.first { $0.file.key == file }?.offset ?? 0
    case .ack(let acked): settle(acked)
    case .settings, .marks, nil: break
    }
  }

  private func settle(_ acked: UInt64) {
    let nowNs = Clock.monotonicNs()
    while let first = inFlight.first, first.number <= acked {
      inFlight.removeFirst()
      inFlightBytes -= first.bytes
      for lineNs in first.linesNs { latenciesMs.append(Double(nowNs - lineNs) / 1e6) }
    }
    pump()
    if inFlight.isEmpty { onIdle?() }
  }

  // MARK: A backlog

  /// Encodes batches in advance, so that the load costs the machine little while it runs.
  func prepare(batches: Int, samples: Int, lines: Int) {
    queue = []
    queueHead = 0
    let text = BenchData.lines
    for _ in 0..<batches {
      let nowNs = Clock.wallNs()
      let records = (0..<samples).map { index in BenchData.sample(timeNs: nowNs + Int64(index) * 1000) }
      var chosen: [[UInt8]] = []
      for index in 0..<lines { chosen.append(text[(index + Int(number)) % text.count]) }
      queue.append(encode(records, chosen, nowUs: nowNs / 1000))
    }
  }

  var isIdle: Bool { inFlight.isEmpty && queueHead == queue.count }

  func pump() {
    guard let call, isWelcome else { return }
    while queueHead < queue.count, inFlight.count < Self.batchesMax, inFlightBytes < Self.windowBytes {
      let frame = queue[queueHead]
      queue[queueHead] = []
      queueHead += 1
      // Prepared frames carry consecutive numbers.
      send(call, frame, number - UInt64(queue.count - queueHead), [])
    }
    sendFresh()
  }

  // MARK: Fresh data

  func report(_ records: Records, on loop: EventLoop) {
    waitingRecords.append(records)
    freshArrived(loop)
  }

  func report(line: [UInt8], on loop: EventLoop) {
    waitingLines.append((line, Clock.monotonicNs()))
    freshArrived(loop)
  }

  /// A lone batch leaves at once; while one is under way, little waits a moment for company.
  private func freshArrived(_ loop: EventLoop) {
    if inFlight.isEmpty { return sendFresh() }
    if isTimerSet { return }
    isTimerSet = true
    loop.after(max(0, lastSentNs + Self.coalesceNs - Clock.monotonicNs())) { [weak self] in
      self?.isTimerSet = false
      self?.sendFresh()
    }
  }

  private func sendFresh() {
    guard let call, isWelcome, !isTimerSet || inFlight.isEmpty else { return }
    guard !waitingRecords.isEmpty || !waitingLines.isEmpty, inFlight.count < Self.batchesMax else { return }
    let lines = waitingLines
    let frame = encode(waitingRecords, lines.map(\.line), nowUs: Clock.wallNs() / 1000)
    waitingRecords = []
    waitingLines = []
    send(call, frame, number, lines.map(\.ns))
  }

  private func send(_ call: ClientCall, _ frame: [UInt8], _ number: UInt64, _ linesNs: [Int64]) {
    inFlight.append(InFlight(number: number, bytes: frame.count, linesNs: linesNs))
    inFlightBytes += frame.count
    lastSentNs = Clock.monotonicNs()
    call.send(frame)
  }

  private func encode(_ records: [Records], _ lines: [[UInt8]], nowUs: Int64) -> [UInt8] {
    number += 1
    var batch = OutgoingBatch(
      number: number, time: HostTime(wallNs: nowUs * 1000, monotonicNs: Clock.bootNs()))
    for record in records {
      sequence += 1
      var encoded: [UInt8] = []
      Wire.encode(record, into: &encoded)
      batch.spooled.append(
        SpooledItem(lane: .live, firstSequence: sequence, lastSequence: sequence, content: .encoded(encoded)))
    }
    if !lines.isEmpty {
      let identity = FileIdentity(key: file, path: isFileKnown ? "" : "/var/log/training/worker-0.log")
      isFileKnown = true
      var delta = FileDelta(file: identity, from: offset, to: offset)
      delta.lines.firstOffset = offset
      for (index, line) in lines.enumerated() {
        delta.lines.text += line
        delta.lines.lengths.append(UInt32(line.count))
        delta.lines.advances.append(UInt32(line.count + 1))
        delta.lines.timesUs.append(nowUs + Int64(index))
        delta.lines.levels.append(index % 20 == 7 ? Level.warn.rawValue : Level.info.rawValue)
        delta.lines.flags.append(LineFlags.timed.rawValue)
        offset += UInt64(line.count + 1)
      }
      delta.to = offset
      batch.files = [delta]
    }
    var bytes: [UInt8] = []
    OutgoingFrame.batch(batch).encode(into: &bytes)
    return bytes
  }

  func takeLatencies() -> [Double] {
    defer { latenciesMs = [] }
    return latenciesMs
  }
}
