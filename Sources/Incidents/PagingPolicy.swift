package import FleetModel

/// One step of an incident's policy: who is paged, and when, unless the incident is acknowledged before.
package struct PlannedDelivery: Sendable, Equatable {
  package var receiver: String
  /// ns since 1970.
  package var dueNs: Int64
  /// 0 is the first page; each later one is an escalation.
  package var step: Int16
  /// Goes out with others of its kind in one message.
  package var isDigest: Bool
  /// Due later than the incident begins: somebody else did not react.
  package var isEscalation: Bool

  package init(
    receiver: String, dueNs: Int64, step: Int16 = 0, isDigest: Bool = false, isEscalation: Bool? = nil
  ) {
    self.receiver = receiver
    self.dueNs = dueNs
    self.step = step
    self.isDigest = isDigest
    self.isEscalation = isEscalation ?? (step > 0)
  }

  package var event: Delivery.Event { isEscalation ? .escalate : .trigger }
}

/// Who is paged, when, in how many messages, and what happens where a receiver does not take one.
///
/// The one place for these decisions: the database's claim of what is due asks it, and so does whoever pages from memory while the
/// database is away. Pure: time is a parameter.
package struct PagingPolicy: Sendable {
  /// All steps of an incident that begins at a time, ns since 1970. Pure.
  package var deliveries: @Sendable (_ severity: Severity, _ nowNs: Int64) -> [PlannedDelivery]
  /// Paged as well where a receiver refuses, or has failed `attemptsBeforeFallback` times.
  package var fallback: String?
  /// Messages to one receiver within a minute; what is more becomes one message with a list.
  package var messagesPerMinute: Int
  /// Receivers that people read, such as a chat or a mailbox: the ends of incidents count as messages there. Elsewhere a program keeps
  /// one alert for each incident, and each alert needs its own end.
  package var readByPeople: Set<String>

  package static let attemptsBeforeFallback = 3

  package init(
    fallback: String? = nil, messagesPerMinute: Int = 5, readByPeople: Set<String> = [],
    deliveries: @escaping @Sendable (_ severity: Severity, _ nowNs: Int64) -> [PlannedDelivery]
  ) {
    self.deliveries = deliveries
    self.fallback = fallback
    self.messagesPerMinute = messagesPerMinute
    self.readByPeople = readByPeople
  }

  /// Incidents are kept and shown, and not paged.
  package static let none = PagingPolicy { _, _ in [] }
}

// MARK: What goes out now

/// A delivery that is due.
package struct DueDelivery<ID: Sendable & Equatable>: Sendable, Equatable {
  package var id: ID
  package var event: Delivery.Event
  package var isDigest: Bool
  /// It was sent before, without an answer: the receiver may have it.
  package var isBegun: Bool
  /// The list with which it was sent before, without an answer.
  package var bundle: String?
  /// The list in which the receiver learned of the incident, where this is about that list. nil: the receiver knows the incident by
  /// itself, or not at all.
  package var list: String?

  package init(
    id: ID, event: Delivery.Event, isDigest: Bool = false, isBegun: Bool = false, bundle: String? = nil,
    list: String? = nil
  ) {
    self.id = id
    self.event = event
    self.isDigest = isDigest
    self.isBegun = isBegun
    self.bundle = bundle
    self.list = list
  }
}

/// What a receiver was sent lately, and what it has not answered.
package struct ReceiverLoad: Sendable, Equatable {
  /// Messages without an answer.
  package var unanswered = 0
  /// Messages that count against the limit and were delivered within the last minute.
  package var delivered = 0
  /// Messages that count against it, were begun and are not delivered: each is sent again by itself.
  package var begun = 0
  /// When the last of them was delivered, ns since 1970.
  package var lastNs = Int64.min
  /// A list of pages was among them.
  package var isStorm = false
  /// The receiver asked not to be sent anything before this, ns since 1970.
  package var closedUntilNs = Int64.min

  package init() {}
}

/// One message that is to be sent now.
package enum Outgoing<ID: Sendable & Equatable>: Sendable, Equatable {
  case single(ID)
  /// The same list again, under the same id.
  case again(bundle: String)
  /// A new list; `about` is the list that its incidents were first named in, where it is news of those.
  case list([ID], about: String?)
}

extension PagingPolicy {
  /// How a delivery goes out; the order is that in which they go.
  private enum Kind: CaseIterable {
    /// What was sent before, without an answer: again as it was, under its id. In another message it would be another alert.
    case again
    /// A test, or the watchdog.
    case unlimited
    /// Before any news: what has ended can wait, what has begun cannot.
    case page
    /// An end or an acknowledgement of an incident that the receiver knows by itself.
    case news
    /// The same of incidents that it learned of in a list.
    case listNews
    case digest

