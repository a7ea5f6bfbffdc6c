package import Incidents

/// States and events as SQL literals, so that a statement with a word that no type has does not compile.
extension RawRepresentable where RawValue == String {
  /// An SQL literal.
  var sql: String { "'\(rawValue)'" }
}

extension Delivery.Event {
  /// Lists for `in`.
  static let pagesSQL = "(\(trigger.sql), \(escalate.sql))"
  static let newsSQL = "(\(acknowledge.sql), \(resolve.sql))"
}

extension DeliveryState {
  /// An SQL condition: `DeliveryState.mayHaveBeenReceived` of two columns.
  package static func mayHaveBeenReceivedSQL(state: String, attempts: String) -> String {
    "("
      + allCases.compactMap { one in
        one.receivedFromAttempts.map { "\(state) = \(one.sql) and \(attempts) >= \($0)" }
      }.joined(separator: " or ") + ")"
  }
}
