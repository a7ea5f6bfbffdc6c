package import FleetModel

/// One step of an incident's policy: the receiver, and when it is paged unless the incident is acknowledged before.
package struct PlannedDelivery: Sendable, Equatable {
  package var receiver: String
  /// ns since 1970.
  package var dueNs: Int64
  /// 0 is the first step.
  package var step: Int16
  /// Sent with the other rows of the digest in one message.
  package var isDigest: Bool
  /// Due later than the incident begins, because no earlier step was acknowledged.
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

/// Decides which receivers are paged, when, in how many messages, and when the fallback is paged.
///
/// The only implementation of these decisions: `Store.claimDeliveries` asks it, and `Handover` while the database is
/// away. Pure: time is a parameter.
package struct PagingPolicy: Sendable {
  /// All steps of an incident that begins at `nowNs`, ns since 1970.
  package var deliveries: @Sendable (_ severity: Severity, _ nowNs: Int64) -> [PlannedDelivery]
  /// The receiver that is paged as well after a refusal or `attemptsBeforeFallback` failed attempts; nil for none.
  package var fallback: String?
  /// Messages to one receiver within a minute; further deliveries are sent as a list.
  package var messagesPerMinute: Int
  /// Receivers that people read, such as a chat or a mailbox: news counts against the limit there. Elsewhere a program
  /// keeps one alert an incident, each of which needs its own end, so that news is not limited.
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

  /// No receivers: incidents are stored and shown, and not paged.
  package static let none = PagingPolicy { _, _ in [] }
}

// MARK: Messages that are due

/// A delivery that is due.
package struct DueDelivery<ID: Sendable & Equatable>: Sendable, Equatable {
  package var id: ID
  package var event: Delivery.Event
  package var isDigest: Bool
  /// An attempt was begun and has no answer: the receiver may have it.
  package var isBegun: Bool
  /// The list that such an attempt was part of.
  package var bundle: String?
  /// The list that paged the incident at this receiver, where this is news of that list. nil: it was paged by itself,
  /// or not at all.
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

/// A receiver's messages of the last minute, and those without an answer.
package struct ReceiverLoad: Sendable, Equatable {
  /// Messages without an answer.
  package var unanswered = 0
  /// Messages delivered within the last minute that count against the limit.
  package var delivered = 0
  /// Messages begun and not delivered that count against it: each is tried again by itself.
  package var begun = 0
  /// When the last delivered one was delivered, ns since 1970.
  package var lastNs = Int64.min
  /// A list of pages was among the delivered ones.
  package var isStorm = false
  /// The receiver asked for a pause until this, ns since 1970.
  package var closedUntilNs = Int64.min

  package init() {}
}

/// One message to be sent now.
package enum Outgoing<ID: Sendable & Equatable>: Sendable, Equatable {
  case single(ID)
  /// A list that was sent before without an answer, under the same id.
  case again(bundle: String)
  /// A new list; `about` is the list that paged its incidents, where this is news of that list.
  case list([ID], about: String?)
}

extension PagingPolicy {
  /// How a delivery is sent. The cases stand in the order of sending.
  private enum Kind: CaseIterable {
    /// Begun before, without an answer: sent again unchanged under its id. In another message it would open a second
    /// alert.
    case again
    /// A test, or the watchdog.
    case unlimited
    /// Pages precede news: an end may be late, a beginning may not.
    case page
    /// An end or an acknowledgement of an incident that was paged by itself.
    case news
    /// An end or an acknowledgement of incidents that were paged in a list.
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

  /// Which messages are sent to a receiver now, of the deliveries that are due.
  ///
  /// At most `IncidentLimits.inFlightMax` messages are without an answer. Above `messagesPerMinute`, all waiting
  /// deliveries are sent as one list, at the latest `IncidentLimits.bundleNs` after the last message, so that the limit
  /// delays pages by that at most and drops none. After a list of pages, further pages follow in lists. One delivery
  /// alone is never a list. A message without an answer is sent again unchanged.
  /// - Parameter due: in the order of sending.
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

  /// The messages that may still be sent in this call.
  private struct Turn {
    private var slots: Int
    private var left: Int
    /// Above the limit, one list may be sent.
    private var mayBundle: Bool

    init(_ load: ReceiverLoad, _ messagesPerMinute: Int, _ nowNs: Int64) {
      slots = IncidentLimits.inFlightMax - load.unanswered
      left = load.isStorm ? 0 : messagesPerMinute - load.delivered - max(load.unanswered, load.begun)
      mayBundle = load.unanswered == 0 && nowNs.subtractingClamped(load.lastNs) >= IncidentLimits.bundleNs
    }

    /// - Parameter limited: it counts against `messagesPerMinute`.
    mutating func takes(limited: Bool) -> Bool {
      guard slots > 0, !limited || left > 0 || mayBundle else { return false }
      slots -= 1
      guard limited else { return true }
      if left <= 0 { mayBundle = false }
      left -= 1
      return true
    }

    mutating func takesList() -> Bool { takes(limited: true) }

    /// Single messages where the limit allows all of them, else one list of all: never some of them singly.
    mutating func singlesOrList<ID>(_ due: [DueDelivery<ID>]) -> [Outgoing<ID>] {
      if due.count > left, due.count > 1 { return takesList() ? [.list(due.map(\.id), about: nil)] : [] }
      return due.prefix { _ in takes(limited: true) }.map { .single($0.id) }
    }
  }
}

// MARK: Fallback

extension PagingPolicy {
  /// The receiver that is paged as well after an attempt; nil for none.
  /// - Parameter attempts: attempts of this delivery, this one included.
  package func fallback(
    for receiver: String, _ event: Delivery.Event, after outcome: DeliveryOutcome, attempts: Int
  ) -> String? {
    guard let fallback, fallback != receiver, event != .test else { return nil }
    switch outcome {
    case .delivered: return nil
    case .refused: return fallback
    // At least one address has it.
    case .partial: return nil
    case .retry: return attempts == Self.attemptsBeforeFallback ? fallback : nil
    }
  }
}

extension Array where Element: Hashable {
  /// Each element once, in the order of first occurrence.
  fileprivate var distinct: [Element] {
    var known: Set<Element> = []
    return filter { known.insert($0).inserted }
  }
}
