internal import FleetModel

/// Which hosts and which times a statement asks about, as far as its conditions say so by constants. Where in doubt: all of them.
struct Meaning {
  let nowNs: Int64
  let ownNames: Set<String>
  /// Of `$1` and those behind it, where they are known.
  let values: [String]

  /// nil once a view is read for all hosts.
  private(set) var hosts: [String]? = []
  private(set) var unbounded: Set<String> = []
  private var bounds: [Int64?] = []

  init(nowNs: Int64, ownNames: Set<String>, values: [String]) {
    (self.nowNs, self.ownNames, self.values) = (nowNs, ownNames, values)
  }

  /// The earliest bound; nil where one is not known.
  var sinceNs: Int64? {
    guard unbounded.isEmpty, !bounds.isEmpty, !bounds.contains(nil) else { return nil }
    return bounds.compactMap(\.self).min()
  }

  /// Views without times, of which a bound on time says nothing.
  private static let timeless: Set<String> = [
    "hosts", "metric_definitions", "host_following", "host_quotas", "silences",
  ]

  mutating func read(_ tree: SQLTree) {
    switch tree {
    case .list(let items): for item in items { read(item) }
    case .object(let fields):
      if let from = fields["fromClause"] { readSelect(from, fields["whereClause"]) }
      for value in fields.values { read(value) }
    default: break
    }
  }

  private mutating func readSelect(_ from: SQLTree, _ condition: SQLTree?) {
    var views: [String] = []
    var conditions = [condition].compactMap(\.self)
    for item in from.items { sources(item, &views, &conditions) }
    if views.isEmpty { return }
    let named = conditions.compactMap { names($0) }.first
    if let named, let known = hosts { hosts = Array(Set(known + named)).sorted() } else { hosts = nil }
    let timed = views.filter { !Self.timeless.contains($0) }
    if timed.isEmpty { return }
    let found = conditions.flatMap { lowerBounds($0) }
    if found.isEmpty { unbounded.formUnion(timed) } else { bounds.append(found.compactMap(\.self).max()) }
  }

  /// Views of one FROM, and the conditions of its joins that hold for every row: those of inner joins.
  private func sources(_ item: SQLTree, _ views: inout [String], _ conditions: inout [SQLTree]) {
    if let relation = item.node("RangeVar"), let name = relation["relname"]?.string {
      if relation["schemaname"] != nil || !ownNames.contains(name) { views.append(name) }
    } else if let join = item.node("JoinExpr") {
      for side in ["larg", "rarg"] { if let part = join[side] { sources(part, &views, &conditions) } }
      if join["jointype"]?.string == "JOIN_INNER", let quals = join["quals"] { conditions.append(quals) }
    }
  }

  /// Hosts to which a condition restricts the rows; nil where it does not.
  private func names(_ condition: SQLTree) -> [String]? {
    if let logical = condition.node("BoolExpr") {
      let parts = logical["args"]?.items.map { names($0) } ?? []
      switch logical["boolop"]?.string {
      case "AND_EXPR": return parts.compactMap(\.self).first
      case "OR_EXPR": return parts.contains(nil) ? nil : parts.compactMap(\.self).flatMap(\.self)
      default: return nil
      }
    }
    guard let comparison = condition.node("A_Expr"), comparison["name"]?.words == ["="],
      let left = comparison["lexpr"], let right = comparison["rexpr"]
    else { return nil }
    let kind = comparison["kind"]?.string
    if kind == "AEXPR_IN", isColumn(left, "host") {
      let items = right.node("List")?["items"]?.items ?? right.items
      let texts = items.compactMap { text($0) }
      return texts.isEmpty || texts.count != items.count ? nil : texts
    }
    guard kind == "AEXPR_OP" else { return nil }
    if isColumn(left, "host") { return text(right).map { [$0] } }
    return isColumn(right, "host") ? text(left).map { [$0] } : nil
  }

