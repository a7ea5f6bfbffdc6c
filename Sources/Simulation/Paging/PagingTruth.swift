internal import FleetModel
internal import Incidents
internal import SiteConfiguration

/// Checks the messages that receivers accepted.
struct PagingTruth {
  private let world: PagingWorld

  init(_ world: PagingWorld) { self.world = world }

  private func receiver(_ name: String) -> SimulatedReceiver? { world.receivers[name] }

  // MARK: At each message

  /// Checks the last message that a receiver accepted. - Returns: what is wrong; nil for nothing.
  func fault(of receiver: SimulatedReceiver) -> String? {
    guard let last = receiver.taken.last else { return nil }
    for other in receiver.taken.dropLast() where other.id == last.id {
      // An attempt may arrive after one that was begun later.
      let (earlier, later) = other.begunNs <= last.begunNs ? (other, last) : (last, other)
      if isAllowedRepeat(earlier, later) { continue }
      return "\(receiver.name) has taken \(last.id) twice: from \(earlier.sender.text) and from \(later.sender.text)"
    }
    let recent = receiver.taken.filter { $0.sender == last.sender && $0.atNs > last.atNs - 60 * .second }
    // Above the limit there may be a list each 25 s, and retries of messages that were begun before.
    let limit = world.configuration.messagesPerMinute + 3
    let counted = recent.filter {
      $0.answeredNs != nil && $0.delivery.attempts == 1 && ($0.delivery.event.isPage || receiver.kind == .people)
    }
    if counted.count > limit { return "\(receiver.name) has taken \(counted.count) messages within a minute" }
    return nil
  }

  /// Whether a message may be sent a second time, because the second sender could not know of the first delivery: the
  /// answer was lost, or its sender was killed, stopped, or without the database for longer than the rows are reserved.
  private func isAllowedRepeat(_ earlier: SimulatedReceiver.Take, _ later: SimulatedReceiver.Take) -> Bool {
    guard let answeredNs = earlier.answeredNs, world.isAlive(earlier.sender) else { return true }
    let collector = world.collectors[earlier.sender.collector]
    if earlier.sender == later.sender { return false }
    // A finding was posted again after a kill while the database was away: neither the new process nor another
    // collector can know what was sent before.
    if earlier.sender.isMemory || later.sender.isMemory,
      later.delivery.incidents.contains(where: { world.source.isPostedAgain($0.dedupKey) })
    {
      return true
    }
    // A stopped process records nothing.
    if collector.stops.contains(where: {
      $0.upperBound > earlier.begunNs && $0.lowerBound < later.begunNs + .second && $0.count > 3 * .second
    }) {
      return true
    }
    // A process that pages from memory has no answer of the database and cannot know what another one has sent since.
    let last = world.collectors[later.sender.collector]
    if later.sender.isMemory, last.number != collector.number,
      last.lastAnswerNs < answeredNs || last.absences.contains(where: { $0.contains(earlier.begunNs) })
    {
      return true
    }
    // Rows are reserved for memory for 20 s after they were written.
    let isCutOff =
      collector.lastAnswerNs < answeredNs
      || collector.absences.contains { $0.contains(answeredNs) && later.begunNs - $0.upperBound < .second }
    if earlier.sender.isMemory, isCutOff,
      later.begunNs - min(earlier.begunNs, collector.lastAnswerNs) > 18 * .second
    {
      return true
    }
    // The rows were reserved by a process that was killed, and its successor has not reported yet.
    if earlier.sender.isMemory, collector.process > 1, later.begunNs - collector.startedNs < 25 * .second {
      return true
    }
    // A process that starts while the database is away cannot extend claims by the length of the absence.
    if later.begunNs - world.databaseBackNs < 5 * .second,
      world.collectors[later.sender.collector].startedNs > answeredNs
    {
      return true
    }
    // The lease moved before the answer could be settled: a lease ends after 10 s, of which 3 s may have passed.
    let lastNs = earlier.sender.isMemory ? max(answeredNs, collector.lastAnswerNs) : collector.lastAnswerNs
    if !earlier.sender.isMemory, !later.sender.isMemory,
      max(answeredNs, world.databaseBackNs) > later.begunNs - 5 * .second || collector.lastAnswerNs < answeredNs
    {
      return true
    }
    return later.begunNs - lastNs > (earlier.sender.isMemory ? 15 : 6) * .second
  }

