internal import FleetModel
internal import Incidents
package import Outbound
internal import SiteConfiguration

/// Carries out the sends of `Handover` and returns their outcomes to it as events. Confined to one thread.
package final class MemoryPager {
  private static let answerMs = 10_000

  private let transfers: Transfers
  /// 0…1, for the jitter between attempts.
  private let chance: () -> Double
  private var sent: [Int: (receiver: Receiver, delivery: Delivery)] = [:]
  /// Outcomes for the next turn.
  private var events: [Handover.Event] = []
  package private(set) var handover: Handover

  package init(_ handover: Handover, chance: @escaping () -> Double) throws(OutboundError) {
    self.handover = handover
    self.chance = chance
    transfers = try Transfers()
  }

  /// Waits for answers of receivers, for the descriptors, or for the time to pass.
  package func wait(maximumMs: Int, descriptors: [Int32], nowNs: () -> Int64) {
    for (tag, result) in transfers.work(waitMs: maximumMs, descriptors: descriptors) {
      guard let (receiver, delivery) = sent.removeValue(forKey: tag) else { continue }
      let nowNs = nowNs()
      let outcome = RetryRule.outcome(
        result, receiver: receiver, attempts: delivery.attempts, nowNs: nowNs, chance: chance(),
        isReached: !delivery.reached.isEmpty)
      events.append(
        .answered(
          tag: tag, outcome, closedUntilNs: RetryRule.closedUntilNs(result, receiver, nowNs: nowNs)))
    }
  }

  /// One turn of the state machine.
  /// - Parameter carryOut: carries out all actions but `send`, in order. A `keep` must be on disk when it returns,
  ///   because messages are sent afterwards.
  package func turn(
    _ events: [Handover.Event] = [], at now: Handover.Moment, _ carryOut: (Handover.Action) -> Void = { _ in }
  ) {
    let answers = self.events
    self.events = []
    for action in handover.turn(answers + events, at: now) {
      if case .send(let tag, let delivery) = action { send(tag, delivery, now.wallNs) } else { carryOut(action) }
    }
  }

  private func send(_ tag: Int, _ delivery: Delivery, _ nowNs: Int64) {
    let configuration = handover.configuration
    guard let receiver = configuration.receivers[delivery.receiver] else {
      return events.append(.notBegun(tag: tag))
    }
    guard let request = Message(delivery, nowNs: nowNs, console: configuration.console).request(to: receiver) else {
      return events.append(
        .answered(tag: tag, .delivered(answer: Delivery.nothingToSend), closedUntilNs: nil))
    }
    do throws(OutboundError) {
      try transfers.begin(request, tag: tag, deadlineMs: Self.answerMs)
      sent[tag] = (receiver, delivery)
    } catch {
      events.append(.notBegun(tag: tag))
    }
  }
}