  /// Lower bounds of the rows' times in a condition; a bound whose value is not a constant is nil.
  private func lowerBounds(_ condition: SQLTree) -> [Int64?] {
    if let logical = condition.node("BoolExpr") {
      let parts = logical["args"]?.items.map { lowerBounds($0) } ?? []
      switch logical["boolop"]?.string {
      case "AND_EXPR": return parts.flatMap(\.self)
      case "OR_EXPR":
        guard !parts.contains(where: \.isEmpty) else { return [] }
        let all = parts.flatMap(\.self)
        return [all.contains(nil) ? nil : all.compactMap(\.self).min()]
      default: return []
      }
    }
    guard let comparison = condition.node("A_Expr"), let left = comparison["lexpr"], let right = comparison["rexpr"]
    else { return [] }
    let word = comparison["name"]?.words.first ?? ""
    switch comparison["kind"]?.string {
    case "AEXPR_OP" where [">", ">=", "="].contains(word) && isTime(left): return [moment(right)]
    case "AEXPR_OP" where ["<", "<=", "="].contains(word) && isTime(right): return [moment(left)]
    case "AEXPR_BETWEEN" where isTime(left):
      return [(right.node("List")?["items"]?.items ?? right.items).first.flatMap { moment($0) }]
    default: return []
    }
  }

  private func isTime(_ tree: SQLTree) -> Bool {
    ["time", "received", "opened", "started", "updated", "due", "created"].contains { isColumn(tree, $0) }
  }

  private func isColumn(_ tree: SQLTree, _ name: String) -> Bool {
    tree.node("ColumnRef")?["fields"]?.words.last == name
  }

  private func text(_ tree: SQLTree) -> String? {
    if let cast = tree.node("TypeCast"), let inner = cast["arg"] { return text(inner) }
    if let number = tree.node("ParamRef")?["number"]?.double.flatMap({ Int(exactly: $0) }) {
      return values.indices.contains(number - 1) ? values[number - 1] : nil
    }
    return tree.node("A_Const")?["sval"]?["sval"]?.string
  }

  /// A constant, or `now()` with or without an interval taken off.
  private func moment(_ tree: SQLTree) -> Int64? {
    if let text = text(tree) { return text == "now" ? nowNs : Timestamp.parse(text) }
    if isNow(tree) { return nowNs }
    guard let sum = tree.node("A_Expr"), sum["name"]?.words == ["-"], let left = sum["lexpr"], isNow(left),
      let span = sum["rexpr"].flatMap({ text($0) })
    else { return nil }
    return Self.interval(span).map { nowNs.subtractingClamped($0) }
  }

  private func isNow(_ tree: SQLTree) -> Bool {
    if tree.node("SQLValueFunction")?["op"]?.string?.hasPrefix("SVFOP_CURRENT_TIMESTAMP") == true { return true }
    return tree.node("FuncCall")?["funcname"]?.words.last == "now"
  }

  /// `2 hours`, `1h`, `1 day`, in ns.
  static func interval(_ text: String) -> Int64? {
    let letters = text.lowercased().filter { $0 != " " }
    let number = letters.prefix { $0.isNumber }
    let units: [(String, Int64)] = [
      ("s", 1), ("sec", 1), ("second", 1), ("m", 60), ("min", 60), ("minute", 60), ("h", 3600), ("hour", 3600),
      ("hr", 3600), ("d", 86_400), ("day", 86_400), ("w", 604_800), ("week", 604_800), ("mon", 2_678_400),
      ("month", 2_678_400), ("y", 31_622_400), ("year", 31_622_400),
    ]
    var word = String(letters.dropFirst(number.count))
    if word.count > 1, word.hasSuffix("s") { word.removeLast() }
    guard let count = Int64(number), count < 100_000, let unit = units.first(where: { $0.0 == word }) else {
      return nil
    }
    return count * unit.1 * 1_000_000_000
  }
}