  // MARK: In the end

  private func names(_ take: SimulatedReceiver.Take, _ opening: ChangeSource.Opening) -> Bool {
    // A reopened incident keeps its first key.
    let prefix = "\(opening.change.rule)|\(opening.change.hostName)|\(opening.change.entity)|"
    return take.delivery.incidents.contains { $0.dedupKey.hasPrefix(prefix) }
  }

  /// Checks that every open incident is paged, and its alert open at the receivers that were paged.
  var faultWhileOpen: String? {
    for opening in world.source.openings {
      if let fault = unpaged(opening) { return fault }
      guard opening.endedNs == nil, !world.isMuted(opening.change.entity) else { continue }
      guard let incident = world.outbox.incidents.last(where: { $0.identity == opening.change.identity }) else {
        return "no incident: \(opening.change.dedupKey)"
      }
      if incident.state == .resolved { return "over, and goes on: \(opening.change.dedupKey)" }
      if incident.state == .open, !isTaken(opening, by: "lead", event: .escalate) {
        return "nobody was paged after the first: \(opening.change.dedupKey)"
      }
      for receiver in world.receivers.values where receiver.kind == .keyed {
        let rows = world.outbox.rows.filter { $0.incident == incident.number && $0.event.isPage }
        let newest = rows.map(\.change).max()
        let hasPage = rows.contains { $0.receiver == receiver.name && $0.state == .delivered && $0.change == newest }
        let isOpen = receiver.open.values.contains {
          $0.contains(incident.dedupKey) || $0.contains(opening.change.dedupKey)
        }
        if hasPage, !isOpen { return "\(receiver.name) has ended what goes on: \(opening.change.dedupKey)" }
      }
    }
    return nil
  }

  private func unpaged(_ opening: ChangeSource.Opening) -> String? {
    if world.isMuted(opening.change.entity) || isTaken(opening, by: "duty", event: nil) { return nil }
    // The fallback was sent the end before its page was due, so that the page was superseded.
    let isOver = world.outbox.rows.contains {
      $0.receiver == world.configuration.fallback && $0.event.isPage && $0.state == .superseded
        && world.outbox.incidents[Int($0.incident) - 1].identity == opening.change.identity
    }
    if isOver, opening.endedNs != nil { return nil }
    return "nobody was paged: \(opening.change.dedupKey)"
  }

  private func isTaken(_ opening: ChangeSource.Opening, by name: String, event: Delivery.Event?) -> Bool {
    let names = [name, world.configuration.fallback].compactMap { $0 }
    let keys = [
      opening.change.dedupKey, world.outbox.incidents.last { $0.identity == opening.change.identity }?.dedupKey,
    ]
    return names.allSatisfy { name in keys.contains { receiver(name)?.refused.contains($0 ?? "") ?? false } }
      || names.compactMap(receiver).contains { receiver in
        receiver.taken.contains {
          $0.delivery.event.isPage && (event == nil || $0.delivery.isList || $0.delivery.event == event)
            && self.names($0, opening) && $0.atNs >= opening.postedNs
        }
      }
  }

  /// Checks, after all incidents have ended, that no alert is open and that people were sent the ends.
  var faultAtEnd: String? {
    for opening in world.source.openings {
      if let fault = unpaged(opening) { return fault }
    }
    for receiver in world.receivers.values.sorted(by: { $0.name < $1.name }) {
      switch receiver.kind {
      case .keyed:
        if let key = receiver.open.keys.min() { return "\(receiver.name) is left open: \(key)" }
      case .people, .program:
        for opening in world.source.openings {
          guard receiver.taken.contains(where: { $0.delivery.event.isPage && names($0, opening) }),
            let last = receiver.taken.last(where: { $0.delivery.event != .acknowledge && names($0, opening) })
          else { continue }
          let isOver =
            last.delivery.event == .resolve
            || last.delivery.incidents.allSatisfy { $0.state == .resolved }
          if !isOver { return "\(receiver.name) has not learned of the end: \(opening.change.dedupKey)" }
        }
      }
    }
    return nil
  }
}
