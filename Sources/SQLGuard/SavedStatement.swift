internal import FleetModel
package import Store

extension SavedQuery {
  /// What it may consist of now: rules may have changed since it was saved.
  /// - Parameter values: of its parameters, where they are known: hosts and times that they name count as what it asks about.
  /// - Throws: `SQLRefusal`.
  package func checked(values: [String] = [], nowNs: Int64) throws(SQLRefusal) -> GuardedStatement {
    try SQLGuard.check(sql, parameters: parameters.count, values: values, nowNs: nowNs)
  }

  /// With a value for each of its parameters, which the database binds and nothing pastes.
  /// - Parameter given: by the parameter's name.
  /// - Throws: `SQLRefusal`, also where one is missing or is not one of its own.
  package func statement(_ given: [String: String], nowNs: Int64) throws(SQLRefusal) -> GuardedStatement {
    if let other = given.keys.sorted().first(where: { !parameters.contains($0) }) {
      throw SQLRefusal(
        description: "\(name) has no parameter '\(PlainText.cut(other, scalarsMax: 64))'; "
          + (parameters.isEmpty ? "it has none" : "there are: \(parameters.joined(separator: ", "))"))
    }
    if let missing = parameters.first(where: { given[$0] == nil }) {
      throw SQLRefusal(
        description: "\(missing) is needed: \(name) takes \(parameters.joined(separator: ", "))")
    }
    let values = parameters.compactMap { given[$0] }
    var statement = try checked(values: values, nowNs: nowNs)
    statement.values = values
    return statement
  }
}
