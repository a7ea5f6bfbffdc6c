package import FleetModel

extension RuleSet {
  /// For measurements: the pack again and again, each time under new ids, up to `count` rules.
  package init(repeating pack: RuleSet, upTo count: Int) {
    self.init()
    for place in 0..<count where !pack.rules.isEmpty {
      var rule = pack.rules[place % pack.rules.count]
      let round = place / pack.rules.count
      if round > 0 {
        rule.id += "-R\(round)"
        rule.definitionHash &+= UInt64(round)
      }
      rules.append(rule)
    }
  }
}

extension RuleEngine {
  /// For measurements: how many pairs of a sample and a rule that reads it a batch holds.
  package func evaluations(of batch: Batch) -> Int {
    func rules(_ family: MetricFamily) -> Int { byFamily[Int(family.rawValue)].count }
    return batch.spooled.reduce(0) { sum, part in
      let records = part.records
      return sum + records.hosts.count * rules(.host) + records.gpus.count * rules(.gpu)
        + records.disks.count * rules(.disk) + records.networks.count * rules(.interface)
        + records.processes.count * rules(.process) + records.steps.count * rules(.training)
    }
  }

  /// For measurements: how many numbers each rule remembers of a host, most first.
  package func remembered(of host: HostID) -> [(rule: String, count: Int)] {
    guard let cell = hosts[host] else { return [] }
    return rules.map { ($0.rule.id, cell.state.slots.places($0.place).count) }.filter { $0.1 > 0 }.sorted {
      $0.1 > $1.1
    }
  }
}
