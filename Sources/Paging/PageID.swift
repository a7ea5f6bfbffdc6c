internal import FleetModel
package import Incidents
internal import TLS

/// Ids of messages about incidents. The store computes the same in SQL (`Store.messageID`), so that a page that was
/// sent from memory has the id of the row that is written later.
package enum PageID {
  /// - Parameters:
  ///   - change: number of the incident's change of state; 1 is its beginning.
  ///   - step: of the policy; 0 for the first step and for news.
  package static func of(
    dedupKey: String, change: Int, event: Delivery.Event, receiver: String, step: Int16
  ) -> String {
    let text = "\(dedupKey)|\(change)|\(event.rawValue)|\(receiver)|\(step)"
    return prefix + Hex.text(Array(Digest.sha256(Array(text.utf8)).prefix(16)))
  }

  private static let prefix = "msg_"

  package static func isOne(_ text: String) -> Bool { text.hasPrefix(prefix) }
}
