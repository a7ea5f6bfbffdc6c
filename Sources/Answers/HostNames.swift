internal import FleetModel

/// Sentences about hosts that there are none of.
package enum HostNames {
  /// "no host is called 'gpu-1'; hosts: gpu-01, gpu-02 and 3 more".
  package static func unknown(_ name: String, among known: [String]) -> String {
    let isPattern = name.utf8.contains(UInt8(ascii: "*"))
    let start = isPattern ? "no host's name matches '\(name)'" : "no host is called '\(name)'"
    if known.isEmpty { return start + "; no host has joined yet" }
    if !isPattern, let near = Nearest.name(to: name, among: known) { return start + "; did you mean '\(near)'?" }
    let more = known.count > 5 ? " and \(known.count - 5) more; signalbox hosts list shows them" : ""
    return start + "; hosts: " + known.prefix(5).joined(separator: ", ") + more
  }
}

extension Answer {
  /// The texts of the first column.
  package var texts: [String] {
    rows.compactMap { row in if case .text(let text)? = row.first { text } else { nil } }
  }

  /// Of `ViewQueries.columns` of one view: what each column means.
  package var definitions: [String: String] {
    guard let name = columns.firstIndex(where: { $0.name == "column" }),
      let meaning = columns.firstIndex(where: { $0.name == "definition" })
    else { return [:] }
    return rows.reduce(into: [:]) { known, row in
      if case .text(let column) = row[name], case .text(let text) = row[meaning] { known[column] = text }
    }
  }
}
