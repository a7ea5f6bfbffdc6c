internal import FleetModel

/// An address within the console with its parameters, of which a link changes one and keeps the others.
struct Address: Sendable {
  let path: String
  /// In the order in which they are written.
  private(set) var values: [(name: String, value: String)]

  /// - Parameter values: those that are nil or empty are left out.
  init(_ path: String, _ values: [(String, String?)] = []) {
    self.path = path
    self.values = values.compactMap { name, value in
      value.flatMap { $0.isEmpty ? nil : (name: name, value: $0) }
    }
  }

  /// The same with one parameter changed; without it where the value is nil.
  func with(_ name: String, _ value: String?) -> Address {
    var address = self
    let place = values.firstIndex { $0.name == name } ?? values.count
    address.values.removeAll { $0.name == name }
    if let value, !value.isEmpty { address.values.insert((name, value), at: min(place, address.values.count)) }
    return address
  }

  /// As it stands in a link.
  var text: String {
    path
      + values.enumerated().map { number, part in
        (number == 0 ? "?" : "&") + part.name + "=" + PercentEncoding.pathPart(part.value)
      }.joined()
  }
}
