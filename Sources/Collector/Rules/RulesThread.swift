internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Rules
internal import Synchronization

/// Findings of the rules. They have to be in the database before their facts and before the state that holds them.
struct RuleRecord: Sendable {
  /// 1, 2, 3… in this process.
  var number: UInt64
  var changes: [IncidentChange]
  /// Receives `.recorded` once the changes are committed.
  var reply: Mailbox<RulesThread.Message>

  /// The part of a record that follows its changes to the database.
  struct Receipt: Sendable {
    let number: UInt64
    let reply: Mailbox<RulesThread.Message>
  }

  var receipt: Receipt { Receipt(number: number, reply: reply) }
}

/// What the rules need of a host's stream.
struct RuleSession: Sendable {
  var id: SessionID
  var host: KnownHost
  var saved: SavedRuleState?
  /// The host's open incidents.
  var open: [OpenIncident] = []
  /// Remote address.
  var address: String
  /// Events that the collector itself found when it accepted the stream.
  var notes: [Event] = []
}

/// Runs the rules on every batch between the gateways and the writers, one thread for all hosts of this collector.
///
/// A batch that makes a rule fire waits here, and the later batches of its stream behind it, until the finding is in
/// the database; only then its rows go to the writer, and only then it is acked. Where it changes what the rules
/// remember, it carries the host's rule state, which the writer saves in the same transaction. A collector that dies
/// before the commit has stored neither, so that the agent sends the batch again and the saved state finds the same in
/// it: no finding is lost. All other batches pass at once.
final class RulesThread: Sendable {
  enum Message: Sendable {
    case began(RuleSession)
    case batch(StagedBatch, SessionID, bytes: Int)
    case streamEnded(SessionID, StreamEnd)
    /// A record and all before it are in the database.
    case recorded(UInt64)
    /// Whether this collector judges the fleet and the silence of hosts, with the state of both where it begins to.
    case lease(held: Bool, FleetMemory?)
    /// When any collector last received a report of each host; nil: the database did not answer.
    case fleet([KnownHost]?)
    case rules(RuleSet)
    /// Incidents that people have ended, whose rules are armed again.
    case endedByHand([EndedIncident])
    case diagnosed(HostID, SilenceVerdict)
    case stop
  }

  /// What a collector restores when it begins to judge the fleet.
  struct FleetMemory: Sendable {
    /// Fence of the lease.
    var fence: Int64
    var hosts: [KnownHost]
    var states: [SavedRuleState]
    var open: [OpenIncident]
  }

  /// The limit of the writers' mailboxes: more than all agents' windows can hold means a defective gateway.
  static let boxLimit = 1 << 17
  /// Bytes waiting here above which the gateways stop reading the hosts that some of them came from…
  static let pauseBytes = 32 << 20
  /// …and above which they stop reading all hosts. Between the two, hosts that send little are still read while others
  /// flood.
  static let stopBytes = 64 << 20

  let mailbox: Mailbox<Message>
  let writers: [WriterThread]
  let gateways: [Mailbox<GatewayMessage>]
  let paging: PagingThread
  let diagnosis: SilenceDiagnosis
  let metrics: CollectorMetrics
  let logger: Logger
  /// The newest state of the fleet's rules, which the rule keeper's thread saves under the lease.
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

  /// - Returns: false where the mailbox is full; the session is to be ended.
  func stage(_ batch: StagedBatch, of session: SessionID, bytes: Int) -> Bool {
    waitingBytes.wrappingAdd(bytes, ordering: .relaxed)
    waitingByHost.withLock { $0[batch.host, default: 0] += bytes }
    if mailbox.post(.batch(batch, session, bytes: bytes)) { return true }
    drop(batch.host, bytes: bytes)
    return false
  }

  /// Whether the gateways must stop reading a host's stream.
  func isBehind(_ host: HostID) -> Bool {
    let waiting = waitingBytes.load(ordering: .relaxed)
    if waiting >= Self.stopBytes { return true }
    if waiting >= Self.pauseBytes, waitingByHost.withLock({ $0[host] != nil }) { return true }
    return writer(of: host).isBehind
  }

  func writer(of host: HostID) -> WriterThread { writers[writerIndex(of: host)] }

  func writerIndex(of host: HostID) -> Int { Int(host.low % UInt64(writers.count)) }

  /// Passes a batch to its writer.
  func forward(_ batch: StagedBatch, _ session: SessionID, bytes: Int) {
    if !writer(of: batch.host).stage(batch, of: session, bytes: bytes) {
      gateways[session.gateway].post(.overrun(session: session.number))
    }
    drop(batch.host, bytes: bytes)
  }

  /// Passes a host's state without facts to its writer, as an empty batch whose outcome no stream waits for.
  /// - Returns: false where the writer's mailbox is full.
  func save(_ state: SavedRuleState, of host: HostID, atNs: Int64) -> Bool {
    var batch = StagedBatch(
      host: host, hostNumber: state.hostNumber, epoch: state.version.epoch, spool: SpoolID(high: 0, low: 0),
      receivedNs: atNs, batch: Batch())
    batch.ruleState = state
    return writer(of: host).stage(batch, of: .none, bytes: state.bytes.count)
  }

  /// Subtracts a batch that no longer waits here. One of a stream that has ended is not stored: its agent sends it
  /// again.
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
