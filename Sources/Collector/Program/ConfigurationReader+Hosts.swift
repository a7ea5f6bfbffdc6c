internal import FleetModel
internal import Store

/// The map `hosts:`, labels of hosts by their names.
///
/// ```yaml
/// hosts:
///   "gpu-*": { labels: { role: trainer, rack: a } }
///   gpu-07: { labels: { rack: b } }            # a later entry's value takes the place of an earlier one's
/// ```
extension ConfigurationReader {
  /// More would be an inventory, which belongs to `signalbox hosts label`; each is compared with each host's name.
  private static let hostEntriesMax = 1000

  func hostLabels(_ node: DocumentNode) throws(DocumentMistake) -> [HostLabels] {
    let hosts = try entries(node, "hosts", nil)
    if hosts.count > Self.hostEntriesMax {
      throw mistake(node, "hosts has \(hosts.count) entries; at most \(Self.hostEntriesMax) may be there")
    }
    return try hosts.map { (name, value) throws(DocumentMistake) in
      guard HostNaming.isName(name) || HostNaming.isPattern(name) else {
        throw mistake(value, "'\(name)' is no host's name; write one such as gpu-07, or gpu-* for all that begin so")
      }
      var entry = HostLabels(pattern: name, labels: [:])
      for (_, labels) in try entries(value, "hosts.\(name)", ["labels"]) {
        for (key, value) in try entries(labels, "labels", nil) {
          let word = try text(value, key)
          if let problem = HostNaming.problem(ofLabel: key, word) { throw mistake(value, problem) }
          entry.labels[key] = word
        }
      }
      if entry.labels.count > HostNaming.labelsMax {
        throw mistake(value, "a host has at most \(HostNaming.labelsMax) labels")
      }
      return entry
    }
  }
}
