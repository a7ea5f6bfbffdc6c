internal import FleetModel
internal import Incidents
internal import Paging

/// A receiver of pages: accepts messages, refuses them, answers late, or accepts one and hangs up.
final class SimulatedReceiver {
  enum Kind: CaseIterable {
    /// Keeps one alert for each key, as PagerDuty and Alertmanager do.
    case keyed
    /// A channel that people read.
    case people
    /// A program that accepts every message.
    case program
  }

  /// One accepted message.
  struct Take {
    let atNs: Int64
    let begunNs: Int64
    let id: String
    let sender: Sender
    let delivery: Delivery
    let key: String
    /// When its sender received the answer; nil where it was lost.
    var answeredNs: Int64?
  }

  let name: String
  let kind: Kind
  private(set) var taken: [Take] = []
  /// Keys of incidents of which it refused a page.
  private(set) var refused: Set<String> = []
  /// Open alerts by key, with the keys of the incidents that their messages named.
  private(set) var open: [String: Set<String>] = [:]

  init(name: String, kind: Kind) {
    self.name = name
    self.kind = kind
  }

  /// - Returns: index of the accepted message.
  func take(_ delivery: Delivery, from sender: Sender, begunNs: Int64, nowNs: Int64) -> Int {
    let message = Message(delivery, nowNs: nowNs)
    let key = message.dedupKey
    taken.append(
      Take(atNs: nowNs, begunNs: begunNs, id: delivery.messageID, sender: sender, delivery: delivery, key: key))
    if kind == .keyed, let action = message.alertAction {
      switch action {
      case .trigger, .acknowledge:
        // An acknowledgement does not open an alert.
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

/// A sender: one process of a collector, from memory or from the outbox.
struct Sender: Hashable {
  var collector: Int
  var process: Int
  var isMemory: Bool

  var text: String { "collector \(collector).\(process)\(isMemory ? " from memory" : "")" }
}
