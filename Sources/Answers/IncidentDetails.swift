internal import FleetModel

/// One incident as its two questions answer it, for whatever shows it. Texts are as they were stored: who writes them escapes them.
package struct IncidentDetails: Sendable {
  package let values: [String: Cell]
  package let evidence: [String]
  package let causes: [String]
  package let steps: [String]
  private let nowNs: Int64

  /// - Parameters:
  ///   - incident: one row of `IncidentQueries.one`.
  ///   - texts: the rows of `IncidentQueries.texts`.
  ///   - nowNs: for ages, ns since 1970.
  package init(_ incident: Answer, _ texts: Answer, nowNs: Int64) {
    values = Dictionary(zip(incident.columns.map(\.name), incident.rows.first ?? [])) { first, _ in first }
    let lines = { (kind: String) in
      texts.rows.compactMap { row in
        if row[0] == .text(kind), case .text(let text) = row[1] { text } else { nil }
      }
    }
    evidence = lines("evidence")
    causes = lines("cause")
    steps = lines("step")
    self.nowNs = nowNs
  }

  /// "" for null.
  package func text(_ name: String) -> String {
    values[name]?.words ?? ""
  }

  /// A time with its age.
  package func moment(_ name: String) -> String {
    guard case .time(let ns)? = values[name] else { return text(name) }
    return "\(Timestamp.text(ns, digits: 0)) (\(TimeSpan.age(nowNs.subtractingClamped(ns))) ago)"
  }
}
