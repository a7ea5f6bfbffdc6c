internal import FleetModel

/// What a run reported of itself, as names and values: the members of its detail, those of objects within it by their path.
package struct RunParameters {
  /// Further ones of a run are left out.
  private static let namesMax = 500
  private static let depthMax = 8
  /// What an agent reports of the process: it differs from run to run, and explains nothing.
  private static let ofProcess: Set<String> = ["pid", "ppid", "uid", "gid"]

  /// Value by name; a list is one value.
  package private(set) var values: [String: String] = [:]

  /// - Parameter detail: `detail` of a run: a JSON object, or anything else, which has no parameters.
  package init(detail: String) {
    guard let document = JSON.read(Array(detail.utf8)) else { return }
    add(document, "", depth: 0)
  }

  private mutating func add(_ value: JSON, _ path: String, depth: Int) {
    guard values.count < Self.namesMax else { return }
    if case .object(let members) = value, depth < Self.depthMax {
      for (name, member) in members.sorted(by: { $0.0 < $1.0 }) {
        // What a program tells of its run stands in a member of its own, which is no part of the name.
        let isOwn = depth == 0 && name == "detail"
        if depth == 0, Self.ofProcess.contains(name) { continue }
        add(member, isOwn ? path : path.isEmpty ? name : "\(path).\(name)", depth: depth + 1)
      }
    } else if !path.isEmpty {
      values[path] = Self.text(value)
    }
  }

  /// One row a name, one column a run.
  /// - Parameters:
  ///   - runs: numbers and parameters, in the order of the columns.
  ///   - onlyDifferent: names whose value is the same everywhere are left out.
  package static func table(_ runs: [(number: Int64, parameters: RunParameters)], onlyDifferent: Bool) -> Answer {
    let names = Set(runs.flatMap { $0.parameters.values.keys }).sorted()
    let rows = names.map { name in (name, runs.map { $0.parameters.values[name] }) }
      .filter { !onlyDifferent || Set($0.1).count > 1 }
    return Answer(
      columns: [.init("parameter", "PARAMETER")] + runs.map { .init("run_\($0.number)", "RUN \($0.number)") },
      rows: rows.map { name, values in [.text(name)] + values.map { $0.map(Cell.text) ?? .null } })
  }

  private static func text(_ value: JSON) -> String {
    switch value {
    case .text(let text): text
    case .real(let number): Int64(exactly: number).map(String.init) ?? String(number)
    case .list(let values): "[" + values.map(text).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.sorted { $0.0 < $1.0 }.map { "\($0.0): \(text($0.1))" }.joined(separator: ", ") + "}"
    default: value.written
    }
  }
}
