internal import FleetModel
internal import SQLParser
internal import Store

/// A statement of people that may run: one SELECT on the documented views.
package struct GuardedStatement: Sendable, Equatable {
  package var text: String
  /// Views that it reads, in the order of their names.
  package var views: [String]
  /// Hosts that it asks about by name; nil: about all.
  package var hosts: [String]?
  /// It reads a view that is made of what hosts report.
  package var isOfReports: Bool { views.contains { !Self.notOfReports.contains($0) } }
  private static let notOfReports: Set<String> = [
    "deliveries", "hosts", "incident_timeline", "incidents", "metric_definitions", "silences",
  ]
  /// Where every reading of a view has a lower bound on its time: the earliest one, ns since 1970, where it is known.
  package var sinceNs: Int64?
  /// Views with times that are read without a lower bound.
  package var unbounded: [String]
  /// Of `$1` and those behind it, as texts: bound by the database, never written into the statement.
  package var values: [String] = []
}

/// Why a statement does not run; one sentence that says what to do.
package struct SQLRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String
}

/// What the server expects of a statement, from its plan.
package struct QueryEstimate: Sendable, Equatable {
  /// In the planner's units: about the reading of one page of 8 KiB.
  package var cost: Double
  package var rows: Double
}

package enum SQLGuard {
  /// - Parameters:
  ///   - parameters: so many of them it may use: `$1` up to that one.
  ///   - values: of them, where they are known: for what the statement asks about.
  ///   - nowNs: for `now()` in bounds.
  /// - Throws: `SQLRefusal`.
  package static func check(
    _ sql: String, parameters: Int = 0, values: [String] = [], nowNs: Int64
  ) throws(SQLRefusal) -> GuardedStatement {
    let statement = try onlySelect(sql)
    var check = Check(parameters: parameters)
    try check.visit(statement)
    var meaning = Meaning(nowNs: nowNs, ownNames: check.ownNames, values: values)
    meaning.read(statement)
    return GuardedStatement(
      text: sql, views: check.views.sorted(), hosts: meaning.hosts, sinceNs: meaning.sinceNs,
      unbounded: meaning.unbounded.sorted())
  }

  private static func onlySelect(_ sql: String) throws(SQLRefusal) -> SQLTree {
    let json: String
    do throws(SQLSyntaxError) {
      json = try SQLParser.tree(sql)
    } catch {
      let place = error.position > 0 ? " (character \(error.position))" : ""
      throw SQLRefusal(description: "\(PlainText.visible(PlainText.cut(error.message, scalarsMax: 300)))\(place)")
    }
    guard let statements = SQLTree.decode(json)?["stmts"]?.items else {
      throw SQLRefusal(description: "the statement is nested too deeply: write parts of it WITH names")
    }
    guard statements.count == 1, let statement = statements.first?["stmt"] else {
      throw SQLRefusal(description: "give one statement; here are \(statements.count)")
    }
    guard statement.node("SelectStmt") != nil else {
      throw SQLRefusal(description: "only SELECT is answered: \(statementName(statement)) is not")
    }
    return statement
  }

  /// `DeleteStmt` as DELETE.
  private static func statementName(_ statement: SQLTree) -> String {
    var name = statement.node?.kind ?? "this"
    if name.hasSuffix("Stmt") { name.removeLast(4) }
    return name.uppercased()
  }
}

/// Walks the whole tree and refuses what is not on the lists.
private struct Check {
  let parameters: Int
  var views: Set<String> = []
  /// Of the statement's own WITH clauses.
  var ownNames: Set<String> = []

  mutating func visit(_ statement: SQLTree) throws(SQLRefusal) {
    try collectNames(statement)
    try walk(statement)
  }

  /// Before the walk, because a WITH may follow the use of its name in the tree. A name that is used outside of its WITH then means a
  /// relation of the search path: there are the public views, and those of pg_catalog, whose names begin so.
  private mutating func collectNames(_ tree: SQLTree) throws(SQLRefusal) {
    switch tree {
    case .list(let items): for item in items { try collectNames(item) }
    case .object(let fields):
      if let expression = tree.node("CommonTableExpr"), let name = expression["ctename"]?.string {
        if name.hasPrefix("pg_") {
          throw SQLRefusal(description: "WITH takes no name that begins with pg_: \(shown(name))")
        }
        ownNames.insert(name)
      }
      for value in fields.values { try collectNames(value) }
    default: break
    }
  }

