internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Rules
internal import Synchronization

/// What the rules have found: to be in the database before the facts, and before the state that holds it.
struct RuleRecord: Sendable {
  /// 1, 2, 3… of this collector.
  var number: UInt64
  var changes: [IncidentChange]
  /// Receives `.recorded`.
  var reply: Mailbox<RulesThread.Message>

  /// All of it that has to stay with its changes on their way.
  struct Receipt: Sendable {
    let number: UInt64
    let reply: Mailbox<RulesThread.Message>
  }

  var receipt: Receipt { Receipt(number: number, reply: reply) }
}

/// A host's stream, as the rules need to know of it.
struct RuleSession: Sendable {
  var id: SessionID
  var host: KnownHost
  var saved: SavedRuleState?
  /// The host's incidents that go on.
  var open: [OpenIncident] = []
  /// Where it comes from.
  var address: String
  /// What the collector has found out about the host while it took the stream.
  var notes: [Event] = []
}

/// Runs the rules on every batch between the gateways and the writers, one thread for all hosts of this collector.
///
/// A batch that makes a rule fire waits here with what follows it of its stream until the finding is in the database; only then its rows
/// go to the writer, and only then it is acked. Where a rule has to remember something of it, the host's state goes with the batch, and
/// the writer saves it in the same transaction. A collector that dies in between has committed neither, so the agent sends the batch
/// again, and the kept state finds the same in it: nothing found is lost. All other batches pass at once.
final class RulesThread: Sendable {
  enum Message: Sendable {
    case began(RuleSession)
    case batch(StagedBatch, SessionID, bytes: Int)
    case streamEnded(SessionID, StreamEnd)
    /// A record and all before it are in the database.
    case recorded(UInt64)
    /// Whether this collector judges the fleet and the silence of hosts; with what was open when it began to.
    case lease(held: Bool, FleetMemory?)
    /// When any collector last heard of each host; nil: the database did not say.
    case fleet([KnownHost]?)
    case rules(RuleSet)
    /// Incidents that people have ended: their rules are armed again.
    case endedByHand([EndedIncident])
    case diagnosed(HostID, SilenceVerdict)
    case stop
  }

  /// What a collector takes up when it begins to judge the fleet.
  struct FleetMemory: Sendable {
    /// Of the lease.
    var fence: Int64
    var hosts: [KnownHost]
    var states: [SavedRuleState]
    var open: [OpenIncident]
  }

  /// As the writers' boxes: more than all agents' windows could hold is a broken gateway.
  static let boxLimit = 1 << 17
  /// Bytes waiting here above which the gateways stop reading the hosts of which some are waiting…
  static let pauseBytes = 32 << 20
  /// …and all hosts: those that send little are read on while others flood.
  static let stopBytes = 64 << 20

  let mailbox: Mailbox<Message>
  let writers: [WriterThread]
  let gateways: [Mailbox<GatewayMessage>]
  let paging: PagingThread
  let diagnosis: SilenceDiagnosis
  let metrics: CollectorMetrics
  let logger: Logger
  /// The newest state of the fleet's rules that is to be saved, for the thread that has the lease.
  let fleetState = Mutex<SavedRuleState?>(nil)
  private let waitingBytes = Atomic<Int>(0)
  private let waitingByHost = Mutex<[HostID: Int]>([:])
  private let first: RuleSet

  init(
    _ rules: RuleSet, writers: [WriterThread], gateways: [Mailbox<GatewayMessage>], paging: PagingThread,
    diagnosis: SilenceDiagnosis, metrics: CollectorMetrics, logger: Logger
  ) throws(LoopError) {
    mailbox = try Mailbox(limit: Self.boxLimit)
    first = rules
    self.writers = writers
    self.gateways = gateways
    self.paging = paging
    self.diagnosis = diagnosis
    self.metrics = metrics
    self.logger = logger
  }

  /// - Returns: false where it cannot be taken; the session is to be ended.
  func stage(_ batch: StagedBatch, of session: SessionID, bytes: Int) -> Bool {
    waitingBytes.wrappingAdd(bytes, ordering: .relaxed)
    waitingByHost.withLock { $0[batch.host, default: 0] += bytes }
    if mailbox.post(.batch(batch, session, bytes: bytes)) { return true }
    drop(batch.host, bytes: bytes)
    return false
  }

  /// Gateways stop reading a host's stream while this holds.
  func isBehind(_ host: HostID) -> Bool {
    let waiting = waitingBytes.load(ordering: .relaxed)
    if waiting >= Self.stopBytes { return true }
    if waiting >= Self.pauseBytes, waitingByHost.withLock({ $0[host] != nil }) { return true }
    return writer(of: host).isBehind
  }

  func writer(of host: HostID) -> WriterThread { writers[Int(host.low % UInt64(writers.count))] }

  /// A batch leaves for its writer.
  func forward(_ batch: StagedBatch, _ session: SessionID, bytes: Int) {
    if !writer(of: batch.host).stage(batch, of: session, bytes: bytes) {
      gateways[session.gateway].post(.overrun(session: session.number))
    }
    drop(batch.host, bytes: bytes)
  }

  /// A host's state without facts: an empty batch for its writer, of which no stream expects an outcome.
  /// - Returns: false where the writer cannot take it.
  func save(_ state: SavedRuleState, of host: HostID, atNs: Int64) -> Bool {
    var batch = StagedBatch(
      host: host, hostNumber: state.hostNumber, epoch: state.version.epoch, spool: SpoolID(high: 0, low: 0),
      receivedNs: atNs, batch: Batch())
    batch.ruleState = state
    return writer(of: host).stage(batch, of: .none, bytes: state.bytes.count)
  }

  /// A batch no longer waits here. One whose stream is over goes nowhere: its agent sends it again.
  func drop(_ host: HostID, bytes: Int) {
    waitingByHost.withLock { waiting in
      let left = (waiting[host] ?? 0) - bytes
      waiting[host] = left > 0 ? left : nil
    }
    let before = waitingBytes.wrappingSubtract(bytes, ordering: .relaxed).oldValue
    for limit in [Self.pauseBytes, Self.stopBytes] where before >= limit && before - bytes < limit {
      for gateway in gateways { gateway.post(.writerCaughtUp) }
    }
  }

  func start() throws(LoopError) -> LoopThread {
    try LoopThread("rules") { [self] in
      let run = RuleRun(self, first)
      while run.isGoingOn {
        for message in mailbox.wait(maximumMs: run.waitMs) { run.take(message) }
        run.turn()
      }
    }
  }
}