    init(_ due: DueDelivery<some Sendable>) {
      self =
        if due.bundle != nil || due.isBegun {
          .again
        } else if due.event.isRoutine {
          .unlimited
        } else if due.isDigest {
          .digest
        } else if due.event.isPage {
          .page
        } else if due.list != nil {
          .listNews
        } else {
          .news
        }
    }
  }

  /// What is sent to a receiver now, of what is due for it.
  ///
  /// At most `IncidentLimits.inFlightMax` messages are without an answer. Above `messagesPerMinute`, what waits becomes one message with a
  /// list, at the latest `IncidentLimits.bundleNs` after the last message: a limit delays no page for long, and hides none.
  /// Once a list of pages went out, more of them follow in lists. One delivery alone is never a list, and what got no answer is
  /// sent again as it was.
  /// - Parameter due: in the order in which they are to go out.
  package func messages<ID>(
    _ due: [DueDelivery<ID>], to receiver: String, load: ReceiverLoad, nowNs: Int64
  ) -> [Outgoing<ID>] {
    guard load.closedUntilNs <= nowNs else { return [] }
    var turn = Turn(load, messagesPerMinute, nowNs)
    let kinds = Dictionary(grouping: due, by: Kind.init)
    var messages: [Outgoing<ID>] = []
    for kind in Kind.allCases {
      guard let due = kinds[kind] else { continue }
      switch kind {
      case .again:
        for bundle in due.compactMap(\.bundle).distinct where turn.takes(limited: false) {
          messages.append(.again(bundle: bundle))
        }
        for one in due where one.bundle == nil && turn.takes(limited: false) { messages.append(.single(one.id)) }
      case .news where !readByPeople.contains(receiver), .unlimited:
        for one in due where turn.takes(limited: false) { messages.append(.single(one.id)) }
      case .page, .news:
        messages += turn.singlesOrList(due)
      case .listNews:
        for list in due.compactMap(\.list).distinct {
          let ids = due.filter { $0.list == list }.map(\.id)
          if turn.takesList() { messages.append(.list(ids, about: list)) }
        }
      case .digest: if turn.takesList() { messages.append(.list(due.map(\.id), about: nil)) }
      }
    }
    return messages
  }

  /// Whether a message counts against the limit of its receiver.
  package func counts(_ delivery: Delivery) -> Bool {
    delivery.isList || delivery.event.isPage || !delivery.event.isRoutine && readByPeople.contains(delivery.receiver)
  }

  /// What may still go out in this turn.
  private struct Turn {
    private var slots: Int
    private var left: Int
    /// Above the limit, one list may go out.
    private var mayBundle: Bool

    init(_ load: ReceiverLoad, _ messagesPerMinute: Int, _ nowNs: Int64) {
      slots = IncidentLimits.inFlightMax - load.unanswered
      left = load.isStorm ? 0 : messagesPerMinute - load.delivered - max(load.unanswered, load.begun)
      mayBundle = load.unanswered == 0 && nowNs.subtractingClamped(load.lastNs) >= IncidentLimits.bundleNs
    }

    /// - Parameter limited: it counts against the messages a minute.
    mutating func takes(limited: Bool) -> Bool {
      guard slots > 0, !limited || left > 0 || mayBundle else { return false }
      slots -= 1
      guard limited else { return true }
      if left <= 0 { mayBundle = false }
      left -= 1
      return true
    }

    mutating func takesList() -> Bool { takes(limited: true) }

    /// As many singles as are left, or all of them as one list: never a part of them by themselves.
    mutating func singlesOrList<ID>(_ due: [DueDelivery<ID>]) -> [Outgoing<ID>] {
      if due.count > left, due.count > 1 { return takesList() ? [.list(due.map(\.id), about: nil)] : [] }
      return due.prefix { _ in takes(limited: true) }.map { .single($0.id) }
    }
  }
}

// MARK: Fallback

extension PagingPolicy {
  /// Who is paged in place of a receiver after an attempt; nil for none.
  /// - Parameter attempts: of this delivery, this one included.
  package func fallback(
    for receiver: String, _ event: Delivery.Event, after outcome: DeliveryOutcome, attempts: Int
  ) -> String? {
    guard let fallback, fallback != receiver, event != .test else { return nil }
    switch outcome {
    case .delivered: return nil
    case .refused: return fallback
    // Somebody has it.
    case .partial: return nil
    case .retry: return attempts == Self.attemptsBeforeFallback ? fallback : nil
    }
  }
}

extension Array where Element: Hashable {
  /// Each element once, in the order of its first place.
  fileprivate var distinct: [Element] {
    var known: Set<Element> = []
    return filter { known.insert($0).inserted }
  }
}
