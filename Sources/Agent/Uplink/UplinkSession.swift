package import FleetModel
internal import Schema

/// What the other side did that ends a stream.
package enum UplinkError: Error, Sendable, Equatable, CustomStringConvertible {
  case unexpectedWelcome
  case frameBeforeWelcome
  /// An ack for a batch that was never sent.
  case unknownAck(number: UInt64)
  /// Another agent used this spool's numbers (a cloned host): a new spool was made; connect again.
  case spoolReplaced
  /// A part of the marks after the last one.
  case unexpectedMarks
  case tooManyMarks(limit: Int)

  package var description: String {
    switch self {
    case .unexpectedWelcome: "the collector sent a second Welcome"
    case .frameBeforeWelcome: "the collector sent a frame before its Welcome"
    case .unknownAck(let number): "the collector acked batch \(number), which was never sent"
    case .spoolReplaced: "another host used this spool's numbers; a new spool was begun"
    case .unexpectedMarks: "the collector sent marks after the last of them"
    case .tooManyMarks(let limit): "the collector sent more than \(limit) marks of files"
    }
  }
}

/// The agent's half of the protocol: what to send, when, and what an answer means. No socket, no clock, no disk of its own.
///
/// The caller owns the connection. It asks `nextFrame` while its send buffer has room, hands over every frame it
/// receives, and calls again at `wakeAtNs` at the latest. Everything un-acked is kept only as marks: after a new
/// Welcome it is read again from the spool and from the files.
package final class UplinkSession {
  package enum State: Sendable, Equatable {
    /// No connection; the next attempt is due at this CLOCK_BOOTTIME.
    case waiting(untilNs: Int64)
    case connecting
    /// Hello is to be sent, or sent; it must be answered by `untilNs`.
    case greeting(untilNs: Int64, helloSent: Bool)
    case established
  }

  package private(set) var state: State = .waiting(untilNs: 0)
  /// The records' buffer. Its id goes into each Hello.
  package let spool: Spool
  package private(set) var settings = Settings()
  package private(set) var host: HostID?
  package private(set) var epoch: UInt64 = 0
  /// Connections since the last Welcome.
  package private(set) var failures = 0
  /// Streams in a row that another connection of this identity took.
  package private(set) var contests = 0
  /// HOST:PORT of the collectors to connect to, for Hello.
  package var knownCollectors: [String] = []
  /// When the stream began, CLOCK_BOOTTIME.
  private var establishedNs: Int64 = 0
  package private(set) var batchesSentTotal: UInt64 = 0
  package private(set) var batchesAckedTotal: UInt64 = 0

  /// Batches are under way.
  package var hasUnacked: Bool { !window.isEmpty }

  let source: any DeltaSource
  let limits: UplinkLimits
  var window: UplinkWindow
  var health: AgentHealth?
  /// Identities as this stream's collector knows them: later deltas carry the key alone.
  var announced = AnnouncedFiles()
  /// Marks that have come while others are still to follow; nil: the files go on from their marks.
  private var partialMarks: [FileMark]?
  var number: UInt64 = 0
  var lastSentNs: Int64 = .min
  /// The last attempt found bytes that are there and may not be sent yet.
  var hasNothingReady = false
  private let hello: Hello
  private var random: any RandomNumberGenerator

  /// - Parameters:
  ///   - hello: everything but version, spool id and times.
  ///   - random: for the back-off and for a new spool's id.
  package init(
    spool: Spool, source: any DeltaSource, hello: Hello, limits: UplinkLimits = UplinkLimits(),
    random: any RandomNumberGenerator
  ) {
    self.spool = spool
    self.source = source
    self.hello = hello
    self.limits = limits
    self.random = random
    window = UplinkWindow(limits: limits)
  }

  /// Sent on this stream and not acked.
  package var batchesInFlight: Int { window.count }

  // MARK: Connection

  /// Whether a connection is to be made now; then the session counts as connecting.
  package func shouldConnect(nowNs: Int64) -> Bool {
    guard case .waiting(let untilNs) = state, nowNs >= untilNs else { return false }
    state = .connecting
    return true
  }

  /// The stream is open: Hello is the next frame.
  package func connected(nowNs: Int64) {
    state = .greeting(untilNs: nowNs + limits.greetingNs, helloSent: false)
  }

  /// The stream has ended, or could not be opened. Nothing sent on it counts any more.
  package func disconnected(nowNs: Int64) {
    failures += 1
    forgetStream()
    state = .waiting(untilNs: nowNs + limits.reconnect.delayNs(failures: failures, random: &random))
  }

  /// A newer connection of this identity has taken the stream: another machine uses it too, or an old connection of this one was
  /// still there. Waits longer than after other ends, and longer each time.
  package func fenced(nowNs: Int64) {
    if case .established = state, nowNs - establishedNs >= limits.contestMemoryNs { contests = 0 }
    contests += 1
    forgetStream()
    state = .waiting(untilNs: nowNs + limits.contested.pauseNs(failures: contests, random: &random))
  }

  /// Connect again without waiting: the collector drains and asked for it, or the spool was replaced.
  package func reconnectAtOnce(nowNs: Int64) {
    forgetStream()
    state = .waiting(untilNs: nowNs)
  }

  /// The collector has not answered Hello in time: the caller closes the connection and calls `disconnected`.
  package func isStuck(nowNs: Int64) -> Bool {
    if case .greeting(let untilNs, _) = state { nowNs >= untilNs } else { false }
  }

  private func forgetStream() {
    window.reset()
    announced = AnnouncedFiles()
    partialMarks = nil
    number = 0
    lastSentNs = .min
  }

  // MARK: Records

  /// Keeps records until they are acked.
  /// - Parameter encoded: one `Records` message.
  /// - Returns: the lane it went into: live while a collector takes and commits what is sent.
  @discardableResult
  package func append(_ encoded: [UInt8], nowNs: Int64) -> Lane {
    let lane: Lane = state == .established && !window.isStalled(nowNs: nowNs) ? .live : .backfill
    spool.append(encoded, lane: lane, nowNs: nowNs)
    return lane
  }

  /// The agent about itself: goes with the next batch.
  package func report(_ health: AgentHealth) {
    self.health = health
  }

  // MARK: Frames

  /// - Returns: new settings, where the frame brought some.
  /// - Throws: what ends the stream; the caller closes it and calls `disconnected` (`reconnectAtOnce` after `.spoolReplaced`).
  package func received(_ frame: CollectorFrame, time: HostTime) throws(UplinkError) -> Settings? {
    switch frame {
    case .welcome(let welcome): return try welcomed(welcome, time: time)
    case .ack(let number):
      try acked(number, nowNs: time.monotonicNs)
      return nil
    case .settings(let settings):
      guard state == .established else { throw .frameBeforeWelcome }
      self.settings = settings
      return settings
    case .marks(let files, let more):
      try marksCame(files, more: more, time: time)
      return nil
    }
  }

  /// Whether the files know where to go on. Until then records alone are sent: a fresh sample does not wait for the marks.
  package var sendsFiles: Bool { partialMarks == nil }

  /// Bytes of files that can be sent now.
  var backlogBytes: UInt64 { sendsFiles ? source.backlogBytes : 0 }

  private func marksCame(_ files: [FileMark], more: Bool, time: HostTime) throws(UplinkError) {
    guard state == .established, var marks = partialMarks else { throw .unexpectedMarks }
    guard marks.count + files.count <= limits.marksMax else { throw .tooManyMarks(limit: limits.marksMax) }
    partialMarks = nil
    marks += files
    if more { partialMarks = marks } else { source.resume(from: marks, nowNs: time.wallNs) }
  }

  private func welcomed(_ welcome: Welcome, time: HostTime) throws(UplinkError) -> Settings {
    guard case .greeting(_, true) = state else { throw .unexpectedWelcome }
    guard spool.resume(from: welcome.lanes, nowNs: time.monotonicNs, random: &random) else { throw .spoolReplaced }
    if welcome.marksFollow {
      partialMarks = welcome.files
    } else {
      source.resume(from: welcome.files, nowNs: time.wallNs)
    }
    failures = 0
    epoch = welcome.epoch
    host = welcome.hostID
    settings = welcome.settings
    state = .established
    establishedNs = time.monotonicNs
    return welcome.settings
  }

  private func acked(_ number: UInt64, nowNs: Int64) throws(UplinkError) {
    guard state == .established else { throw .frameBeforeWelcome }
    guard number <= self.number else { throw .unknownAck(number: number) }
    while let batch = window.acked(upTo: number, nowNs: nowNs) {
      batchesAckedTotal += 1
      for lane in Lane.allCases {
        if let sequence = batch.lanes[lane] { spool.acked(lane, through: sequence) }
      }
      for file in batch.files { source.committed(file.key, offset: file.offset) }
    }
  }

  /// What to send next, or nil: nothing new, or the window is full, or what there is waits a moment for company.
  package func nextFrame(time: HostTime) -> OutgoingFrame? {
    switch state {
    case .waiting, .connecting, .greeting(_, true): return nil
    case .greeting(let untilNs, false):
      state = .greeting(untilNs: untilNs, helloSent: true)
      return .hello(makeHello(time))
    case .established:
      guard let batch = nextBatch(time: time) else { return nil }
      batchesSentTotal += 1
      return .batch(batch)
    }
  }

  private func makeHello(_ time: HostTime) -> Hello {
    var hello = hello
    hello.protocolVersion = FleetProtocol.version
    hello.spoolID = spool.id
    hello.knownCollectors = knownCollectors
    hello.takesMarks = true
    hello.wallNs = time.wallNs
    hello.monotonicNs = time.monotonicNs
    return hello
  }

  /// When to call again at the latest: next attempt, unanswered Hello, coalescing, the spool's sync. CLOCK_BOOTTIME, ns.
  package var wakeAtNs: Int64? {
    let own: Int64? =
      switch state {
      case .waiting(let untilNs): untilNs
      case .greeting(let untilNs, _): untilNs
      case .connecting: nil
      case .established: coalescingUntilNs
      }
    guard let spoolNs = spool.syncAtNs else { return own }
    return own.map { min($0, spoolNs) } ?? spoolNs
  }
}
