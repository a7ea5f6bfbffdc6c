internal import FleetModel
internal import Incidents
internal import Outbound
internal import SiteConfiguration
internal import Store

/// Asks each Alertmanager among the receivers for its silences: who silences there what was paged has acknowledged it.
///
/// Confined to the dispatcher's thread.
struct SilenceWatch {
  private enum Limits {
    static let everyNs: Int64 = 30_000_000_000
    static let deadlineMs = 10_000
  }

  private var dueNs = Int64.min
  /// By the tags of their requests, which are below zero.
  private var asked: [Int: String] = [:]
  private var nextTag = -1
  private var answers: [String: Result<OutboundAnswer, OutboundError>] = [:]
  /// What was last wrong with a receiver's answers.
  private var problems: [String: String] = [:]

  /// - Returns: requests that are due, with their tags.
  mutating func due(_ configuration: PagingConfiguration, monotonicNs: Int64) -> [(tag: Int, request: HTTPRequest)] {
    guard monotonicNs >= dueNs, asked.isEmpty else { return [] }
    dueNs = monotonicNs + Limits.everyNs
    var requests: [(tag: Int, request: HTTPRequest)] = []
    for (name, receiver) in configuration.receivers.sorted(by: { $0.key < $1.key }) {
      guard case .alertmanager(let url) = receiver else { continue }
      var request = HTTPRequest(method: "GET", url: Message.alertmanagerAddress(url, "silences"))
      request.answerBytesMax = AlertmanagerSilence.answerBytesMax
      asked[nextTag] = name
      requests.append((nextTag, request))
      nextTag -= 1
    }
    return requests
  }

  static var deadlineMs: Int { Limits.deadlineMs }

  /// - Returns: whether the request was one of these.
  mutating func received(_ tag: Int, _ result: Result<OutboundAnswer, OutboundError>) -> Bool {
    guard let receiver = asked.removeValue(forKey: tag) else { return false }
    answers[receiver] = result
    return true
  }

  /// Carries out what the answers say.
  /// - Returns: how many were not understood, and sentences for the log: one when a receiver's answers begin to be wrong in another way.
  mutating func apply(_ store: Store, nowNs: Int64) throws(StoreError) -> (failures: Int, sentences: [String]) {
    var failures = 0
    var sentences: [String] = []
    while let (receiver, result) = answers.first {
      // Asked for again where the database refuses what follows from it.
      answers[receiver] = nil
      let problem: String?
      if let reading = Self.reading(result) {
        try Self.carryOut(reading, of: receiver, store, nowNs)
        failures += reading.notUnderstood
        problem =
          reading.notUnderstood == 0
          ? nil
          : "\(reading.notUnderstood) silences of \(receiver) are not understood: acknowledge what they silence here"
      } else {
        failures += 1
        problem = "the silences of \(receiver) cannot be read: \(Self.reason(result))"
      }
      if let problem, problems[receiver] != problem { sentences.append(problem) }
      problems[receiver] = problem
    }
    return (failures, sentences)
  }

  private static func reading(_ result: Result<OutboundAnswer, OutboundError>) -> AlertmanagerSilence.Reading? {
    guard case .success(let answer) = result, answer.code == 200, !answer.isCut else { return nil }
    return AlertmanagerSilence.read(answer.body)
  }

  private static func reason(_ result: Result<OutboundAnswer, OutboundError>) -> String {
    switch result {
    case .failure(let error): error.message
    case .success(let answer) where answer.isCut:
      "the answer is longer than \(AlertmanagerSilence.answerBytesMax >> 20) MiB"
    case .success(let answer) where answer.code != 200: "it answers HTTP \(answer.code)"
    case .success: "the answer is no list of silences"
    }
  }

  private static func carryOut(
    _ reading: AlertmanagerSilence.Reading, of receiver: String, _ store: Store, _ nowNs: Int64
  ) throws(StoreError) {
    try store.noteEndedSilences(of: receiver, active: reading.activeIDs, nowNs: nowNs)
    if reading.active.isEmpty { return }
    for incident in try store.alertedIncidents(of: receiver) {
      let labels = Message.alertLabels(
        rule: incident.rule, severity: incident.severity, hostName: incident.hostName, entity: incident.entity)
      guard let silence = reading.active.first(where: { !incident.silencedBy.contains($0.id) && $0.matches(labels) })
      else { continue }
      let comment = silence.comment.isEmpty ? "" : ": \(silence.comment)"
      try store.acknowledge(
        incident.number, bySilence: silence.id, of: receiver, author: silence.author,
        through: "by a silence in Alertmanager (\(receiver))\(comment)", nowNs: nowNs)
    }
  }
}