  private mutating func walk(_ tree: SQLTree) throws(SQLRefusal) {
    switch tree {
    case .list(let items): for item in items { try walk(item) }
    case .object(let fields):
      if let (kind, inner) = tree.node { try require(kind, inner) }
      if fields["intoClause"] != nil {
        throw SQLRefusal(description: "SELECT INTO makes a table, and only reading is allowed")
      }
      if fields["lockingClause"] != nil {
        throw SQLRefusal(description: "FOR UPDATE and its like lock rows: leave them out")
      }
      if let type = fields["typeName"] { try requireType(type) }
      for value in fields.values { try walk(value) }
    default: break
    }
  }

  private mutating func require(_ kind: String, _ fields: SQLTree) throws(SQLRefusal) {
    if kind == "ParamRef" {
      guard let number = fields["number"]?.double.flatMap({ Int(exactly: $0) }),
        (1...max(1, parameters)).contains(number), parameters > 0
      else {
        throw SQLRefusal(
          description: parameters == 0
            ? "only a saved statement has parameters such as $1"
            : "it has \(parameters) parameters: $1 to $\(parameters)")
      }
      return
    }
    guard AllowedSQL.nodes.contains(kind) else {
      throw SQLRefusal(description: "\(kind) is not among what a question may use: see signalbox query --help")
    }
    switch kind {
    case "FuncCall": try requireFunction(fields)
    case "RangeVar": try requireView(fields)
    case "TypeName": try requireType(fields)
    default: break
    }
  }

  private func requireFunction(_ call: SQLTree) throws(SQLRefusal) {
    let words = call["funcname"]?.words ?? []
    let name = words.last ?? ""
    let isPlain = words.count == 1 || words.count == 2 && words[0] == "pg_catalog"
    guard isPlain, AllowedSQL.functions.contains(name) else {
      let near = AllowedSQL.like(name)
      throw SQLRefusal(
        description: "the function \(shown(words.joined(separator: "."))) is not among those that a question may use"
          + (near.isEmpty ? "" : "; near it are: \(near.joined(separator: ", "))"))
    }
  }

  private func requireType(_ type: SQLTree) throws(SQLRefusal) {
    let words = type["names"]?.words ?? []
    let isPlain = words.count == 1 || words.count == 2 && words[0] == "pg_catalog"
    guard isPlain, AllowedSQL.types.contains(words.last ?? "") else {
      throw SQLRefusal(
        description: "the type \(shown(words.joined(separator: "."))) is not among those that a question may use")
    }
  }

  private mutating func requireView(_ relation: SQLTree) throws(SQLRefusal) {
    let name = relation["relname"]?.string ?? ""
    let schema = relation["schemaname"]?.string
    if schema == nil, ownNames.contains(name) { return }
    guard schema == nil || schema == "public", relation["catalogname"] == nil, PublicViews.all.contains(name) else {
      throw SQLRefusal(
        description: "no view is called \(shown([schema, name].compactMap(\.self).joined(separator: "."))); there are: "
          + PublicViews.all.sorted().joined(separator: ", "))
    }
    views.insert(name)
  }

  private func shown(_ name: String) -> String { PlainText.visible(PlainText.cut(name, scalarsMax: 80)) }
}

extension SQLGuard {
  /// - Parameter plan: of `EXPLAIN (FORMAT JSON)`.
  /// - Returns: nil where the text is none.
  package static func estimate(of plan: String) -> QueryEstimate? {
    let top = SQLTree.decode(plan)?.items.first?["Plan"]
    guard let cost = top?["Total Cost"]?.double, let rows = top?["Plan Rows"]?.double else { return nil }
    return QueryEstimate(cost: cost, rows: rows)
  }

  /// Two columns of one name become `a` and `a_2`: a JSON object would keep one of them.
  package static func distinct(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.map { name in
      var unique = name
      var number = 2
      while !seen.insert(unique).inserted {
        unique = "\(name)_\(number)"
        number += 1
      }
      return unique
    }
  }
}
