internal import EventLoop
internal import Files
internal import FleetModel
internal import Logging
internal import Postgres
internal import Schema
internal import Store
internal import TLS

/// What needs the database but is not bulk: fences and enrolment.
enum ControlMessage: Sendable {
  /// A call of a gateway that waits for an answer.
  struct Call: Sendable {
    var gateway: Int
    var id: UInt64
  }

  case fence(host: HostID, Hello, receivedNs: Int64, session: SessionID)
  case join(JoinRequest, address: String, call: Call)
  /// - Parameter host: whose the certificate is.
  case renew(RenewRequest, certificate: TLSPeer, host: HostID, call: Call)
  /// The page of a welcome host's marks behind `after`.
  case marks(hostNumber: Int32, after: Int64, session: SessionID)
  /// A certificate was used for the first time: those before it are retired.
  case firstUsed([UInt8])
  /// A stream has ended; a restart of its host is then no clone.
  case ended(hostNumber: Int32, epoch: UInt64, atNs: Int64)
  /// The authority was renewed: whoever joins from now on gets the new chain.
  case authority(EnrolmentService)
  case stop
}

/// The control thread: one connection, one request after the other, in the order of `ControlQueue`.
///
/// Apart from the writers, so that a thousand agents that come back do not wait behind bulk, and bulk not behind them.
/// Order against commits needs no care: both lock the epoch's row.
final class ControlThread: Sendable {
  /// Agents that come back at once wait here; more are refused, to try again.
  static let boxLimit = 16_384

  let mailbox: Mailbox<ControlMessage>
  private let gateways: [Mailbox<GatewayMessage>]
  private let database: DatabaseURL
  private let service: EnrolmentService
  private let allowList: AllowList
  private let settings: SettingsBook
  private let metrics: CollectorMetrics
  private let logger: Logger

  init(
    database: DatabaseURL, gateways: [Mailbox<GatewayMessage>], service: EnrolmentService, allowList: AllowList,
    settings: SettingsBook, metrics: CollectorMetrics, logger: Logger
  ) throws(LoopError) {
    mailbox = try Mailbox(limit: Self.boxLimit)
    self.gateways = gateways
    self.database = database
    self.service = service
    self.allowList = allowList
    self.settings = settings
    self.metrics = metrics
    self.logger = logger
  }

  func start() throws(LoopError) -> LoopThread {
    try LoopThread("control") { [self] in
      let run = ControlRun(thread: self)
      while run.isGoingOn { run.turn() }
      run.connection.close()
    }
  }

  /// The thread's own state.
  private final class ControlRun {
    let thread: ControlThread
    let health: ThreadHealth
    let connection: StoreConnection
    private var queue = ControlQueue()
    private var service: EnrolmentService
    /// Of all hosts together: a fleet that comes back asks thousands of times while the database is away.
    private var waits = RepeatedWarning()

    init(thread: ControlThread) {
      self.thread = thread
      service = thread.service
      health = thread.metrics.health.watch("control", holds: .hostsWithoutStream)
      connection = StoreConnection(thread.database, options: Store.controlOptions, health: health)
    }

    var isGoingOn: Bool { !queue.isStopping || queue.dueNs == .min }

    /// What has come is put in its order before the next one is done: each takes milliseconds of the database.
    func turn() {
      let nowNs = Clock.monotonicNs()
      let waitNs = max(0, min(1_000_000_000, (queue.dueNs ?? .max) &- nowNs))
      let messages =
        queue.dueNs == .min ? thread.mailbox.take() : thread.mailbox.wait(maximumMs: Int32(waitNs / 1_000_000 + 1))
      // Whoever was refused comes again, or does not: nothing of it waits here.
      if messages.isEmpty, queue.dueNs != .min { health.succeeded() }
      for message in messages {
        if let refused = queue.add(message, nowNs: Clock.monotonicNs()) { refuse(refused) }
      }
      if let next = queue.next(nowNs: Clock.monotonicNs()) { handle(next) }
    }

    private func refuse(_ refused: RefusedControl) {
      switch refused.message {
      case .fence(_, _, _, let session):
        thread.metrics.hellosReplaced.add()
        thread.gateways[session.gateway].post(
          .fenced(
            session: session.number, .failure(FenceFailure(reason: refused.sentence, isReplaced: true))))
      case .join(_, _, let call), .renew(_, _, _, let call):
        thread.metrics.enrolmentsDeferred.add()
        // RESOURCE_EXHAUSTED for who asks too often, UNAVAILABLE where others do: both may be tried again.
        reply(call, .refused(code: refused.reason == .busy ? 14 : 8, message: refused.sentence))
      case .marks, .firstUsed, .ended, .authority, .stop: break
      }
    }

    private func handle(_ message: ControlMessage) {
      switch message {
      case .fence(let host, let hello, let receivedNs, let session): fence(host, hello, receivedNs, session)
      case .join(let request, let address, let call):
        answer(call, "join", ["token": "\(request.tokenID)", "address": "\(address)"]) {
          (store: inout StoreEnrolment) throws(StoreError) in
          let result = try service.join(request, store: &store, nowNs: Clock.wallNs())
          // Before the host's first Hello, which reads its labels.
          if case .success(let granted) = result {
            try thread.settings.applyLabels(store.store, of: granted.hostID)
          }
          return result
        }
      case .marks(let hostNumber, let after, let session): marks(hostNumber, after, session)
      case .renew(let request, let peer, _, let call): renew(request, peer, call)
      case .firstUsed(let fingerprint): firstUsed(fingerprint)
      case .ended(let hostNumber, let epoch, let atNs):
        // Not noted while the database is away: then the host may be taken for a clone once, and a note records it.
        try? connection.use { (store: Store) throws(StoreError) in
          try store.endStream(hostNumber: hostNumber, epoch: epoch, atNs: atNs)
        }
      case .authority(let renewed): service = renewed
      case .stop: break
      }
    }

