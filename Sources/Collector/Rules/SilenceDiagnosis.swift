internal import EventLoop
internal import FleetModel

/// Why a host does not report. It concerns the host only: that a host cannot be reached does not mean that its runs
/// have ended.
enum SilenceVerdict: Sendable, Equatable {
  case hostDown
  case agentDown
  case agentStuck
  case collectorOrNetwork

  /// - Parameters:
  ///   - end: how its last stream ended; nil: it had none here.
  ///   - answers: whether the machine answers at its last address; nil: unknown.
  ///   - neighboursLive: hosts of the same network that report.
  ///   - isWidespread: half of the fleet fell silent together with it.
  init(end: StreamEnd?, answers: Bool?, neighboursLive: Int, isWidespread: Bool) {
    if isWidespread {
      self = .collectorOrNetwork
    } else if answers == true {
      // The kernel closes the connections of a process that has ended, and keeps those of one that is stuck.
      self = end == .stands || end == .unanswered ? .agentStuck : .agentDown
    } else if end == .stands {
      self = .agentStuck
    } else if end == .byAgent {
      self = .agentDown
    } else {
      self = neighboursLive > 0 ? .hostDown : .collectorOrNetwork
    }
  }

  /// A line of the incident's evidence.
  var sentence: String {
    switch self {
    case .hostDown: "diagnosis: host down: it does not answer, its neighbours do"
    case .agentDown: "diagnosis: agent down: the host answers or said goodbye, its agent is not connected"
    case .agentStuck: "diagnosis: agent stuck: its connection was not closed, but nothing comes"
    case .collectorOrNetwork: "diagnosis: collector or network: others are silent too, or nothing beside it answers"
    }
  }
}

/// The input of a diagnosis of a silent host.
struct SilenceQuestion: Sendable {
  var host: HostID
  /// Remote address of its last stream; empty where there was none.
  var address: String
  var end: StreamEnd?
  var neighboursLive: Int
  var isWidespread: Bool
}

/// Checks by a TCP connection whether silent machines answer. On a thread of its own, because an answer may take
/// seconds.
final class SilenceDiagnosis: Sendable {
  /// With more silent hosts at once the cause is in the network, and none is checked.
  private static let checkedAtOnce = 8
  /// Any port serves: a refusal is an answer as well.
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
          rules.post(.diagnosed(question.host, Self.verdict(question, isChecked: messages.count <= Self.checkedAtOnce)))
        }
      }
    }
  }

  private static func verdict(_ question: SilenceQuestion, isChecked: Bool) -> SilenceVerdict {
    var answers: Bool?
    if isChecked, !question.isWidespread, !question.address.isEmpty {
      answers = Socket.answers(SocketAddress(host: question.address, port: port), timeoutMs: timeoutMs)
    }
    return SilenceVerdict(
      end: question.end, answers: answers, neighboursLive: question.neighboursLive,
      isWidespread: question.isWidespread)
  }
}
