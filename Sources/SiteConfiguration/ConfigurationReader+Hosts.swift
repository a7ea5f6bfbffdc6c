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

  mutating func hostLabels(_ file: DocumentFields) -> [HostLabels] {
    let hosts = named(file, "hosts")
    if hosts.count > Self.hostEntriesMax, let node = file["hosts"] {
      mistake(node, "hosts has \(hosts.count) entries; at most \(Self.hostEntriesMax) may be there")
    }
    return hosts.map { (name, value) in
      if !HostNaming.isName(name), !HostNaming.isPattern(name) {
        mistake(value, "'\(name)' is no host's name; write one such as gpu-07, or gpu-* for all that begin so")
      }
      var entry = HostLabels(pattern: name, labels: [:])
      guard let labels = fields(value, ConfigurationKeys.host)["labels"] else { return entry }
      for (key, value) in named(labels, "labels") {
        let word = text(value, key)
        if let problem = HostNaming.problem(ofLabel: key, word) { mistake(value, problem) }
        entry.labels[key] = word
      }
      if entry.labels.count > HostNaming.labelsMax {
        mistake(labels, "a host has at most \(HostNaming.labelsMax) labels")
      }
      return entry
    }
  }
}