    private func fence(_ host: HostID, _ hello: Hello, _ receivedNs: Int64, _ session: SessionID) {
      let result: Result<Fence, FenceFailure>
      do throws(StoreError) {
        result = .success(
          try connection.use { (store: Store) throws(StoreError) in
            var fence = try store.fence(host: host, hello: hello, receivedNs: receivedNs)
            if fence.isSuspectedClone || fence.isContested {
              fence.notes = [Self.cloneEvent(hello, receivedNs)]
              try store.note(fence.notes, hostNumber: fence.hostNumber, receivedNs: receivedNs)
            }
            return fence
          })
      } catch {
        warn("fence failed", error, ["host_id": "\(host)"])
        result = .failure(FenceFailure(error))
      }
      thread.gateways[session.gateway].post(.fenced(session: session.number, result))
    }

    private func marks(_ hostNumber: Int32, _ after: Int64, _ session: SessionID) {
      let result: Result<FileMarkPage, FenceFailure>
      do throws(StoreError) {
        result = .success(
          try connection.use { (store: Store) throws(StoreError) in
            try store.openFiles(of: hostNumber, after: after)
          })
      } catch {
        warn("marks not read", error)
        result = .failure(FenceFailure(error))
      }
      thread.gateways[session.gateway].post(.marks(session: session.number, result))
    }

    /// Kept beside the host's own events, so that whoever looks at the host sees it.
    private static func cloneEvent(_ hello: Hello, _ receivedNs: Int64) -> Event {
      var event = Event()
      event.timeNs = receivedNs
      event.kind = .agent
      event.level = .error
      event.subject = "identity"
      event.message =
        "two live machines use this host's certificate: agent process \(hello.instanceID) of machine \(hello.machineIDHash), "
        + "boot \(hello.bootID), took the stream over while another lives; invite one of them anew under a name of its own"
      return event
    }

    private func firstUsed(_ fingerprint: [UInt8]) {
      do throws(StoreError) {
        try connection.use { (store: Store) throws(StoreError) in
          var enrolment = StoreEnrolment(store: store)
          try enrolment.certificateUsed(fingerprint, nowNs: Clock.wallNs())
        }
      } catch {
        // The next start of the host reports it again.
        warn("certificate's first use not noted", error)
      }
    }

    private func renew(_ request: RenewRequest, _ peer: TLSPeer, _ call: ControlMessage.Call) {
      guard let certificate = try? Certificate(der: peer.der) else {
        return reply(call, .refused(code: 3, message: "the certificate in use cannot be read"))
      }
      answer(call, "renewal", ["fingerprint": "\(peer.fingerprint.prefix(4).map(Hex.text).joined())"]) {
        (store: inout StoreEnrolment) throws(StoreError) in
        try service.renew(request, certificate: certificate, store: &store, nowNs: Clock.wallNs())
      }
    }

    /// Decides with the database, answers the caller, and lets the new certificate in at once on this collector.
    private func answer(
      _ call: ControlMessage.Call, _ what: String, _ metadata: Logger.Metadata,
      _ decide: (inout StoreEnrolment) throws(StoreError) -> Result<CertificateReply, EnrolmentRefusal>
    ) {
      do throws(StoreError) {
        let (result, admitted) = try connection.use { (store: Store) throws(StoreError) in
          var enrolment = StoreEnrolment(store: store)
          let result = try decide(&enrolment)
          return (result, enrolment.admitted)
        }
        switch result {
        case .success(let granted): grant(granted, admitted, call, what, metadata)
        case .failure(let refusal):
          thread.metrics.joinsRefused.add()
          thread.logger.warning("\(what) refused", metadata: metadata.merging(["reason": "\(refusal)"]) { $1 })
          reply(call, .refused(code: UInt32(refusal.statusCode), message: refusal.description))
        }
      } catch {
        warn("\(what) failed", error, metadata)
        let failure = FenceFailure(error)
        reply(call, .refused(code: failure.isRefusal ? 7 : 14, message: failure.reason))
      }
    }

    private func grant(
      _ granted: CertificateReply, _ admitted: CertificateRecord?, _ call: ControlMessage.Call, _ what: String,
      _ metadata: Logger.Metadata
    ) {
      if let admitted {
        let entry = AllowList.Entry(host: admitted.hostID, state: .active, isUsed: false)
        thread.allowList.add(admitted.fingerprint, entry)
      }
      thread.metrics.certificatesIssued.add()
      thread.logger.info("\(what) granted", metadata: metadata.merging(["host": "\(granted.hostName)"]) { $1 })
      var bytes: [UInt8] = []
      Wire.encode(granted, into: &bytes)
      reply(call, .reply(bytes))
    }

    /// Refusals of one host are logged each; what the database does to all of them a few times a minute.
    private func warn(_ what: String, _ error: StoreError, _ metadata: Logger.Metadata = [:]) {
      guard case .database = error else {
        return thread.logger.warning("\(what)", metadata: metadata.merging(["error": "\(error)"]) { $1 })
      }
      guard let repeated = waits.metadata(error.withAdvice, nowNs: Clock.monotonicNs()) else { return }
      thread.logger.warning("\(what)", metadata: metadata.merging(repeated) { $1 })
    }

    private func reply(_ call: ControlMessage.Call, _ answer: EnrolmentAnswer) {
      thread.gateways[call.gateway].post(.enrolled(call: call.id, answer))
    }
  }
}
