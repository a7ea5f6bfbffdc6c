internal import FleetModel
package import Store

/// Labels that a person sets and removes.
package struct LabelChange: Sendable, Equatable {
  package private(set) var set: [String: String] = [:]
  package private(set) var remove: [String] = []

  /// - Parameter words: `KEY=VALUE` sets, `KEY-` removes.
  /// - Throws: `StoreError.badLabel` for a word that is neither.
  package init(_ words: [String]) throws(StoreError) {
    for word in words {
      if let equals = word.firstIndex(of: "=") {
        let (key, value) = (String(word[..<equals]), String(word[word.index(after: equals)...]))
        if let problem = HostNaming.problem(ofLabel: key, value) { throw .badLabel(problem) }
        set[key] = value
      } else if word.hasSuffix("-"), word.utf8.count > 1 {
        remove.append(String(word.dropLast()))
      } else {
        throw .badLabel("'\(PlainText.line(word))' is no label: write KEY=VALUE, or KEY- to remove it")
      }
    }
    if let both = remove.first(where: { set[$0] != nil }) {
      throw .badLabel("the label \(both) is both set and removed: write one of them")
    }
  }

  /// Of a host that is not there yet: it has none to remove.
  package static func labels(ofNewHost words: [String]) throws(StoreError) -> [String: String] {
    let change = try LabelChange(words)
    if let removed = change.remove.first {
      throw .badLabel(
        "a host that is invited has no label to remove: write KEY=VALUE, not '\(PlainText.line(removed))-'")
    }
    return change.set
  }
}
