internal import Incidents

/// States and events as SQL writes them: a word that no type has does not compile.
extension RawRepresentable where RawValue == String {
  /// A literal.
  var sql: String { "'\(rawValue)'" }
}

extension Delivery.Event {
  /// Lists for `in`.
  static let pagesSQL = "(\(trigger.sql), \(escalate.sql))"
  static let newsSQL = "(\(acknowledge.sql), \(resolve.sql))"
}
