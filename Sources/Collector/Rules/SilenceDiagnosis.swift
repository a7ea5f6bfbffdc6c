internal import EventLoop
internal import FleetModel

/// Why a host says nothing. A host that cannot be reached is not a run that has died: only the host is judged.
enum SilenceVerdict: Sendable, Equatable {
  case hostDown
  case agentDown
  case agentStuck
  case collectorOrNetwork

  /// - Parameters:
  ///   - end: how its stream ended; nil: it had none here.
  ///   - answers: whether the machine answers at its last address; nil: that is not known.
  ///   - neighboursLive: hosts of the same network that report.
  ///   - isWidespread: half of the fleet fell silent with it.
  init(end: StreamEnd?, answers: Bool?, neighboursLive: Int, isWidespread: Bool) {
    if isWidespread {
      self = .collectorOrNetwork
    } else if answers == true {
      // Its kernel closes the connections of a process that has ended; one that is stuck keeps them.
      self = end == .stands || end == .unanswered ? .agentStuck : .agentDown
    } else if end == .stands {
      self = .agentStuck
    } else if end == .byAgent {
      self = .agentDown
    } else {
      self = neighboursLive > 0 ? .hostDown : .collectorOrNetwork
    }
  }

  /// For the incident's evidence.
  var sentence: String {
    switch self {
    case .hostDown: "diagnosis: host down: it does not answer, its neighbours do"
    case .agentDown: "diagnosis: agent down: the host answers or said goodbye, its agent is not connected"
    case .agentStuck: "diagnosis: agent stuck: its connection was not closed, but nothing comes"
    case .collectorOrNetwork: "diagnosis: collector or network: others are silent too, or nothing beside it answers"
    }
  }
}

/// What has to be found out about a silent host.
struct SilenceQuestion: Sendable {
  var host: HostID
  /// Of its last stream; empty where there was none.
  var address: String
  var end: StreamEnd?
  var neighboursLive: Int
  var isWidespread: Bool
}

/// Asks silent machines whether they are there. A thread of its own: an answer may take seconds.
final class SilenceDiagnosis: Sendable {
  /// More at once is a matter of the network: then nobody is asked.
  private static let askedAtOnce = 8
  /// Any port will do: a refusal is an answer too.
  private static let port: UInt16 = 22
  private static let timeoutMs: Int32 = 1500

  enum Message: Sendable {
    case question(SilenceQuestion)
    case stop
  }

  let mailbox: Mailbox<Message>

  init() throws(LoopError) { mailbox = try Mailbox(limit: 1024) }

  func start(_ rules: Mailbox<RulesThread.Message>) throws(LoopError) -> LoopThread {
    try LoopThread("diagnosis") { [mailbox] in
      while true {
        let messages = mailbox.wait(maximumMs: 1000)
        for message in messages {
          guard case .question(let question) = message else { return }
          rules.post(.diagnosed(question.host, Self.verdict(question, isAsked: messages.count <= Self.askedAtOnce)))
        }
      }
    }
  }

  private static func verdict(_ question: SilenceQuestion, isAsked: Bool) -> SilenceVerdict {
    var answers: Bool?
    if isAsked, !question.isWidespread, !question.address.isEmpty {
      answers = Socket.answers(SocketAddress(host: question.address, port: port), timeoutMs: timeoutMs)
    }
    return SilenceVerdict(
      end: question.end, answers: answers, neighboursLive: question.neighboursLive,
      isWidespread: question.isWidespread)
  }
}
