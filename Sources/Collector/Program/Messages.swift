internal import FleetModel
internal import Store

/// One report stream: which gateway thread owns it, and which it is there. Numbers are never used twice.
package struct SessionID: Hashable, Sendable {
  package var gateway: Int
  package var number: UInt64

  package init(gateway: Int, number: UInt64) {
    self.gateway = gateway
    self.number = number
  }

  /// Of a rule state without facts: no stream waits for its outcome.
  static let none = SessionID(gateway: -1, number: 0)
}

/// What other threads send to a gateway thread.
enum GatewayMessage: Sendable {
  case fenced(session: UInt64, Result<Fence, FenceFailure>)
  /// A page of marks that the session asked for.
  case marks(session: UInt64, Result<FileMarkPage, FenceFailure>)
  /// Outcomes of each session's batches, in order.
  case settled([(session: UInt64, outcomes: [CommitOutcome])])
  /// The writer had no room for this session's batch.
  case overrun(session: UInt64)
  /// A newer stream of the session's host began on this collector.
  case superseded(session: UInt64)
  /// A writer that was behind is no longer: sessions may read again.
  case writerCaughtUp
  case enrolled(call: UInt64, EnrolmentAnswer)
  /// Certificates changed: connections whose certificate is no longer allowed are cut.
  case allowListChanged
  /// The configuration was read again: each stream's host gets its settings.
  case settingsChanged
  /// New certificate of the collector, PEM.
  case identity(ServerIdentity)
  case drain
}

/// How a host's stream ended, as far as the collector can see.
enum StreamEnd: Sendable {
  /// It has not.
  case stands
  /// The agent ended its stream.
  case byAgent
  /// The collector ended it: a limit, a newer stream, its own stop.
  case byCollector
  /// The connection was closed under it, as a kernel does when a process ends.
  case broken
  /// The connection answered no more.
  case unanswered
}

/// Why a fence did not come to stand, or an enrolment was not decided.
struct FenceFailure: Error, Sendable {
  let reason: String
  /// A newer stream of the host came before it was this one's turn.
  let isReplaced: Bool
  /// The host is not wanted; else it may come again.
  let isRefusal: Bool

  init(reason: String, isReplaced: Bool = false) {
    self.reason = reason
    self.isReplaced = isReplaced
    isRefusal = false
  }

  /// What the agent is answered: the true cause, without the server's own words where they are of no use to it.
  init(_ error: StoreError) {
    isReplaced = false
    switch error {
    case .unknownHost, .revokedHost:
      (reason, isRefusal) = (error.description, true)
    case .database where error.needsNewConnection:
      (reason, isRefusal) = ("the collector's database does not answer; try again in a minute", false)
    default:
      (reason, isRefusal) = ("the collector's database could not do it; see the collector's log", false)
    }
  }
}

/// What the collector shows to agents, as PEM.
struct ServerIdentity: Sendable, Equatable {
  var chainPEM: String
  var keyPEM: String
  var rootsPEM: String
}

/// What comes of a join or a renewal: the reply's bytes, or a gRPC status.
enum EnrolmentAnswer: Sendable {
  case reply([UInt8])
  case refused(code: UInt32, message: String)
}

/// What the gateways ask of the writer of a host.
enum WriterMessage: Sendable {
  case stage(StagedBatch, SessionID, bytes: Int)
  /// Commit what is staged, then end.
  case stop
}
