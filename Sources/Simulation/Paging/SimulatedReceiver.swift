internal import FleetModel
internal import Incidents
internal import Paging

/// Where pages go: takes messages, refuses them, is late, or takes one and hangs up.
final class SimulatedReceiver {
  enum Kind: CaseIterable {
    /// Keeps one alert for each key, as PagerDuty and Alertmanager do.
    case keyed
    /// People read it.
    case people
    /// A program that takes what it is sent.
    case program
  }

  /// One message that was taken.
  struct Take {
    let atNs: Int64
    let begunNs: Int64
    let id: String
    let sender: Sender
    let delivery: Delivery
    let key: String
    /// When its sender had the answer; nil where it was lost.
    var answeredNs: Int64?
  }

  let name: String
  let kind: Kind
  private(set) var taken: [Take] = []
  /// Keys of incidents of whose pages it refused one.
  private(set) var refused: Set<String> = []
  /// Alerts that are open, by key: keys of the incidents that their messages named.
  private(set) var open: [String: Set<String>] = [:]

  init(name: String, kind: Kind) {
    self.name = name
    self.kind = kind
  }

  /// - Returns: the number of the take.
  func take(_ delivery: Delivery, from sender: Sender, begunNs: Int64, nowNs: Int64) -> Int {
    let message = Message(delivery, nowNs: nowNs)
    let key = message.dedupKey
    taken.append(
      Take(atNs: nowNs, begunNs: begunNs, id: delivery.messageID, sender: sender, delivery: delivery, key: key))
    if kind == .keyed, let action = message.alertAction {
      switch action {
      case .trigger, .acknowledge:
        // An alert that is not open is not opened by an acknowledgement.
        if action == .trigger || open[key] != nil {
          open[key, default: []].formUnion(delivery.incidents.map(\.dedupKey))
        }
      case .resolve: open[key] = nil
      }
    }
    return taken.count - 1
  }

  func refuse(_ delivery: Delivery) { refused.formUnion(delivery.incidents.map(\.dedupKey)) }

  func answered(_ take: Int, _ nowNs: Int64) { taken[take].answeredNs = nowNs }
}

/// Who sends: one process of a collector, from its memory or from the outbox.
struct Sender: Hashable {
  var collector: Int
  var process: Int
  var isMemory: Bool

  var text: String { "collector \(collector).\(process)\(isMemory ? " from memory" : "")" }
}
